import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import { LIMITS } from '../limits.js';
import type { RegionHsmDescription } from './region_hsm.js';

/** A region's HSM as it is, or as it was before the token became busy. */
export interface DescribedHsm extends RegionHsmDescription {
  /** How long the token has not answered a search, milliseconds; 0 where everything here is of now. */
  readonly busyMs: number;
}

/**
 * Describes a region's HSM without waiting long: a search for objects waits while the token makes an RSA pair, which takes seconds,
 * and for good where the token hangs. What was last known is told then, and for how long the token has been silent.
 */
export class LatestDescription {
  readonly #describe: () => Promise<RegionHsmDescription>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #latest: RegionHsmDescription | undefined;
  #asked: { readonly answer: Promise<RegionHsmDescription>; readonly sinceMs: number } | undefined;

  constructor(describe: () => Promise<RegionHsmDescription>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#describe = describe;
    this.#clock = clock;
  }

  /** Throws what the HSM throws, where its answer came in time. The first description is waited for. */
  async get(): Promise<DescribedHsm> {
    const { answer, sinceMs } = (this.#asked ??= this.#ask());
    const current = answer.then((described) => ({ ...described, busyMs: 0 }));
    const latest = this.#latest;
    if (latest === undefined) return current;
    const waited = new AbortController();
    const earlier = delay(LIMITS.hsmDescriptionWaitMs, undefined, { signal: waited.signal }).then(
      () => ({ ...latest, busyMs: Math.max(1, Math.round(this.#clock.monotonicMs() - sinceMs)) }),
      () => current,
    );
    try {
      return await Promise.race([current, earlier]);
    } finally {
      waited.abort();
      // Whoever did not wait for it is not told of its failure; the next one asks again.
      current.catch(() => undefined);
    }
  }

  #ask(): { readonly answer: Promise<RegionHsmDescription>; readonly sinceMs: number } {
    const sinceMs = this.#clock.monotonicMs();
    const answer = this.#describe().then(
      (described) => {
        this.#latest = described;
        this.#asked = undefined;
        return described;
      },
      (error: unknown) => {
        this.#asked = undefined;
        throw error;
      },
    );
    return { answer, sinceMs };
  }
}
