import { AuditTrail, type TrailSink } from '../../src/audit/audit_trail.js';
import type { TrailEvent } from '../../src/audit/trail_event.js';
import type { Clock } from '../../src/clock.js';
import type { KeyHome } from '../../src/kms/key_id.js';

/** An audit trail in memory. */
export interface MemoryTrail {
  readonly trail: AuditTrail;
  readonly events: TrailEvent[];
  /** The only event of a name; fails where there are more or none. */
  only(eventName: string): TrailEvent;
  /** Raised by the next append, which keeps nothing. */
  failure: Error | undefined;
}

/** Makes a trail that keeps its events. */
export function makeMemoryTrail(home: KeyHome, clock: Clock, clockOffsetMs: () => number = () => 0): MemoryTrail {
  const events: TrailEvent[] = [];
  const sink: TrailSink = {
    append: async (event) => {
      const { failure } = memory;
      memory.failure = undefined;
      if (failure !== undefined) throw failure;
      events.push(JSON.parse(event) as TrailEvent);
    },
  };
  const memory: MemoryTrail = {
    trail: new AuditTrail({ home, clock, clockOffsetMs, sink }),
    events,
    only: (eventName) => {
      const [event, ...others] = events.filter((candidate) => candidate.eventName === eventName);
      if (event === undefined || others.length > 0) throw new Error(`${others.length + 1} events ${eventName}`);
      return event;
    },
    failure: undefined,
  };
  return memory;
}
