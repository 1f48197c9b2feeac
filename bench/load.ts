import type { Executor, ExecutorStats } from '../src/token/executor.js';
import { quantile } from './statistics.js';
import { threadCpu } from './thread_cpu.js';

/** Latencies that one window keeps; further ones overwrite the oldest. */
const LATENCIES_MAX = 65_536;

/** One window of load. */
export interface LoadResult {
  readonly perSecond: number;
  /** From asking to having the answer, everything that waits before it included, microseconds. */
  readonly latencyMicroseconds: { readonly p50: number; readonly p99: number };
  /** PKCS#11 calls for one operation. */
  readonly callsPerOperation: number;
  /** Time in jobs on the token's threads for one operation, microseconds; of several threads the sum. */
  readonly tokenMicrosecondsPerOperation: number;
  /** CPU time of the token's threads for one operation, microseconds. */
  readonly tokenCpuMicrosecondsPerOperation: number;
  /** CPU time of the JavaScript thread for one operation, microseconds. */
  readonly mainCpuMicrosecondsPerOperation: number;
  /** Share of the window in which some token thread was in a job; above 1 where two were at once. */
  readonly tokenBusy: number;
  /** Share of the window in which the event loop ran JavaScript. */
  readonly eventLoopBusy: number;
}

/**
 * Keeps so many operations in flight for so long; those that are still in flight at the end are waited for and counted.
 *
 * @param operate - one operation; a failure ends the window and is thrown
 */
export async function loadFor(
  operate: () => Promise<unknown>,
  options: { readonly inFlight: number; readonly seconds: number; readonly executor: Executor },
): Promise<LoadResult> {
  const latencies = new Float64Array(LATENCIES_MAX);
  let operations = 0;
  const before = options.executor.stats();
  const cpuBefore = threadCpu();
  const loopBefore = performance.eventLoopUtilization();
  const startMs = performance.now();
  const endMs = startMs + options.seconds * 1000;
  const keepBusy = async (): Promise<void> => {
    for (let fromMs = performance.now(); fromMs < endMs;) {
      await operate();
      const nowMs = performance.now();
      latencies[operations % LATENCIES_MAX] = nowMs - fromMs;
      operations += 1;
      fromMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, keepBusy));
  const elapsedMs = performance.now() - startMs;
  const cpu = threadCpu();
  const loop = performance.eventLoopUtilization(loopBefore);
  const spent = difference(before, options.executor.stats());
  const sorted = latencies.slice(0, Math.min(operations, LATENCIES_MAX)).sort();
  return {
    perSecond: (operations / elapsedMs) * 1000,
    latencyMicroseconds: { p50: quantile(sorted, 0.5) * 1000, p99: quantile(sorted, 0.99) * 1000 },
    callsPerOperation: spent.calls / operations,
    tokenMicrosecondsPerOperation: spent.tokenMicroseconds / operations,
    tokenCpuMicrosecondsPerOperation: (cpu.token - cpuBefore.token) / operations,
    mainCpuMicrosecondsPerOperation: (cpu.main - cpuBefore.main) / operations,
    tokenBusy: spent.tokenMicroseconds / 1000 / elapsedMs,
    eventLoopBusy: loop.utilization,
  };
}

/** What was spent between two looks at an executor. */
export function difference(
  before: ExecutorStats,
  after: ExecutorStats,
): { readonly jobs: number; readonly calls: number; readonly tokenMicroseconds: number } {
  return {
    jobs: after.jobs - before.jobs,
    calls: after.calls - before.calls,
    tokenMicroseconds: after.tokenMicroseconds - before.tokenMicroseconds,
  };
}
