import type { Handover } from './handover.js';
import type { Services } from './services.js';

/** Since when hand-overs wait for a destination that has not been sent the certificate: those may be undone here. */
export class HandoverPatience {
  readonly #services: Services;
  /** Monotonic time at which it was first seen, by key and destination. */
  readonly #since = new Map<string, number>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** Hand-overs whose destination has not answered in time. */
  overdue(): readonly Handover[] {
    const { handovers, clock, times } = this.#services;
    const waiting = (handovers?.allUnderWay() ?? []).filter(({ isReleased }) => !isReleased);
    const names = new Set(waiting.map(nameOf));
    for (const name of this.#since.keys()) if (!names.has(name)) this.#since.delete(name);
    const nowMs = clock.monotonicMs();
    return waiting.filter((handover) => {
      const since = this.#since.get(nameOf(handover));
      if (since === undefined) this.#since.set(nameOf(handover), nowMs);
      return since !== undefined && nowMs - since >= times.handoverAnswerMs;
    });
  }
}

function nameOf({ keyId, destination }: Handover): string {
  return `${keyId} ${destination}`;
}
