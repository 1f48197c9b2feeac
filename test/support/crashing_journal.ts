import type { Journal } from '../../src/replication/journal.js';
import type { AttackLab } from './attack_lab.js';

/** What a commit throws at which the process ends. */
export class Crash extends Error {}

/** When the process of a region ends: at which row, and whether before or after its commit. */
export interface CrashPlan {
  at: string;
  when: 'before' | 'after';
}

/** The next crash, which happens once, and how many there were. */
export interface PlannedCrashes {
  plan: CrashPlan | undefined;
  count: number;
}

/** A journal whose process ends at one row. */
export function crashingJournal(real: Journal, crashes: PlannedCrashes): Journal {
  let passed = false;
  const hit = (): void => {
    crashes.plan = undefined;
    crashes.count += 1;
  };
  const reached = (state: string): void => {
    const wanted = crashes.plan;
    if (wanted?.at !== state) return;
    if (wanted.when === 'before') {
      hit();
      throw new Crash(state);
    }
    passed = true;
  };
  return new Proxy(real, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function') return member;
      if (name === 'transaction') {
        return <Result>(work: () => Result): Result => {
          const result = target.transaction(work);
          if (passed) {
            passed = false;
            hit();
            throw new Crash('after the commit');
          }
          return result;
        };
      }
      return (...args: unknown[]): unknown => {
        if (name === 'putSourceSession' || name === 'putDestinationSession') {
          reached((args[0] as { state: string }).state);
        }
        return (member as (...of: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

/** Delivers everything twice, in any order that comes; a crash is what it is. */
export async function deliverAllTwice(lab: AttackLab): Promise<void> {
  for (let round = 0; round < 60; round += 1) {
    await lab.settle();
    const next = lab.network.waiting.shift();
    if (next === undefined) return;
    for (let time = 0; time < 2; time += 1) {
      await lab.network.deliver(next.to, next.octets).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
      });
    }
  }
}
