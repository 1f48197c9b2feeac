import type { KeyEventSource } from '../../audit/key_event.js';
import type { LabTime } from '../../clock.js';
import type { ChosenKey } from './chosen_key.js';

/** An event of a region's trace with its place in the order of events of this process. */
export interface NumberedEvent {
  /** Grows by one; begins anew with the process, beyond all numbers that an earlier process can have given. */
  readonly number: number;
  readonly event: unknown;
}

/**
 * What whoever runs a region may ask of it, over a Unix socket in its directory. Filled in where a region is composed.
 * Every value is plain JSON: no keys, no PINs, no plaintext.
 */
export interface RegionAdmin {
  /** What `keyferry status` shows: region, profile, roster epoch, HSM description, replication sessions, clock offset. */
  status(): Promise<unknown>;
  /** The newest trace events, oldest first; bounded by {@link EventBuffer}. */
  readonly events: EventSource;
  /** What happened to keys by itself, as Amazon EventBridge would tell it. */
  readonly keyEvents: KeyEventSource;
  /**
   * Takes rosters, oldest first; those that are known or older than the current one are passed over.
   *
   * @param rosters - compact JWS of each
   * @returns the epoch that holds now
   * @throws {@link KeyferryError} for a roster that is refused
   */
  takeRosters(rosters: readonly string[]): Promise<{ readonly epoch: string }>;
  /**
   * Makes a further RSK in the token.
   *
   * @param challenge - the authority's, base64url of 32 octets
   * @returns the enrolment request of the new key, compact JWS
   */
  makeSigningKey(challenge: string): Promise<{ readonly kid: string; readonly enrolment: string }>;
  /** Destroys an RSK that no roster lists any more. */
  destroySigningKey(kid: string): Promise<void>;
  /**
   * Makes a key whose id is chosen; refused outside lab mode.
   *
   * @returns its metadata, as CreateKey answers
   * @throws {@link KeyferryError} as CreateKey
   */
  createKey(chosen: ChosenKey): Promise<unknown>;
  /** What is measured at this moment: each metric with its values by key. */
  metrics(): Readonly<Record<string, readonly { readonly keyId: string; readonly seconds: number }[]>>;
  /** The region's time; moving it is refused outside lab mode. */
  readonly time: LabTime;
}

/** Events that can be read from a place on, and waited for. */
export interface EventSource {
  /** Events behind `after`, at most `max`; waits for one up to `waitMs` where there is none. */
  read(options: {
    readonly after: number;
    readonly max: number;
    readonly waitMs: number;
    readonly signal: AbortSignal;
  }): Promise<readonly NumberedEvent[]>;
}

/** Events kept: a replication makes about forty. */
const EVENTS_MAX = 5_000;
/** Readers that wait at the same time. */
const READERS_MAX = 16;

/** The newest events of a region, in memory. */
export class EventBuffer implements EventSource {
  readonly #events: NumberedEvent[] = [];
  readonly #waiting = new Set<() => void>();
  #last: number;

  /** @param before - number before the first; a later process gives a larger one, so that a reader goes on where it was */
  constructor(before = 0) {
    this.#last = before;
  }

  /** Takes an event; the oldest one makes room. */
  add(event: unknown): void {
    this.#last += 1;
    this.#events.push({ number: this.#last, event });
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
    for (const resume of [...this.#waiting]) resume();
  }

  async read(options: {
    readonly after: number;
    readonly max: number;
    readonly waitMs: number;
    readonly signal: AbortSignal;
  }): Promise<readonly NumberedEvent[]> {
    if (options.after >= this.#last && options.waitMs > 0 && this.#waiting.size < READERS_MAX) {
      await new Promise<void>((resolve) => {
        const resume = (): void => {
          this.#waiting.delete(resume);
          clearTimeout(timer);
          options.signal.removeEventListener('abort', resume);
          resolve();
        };
        const timer = setTimeout(resume, options.waitMs);
        options.signal.addEventListener('abort', resume);
        this.#waiting.add(resume);
        if (options.signal.aborted) resume();
      });
    }
    const first = this.#events[0]?.number ?? this.#last + 1;
    const start = Math.max(0, options.after + 1 - first);
    return this.#events.slice(start, start + options.max);
  }
}
