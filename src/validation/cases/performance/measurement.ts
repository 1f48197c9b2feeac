import { Executor } from '../../../token/executor.js';
import { Job, type JobResult } from '../../../token/job.js';
import type { Measurement } from '../../check.js';
import type { CheckContext } from '../../check_context.js';

/** Sessions at once, of a whole run and of a quick one. */
const SESSIONS = [1, 2, 4, 8, 16] as const;
const SESSIONS_QUICK = [1, 4] as const;
const LEVEL_MS = 400;
const LEVEL_MS_QUICK = 80;
/** Sessions that the run itself holds. */
const OWN_SESSIONS = 4;

/** Makes what an operation needs, in sessions that are closed afterwards; the operation is done again and again. */
export type Prepare = (context: CheckContext, executor: Executor) => Promise<() => Promise<unknown>>;

/** How a measurement differs from the usual one. */
export interface MeasurementOptions {
  /** Most sessions at once: for what is so slow that more of them would only wait for the processors. */
  readonly sessionsMax?: number;
  /** No first time that does not count: for what takes long and is not learnt. */
  readonly isCold?: boolean;
  /** How long each number of sessions is measured, as a part of the usual time. */
  readonly share?: number;
}

/** The numbers of sessions to measure with: those that the token has. */
export function sessionLevels(context: CheckContext, operation: string): readonly number[] {
  const most = context.profile?.rules.sessionCountMax ?? 0;
  return (context.isQuick ? SESSIONS_QUICK : SESSIONS).filter((sessions) => {
    if (most <= 0 || sessions + OWN_SESSIONS <= most) return true;
    context.record(`${operation} in ${sessions} sessions`, `the token has ${most} sessions for everybody`);
    return false;
  });
}

/** How long one number of sessions is measured, milliseconds. */
export function levelMs(context: CheckContext, share = 1): number {
  return Math.round((context.isQuick ? LEVEL_MS_QUICK : LEVEL_MS) * share);
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Sums latencies up, microseconds, as the report shows them. */
export function summed(
  operation: string,
  sessions: number,
  latenciesUs: readonly number[],
  seconds: number,
): Measurement {
  const sorted = latenciesUs.toSorted((a, b) => a - b);
  return {
    operation,
    sessions,
    operations: sorted.length,
    p50Us: Math.round(percentile(sorted, 0.5)),
    p99Us: Math.round(percentile(sorted, 0.99)),
    perSecond: Math.round((sorted.length / seconds) * 10) / 10,
  };
}

/** Does something again and again in a number of sessions at once, each on a native thread, and says how fast it was. */
export async function measure(
  context: CheckContext,
  operation: string,
  prepare: Prepare,
  { sessionsMax = Number.POSITIVE_INFINITY, isCold = false, share = 1 }: MeasurementOptions = {},
): Promise<void> {
  for (const sessions of sessionLevels(context, operation)) {
    if (sessions > sessionsMax) break;
    const executor = await Executor.open({
      module: context.module.native,
      slotId: context.slot.slotId,
      threads: sessions,
      shortThreadsMax: sessions,
    });
    try {
      const operate = await prepare(context, executor);
      if (!isCold) await operate();
      const latenciesUs: number[] = [];
      const startedMs = performance.now();
      const untilMs = startedMs + levelMs(context, share);
      await Promise.all(
        Array.from({ length: sessions }, async () => {
          do {
            const beganMs = performance.now();
            await operate();
            latenciesUs.push((performance.now() - beganMs) * 1000);
          } while (performance.now() < untilMs);
        }),
      );
      context.measure(summed(operation, sessions, latenciesUs, (performance.now() - startedMs) / 1000));
    } finally {
      // Its sessions go, and with them every key that was made in them.
      await executor.close();
    }
  }
}

/** Runs a job that makes one object, and keeps it. */
export async function keep(
  executor: Executor,
  build: (job: Job) => ReturnType<Job['keep']>,
): Promise<ReturnType<JobResult['object']>> {
  const job = new Job('validation', 'performance');
  const kept = build(job);
  return (await executor.run(job)).object(kept);
}

/** The operation that is one job. */
export function jobOf(executor: Executor, build: (job: Job) => void): () => Promise<JobResult> {
  return () => {
    const job = new Job('validation', 'performance');
    build(job);
    return executor.run(job);
  };
}
