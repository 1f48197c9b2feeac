import type { Journal } from '../../src/replication/journal.js';

/** What a commit throws at which the process ends. */
export class Crash extends Error {}

/** When the process of a region ends: at which row, and whether before or after its commit. */
export interface CrashPlan {
  at: string;
  when: 'before' | 'after';
}

/** A journal whose process ends at one row. Which it was is told by `hit`. */
export function crashingJournal(real: Journal, plan: () => CrashPlan | undefined, hit: () => void): Journal {
  let passed = false;
  const reached = (state: string): void => {
    const wanted = plan();
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
