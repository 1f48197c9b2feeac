import type { TokenStep, TraceEvent } from './trace.js';

/** What a token says of a step that it did. */
export type ExplainStep = (
  step: Exclude<TokenStep, 'random' | 'release'>,
  suite: string | null,
) => { readonly mechanism: string } | undefined;

/** The steps that carry the material of a session. */
const STEPS: readonly TokenStep[] = ['agree', 'wrap', 'unwrap'];
/** The audit lines about a session whose material has just been through the token. */
const CODES: readonly string[] = ['REPL_SENT', 'REPL_INSTALLED'];
/** Sessions remembered: more are not between two of their steps at the same time. */
const SESSIONS_MAX = 1_024;

/**
 * Remembers which mechanisms carried the material of each session, from the trace, for the audit: what ran, and not what would have.
 */
export class SessionStrategies {
  readonly #explain: ExplainStep;
  readonly #ran = new Map<string, Set<string>>();

  constructor(explain: ExplainStep) {
    this.#explain = explain;
  }

  /** Takes an event of the trace. */
  observe(event: TraceEvent): void {
    if (event.kind !== 'token' || event.sid === null || event.outcome !== 'ok' || !STEPS.includes(event.step)) return;
    if (event.step === 'random' || event.step === 'release') return;
    const mechanism = event.mechanism ?? this.#explain(event.step, event.strategy)?.mechanism ?? 'unknown mechanism';
    const ran = this.#ran.get(event.sid) ?? new Set();
    ran.add(event.step === 'agree' ? `${event.strategy ?? 'agree'}: ${mechanism}` : `${event.step}: ${mechanism}`);
    this.#ran.set(event.sid, ran);
    const oldest = this.#ran.keys().next().value;
    if (this.#ran.size > SESSIONS_MAX && oldest !== undefined) this.#ran.delete(oldest);
  }

  /**
   * What goes into the audit line with this code.
   *
   * @returns `SUITE: mechanisms; wrap: mechanism`, or null where no strategy ran for it in this process
   */
  strategyOf(code: string, sid: string | null): string | null {
    if (sid === null || !CODES.includes(code)) return null;
    const ran = this.#ran.get(sid);
    return ran === undefined ? null : [...ran].join('; ');
  }
}
