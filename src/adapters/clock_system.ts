import { performance } from 'node:perf_hooks';
import type { Clock } from '../clock.js';

/**
 * The machine's clock, and in a lab an offset: calendar time is moved forward, and back to the machine's only. Monotonic time, by
 * which messages are sent again, has no offset.
 */
export class SystemClock implements Clock {
  #offsetMs: number;

  /** @param offsetMs - offset that an earlier run of the lab had reached; 0 outside labs */
  constructor(offsetMs = 0) {
    if (!Number.isSafeInteger(offsetMs) || offsetMs < 0)
      throw new RangeError('a clock offset is a whole number, 0 or more');
    this.#offsetMs = offsetMs;
  }

  nowMs(): number {
    return this.unshiftedMs() + this.#offsetMs;
  }

  monotonicMs(): number {
    return performance.now();
  }

  /** Time without the lab's offset: what clients sign their requests with. */
  unshiftedMs(): number {
    return Date.now();
  }

  /** Milliseconds that this clock is ahead of the machine's. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Goes back to the machine's time. */
  reset(): void {
    this.#offsetMs = 0;
  }

  /** Moves time forward. */
  advance(byMs: number): void {
    if (!Number.isSafeInteger(byMs) || byMs < 0)
      throw new RangeError('time moves forward by a whole number of milliseconds');
    this.#offsetMs += byMs;
  }
}
