import { createHash, randomBytes } from 'node:crypto';
import { LIMITS } from '../limits.js';

/** Whoever is logged in: one principal of the lab's configuration. */
export interface ConsoleSession {
  /** ARN. */
  readonly principal: string;
  /** Fires when the session ends. */
  readonly ended: AbortSignal;
}

interface OpenSession extends ConsoleSession {
  readonly untilMs: number;
  readonly end: AbortController;
}

/**
 * Login links and sessions, in memory: both end with the process. Only digests of the secrets are kept, so that looking one up takes the
 * same time whatever it is compared with.
 */
export class ConsoleSessions {
  readonly #nowMs: () => number;
  readonly #logins = new Map<string, { readonly principal: string; readonly untilMs: number }>();
  readonly #sessions = new Map<string, OpenSession>();

  /** @param nowMs - a time that never goes back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The secret of a login link: works once, for `LIMITS.consoleLoginMs`. */
  issueLogin(principal: string): string {
    const secret = newSecret();
    this.#logins.set(digest(secret), { principal, untilMs: this.#nowMs() + LIMITS.consoleLoginMs });
    dropOldest(this.#logins, LIMITS.consoleLoginsMax);
    return secret;
  }

  /**
   * Exchanges the secret of a login link for that of a session.
   *
   * @returns undefined where it was used before, is too old, or never was one
   */
  redeem(login: string): string | undefined {
    const key = digest(login);
    const found = this.#logins.get(key);
    this.#logins.delete(key);
    if (found === undefined || found.untilMs < this.#nowMs()) return undefined;
    const secret = newSecret();
    const end = new AbortController();
    const untilMs = this.#nowMs() + LIMITS.consoleSessionMs;
    this.#sessions.set(digest(secret), { principal: found.principal, ended: end.signal, untilMs, end });
    for (const gone of dropOldest(this.#sessions, LIMITS.consoleSessionsMax)) gone.end.abort();
    return secret;
  }

  /** The session of a secret; undefined where it has ended or never was. */
  find(secret: string): ConsoleSession | undefined {
    const found = this.#sessions.get(digest(secret));
    if (found === undefined || found.untilMs >= this.#nowMs()) return found;
    this.end(secret);
    return undefined;
  }

  /** Ends a session, and the streams that belong to it. */
  end(secret: string): void {
    const key = digest(secret);
    this.#sessions.get(key)?.end.abort();
    this.#sessions.delete(key);
  }

  /** Ends all of them. */
  close(): void {
    for (const { end } of this.#sessions.values()) end.abort();
    this.#sessions.clear();
    this.#logins.clear();
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function digest(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('base64');
}

/** Makes room; the order of a map is that of its making. */
function dropOldest<Value>(map: Map<string, Value>, max: number): readonly Value[] {
  const dropped: Value[] = [];
  for (const [key, value] of map) {
    if (map.size <= max) break;
    map.delete(key);
    dropped.push(value);
  }
  return dropped;
}
