import { makeRegionToken } from '../test/support/region_token.js';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import type { CLoopResult } from './c_loop.js';
import { C_THREADS, cLoopOf, IN_FLIGHT, type Effort } from './job_bench.js';
import { loadFor, type LoadResult } from './load.js';
import { OPERATIONS, prepareOperation, type OperationName } from './operation_jobs.js';
import { summarize, type Summary } from './statistics.js';

/** One operation on one token: the region's HSM beside its token calls alone, through the executor and in C. */
export interface OperationMeasurement {
  readonly token: SoftwareTokenKind;
  readonly operation: OperationName;
  readonly does: string;
  /** The C loop with as many threads as make it fastest. */
  readonly cPerSecond: Summary;
  readonly cThreads: number;
  /** CPU time of one job of the C loop, microseconds. */
  readonly cCpu: number;
  readonly plainPerSecond: Summary;
  readonly regionPerSecond: Summary;
  /** Rates of the plain job and of the region's HSM by the C loop's of the same round. */
  readonly plainRatio: Summary;
  readonly ratio: Summary;
  /** Medians for one operation of the region's HSM and for one plain job, microseconds. */
  readonly regionTokenCpu: number;
  readonly plainTokenCpu: number;
  readonly regionMainCpu: number;
  /** Half of the region's operations were faster, microseconds. */
  readonly regionP50: number;
}

/** Measures every operation: a round runs every contender once, so that noise hits all of them. */
export async function measureOperations(
  token: SoftwareTokenKind,
  effort: Effort,
  progress: (text: string) => void,
): Promise<readonly OperationMeasurement[]> {
  progress(`${token}: making and probing a token`);
  const region = await makeRegionToken(token);
  try {
    const loop = cLoopOf(region.token);
    const measurements: OperationMeasurement[] = [];
    for (const operation of OPERATIONS) {
      const prepared = await prepareOperation(operation, region);
      const load = (operate: () => Promise<unknown>): Promise<LoadResult> =>
        loadFor(operate, { inFlight: IN_FLIGHT, seconds: effort.seconds, executor: region.executor });
      // Loads the backing key; how long that takes is not part of any round.
      await prepared.region();
      const inC = C_THREADS.map((threads) => ({ threads, runs: [] as CLoopResult[] }));
      const plain: LoadResult[] = [];
      const ours: LoadResult[] = [];
      for (let round = 0; round < effort.rounds; round += 1) {
        progress(`${token}: ${operation}, round ${round + 1} of ${effort.rounds}`);
        for (const { threads, runs } of inC) {
          runs.push(await loop.run(operation, { seconds: effort.seconds, threads }));
        }
        plain.push(await load(prepared.plain));
        ours.push(await load(prepared.region));
      }
      const limit = fastestOf(inC);
      const ratioOf = (runs: readonly LoadResult[]): Summary =>
        summarize(runs.map(({ perSecond }, round) => perSecond / (limit.runs[round] as CLoopResult).perSecond));
      measurements.push({
        token,
        operation,
        does: prepared.does,
        cPerSecond: summarize(limit.runs.map(({ perSecond }) => perSecond)),
        cThreads: limit.threads,
        cCpu: summarize(limit.runs.map(({ cpuMicrosecondsPerJob }) => cpuMicrosecondsPerJob)).median,
        plainPerSecond: summarize(plain.map(({ perSecond }) => perSecond)),
        regionPerSecond: summarize(ours.map(({ perSecond }) => perSecond)),
        plainRatio: ratioOf(plain),
        ratio: ratioOf(ours),
        regionTokenCpu: medianOf(ours, (run) => run.tokenCpuMicrosecondsPerOperation),
        plainTokenCpu: medianOf(plain, (run) => run.tokenCpuMicrosecondsPerOperation),
        regionMainCpu: medianOf(ours, (run) => run.mainCpuMicrosecondsPerOperation),
        regionP50: medianOf(ours, (run) => run.latencyMicroseconds.p50),
      });
    }
    return measurements;
  } finally {
    await region.close();
  }
}

/** The number of threads with the highest median rate. */
function fastestOf(all: readonly { readonly threads: number; readonly runs: readonly CLoopResult[] }[]): {
  readonly threads: number;
  readonly runs: readonly CLoopResult[];
} {
  const rateOf = ({ runs }: { readonly runs: readonly CLoopResult[] }): number =>
    summarize(runs.map(({ perSecond }) => perSecond)).median;
  return all.reduce((best, each) => (rateOf(each) > rateOf(best) ? each : best));
}

function medianOf(runs: readonly LoadResult[], pick: (run: LoadResult) => number): number {
  return summarize(runs.map(pick)).median;
}
