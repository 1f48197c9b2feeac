import { makeRegionToken } from '../test/support/region_token.js';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { IN_FLIGHT, type Effort } from './job_bench.js';
import { loadFor, type LoadResult } from './load.js';
import { OPERATIONS, prepareOperation, type OperationName } from './operation_jobs.js';
import { summarize, type Summary } from './statistics.js';

/** One operation on one token: the region's HSM beside its token calls alone. */
export interface OperationMeasurement {
  readonly token: SoftwareTokenKind;
  readonly operation: OperationName;
  readonly does: string;
  readonly plainPerSecond: Summary;
  readonly regionPerSecond: Summary;
  /** Rate of the region's HSM by the plain job's of the same round. */
  readonly ratio: Summary;
  /** Medians for one operation of the region's HSM and for one plain job, microseconds. */
  readonly regionTokenCpu: number;
  readonly plainTokenCpu: number;
  readonly regionMainCpu: number;
  /** Half of the region's operations were faster, microseconds. */
  readonly regionP50: number;
}

/** Measures every operation: a round runs both contenders once, so that noise hits both. */
export async function measureOperations(
  token: SoftwareTokenKind,
  effort: Effort,
  progress: (text: string) => void,
): Promise<readonly OperationMeasurement[]> {
  progress(`${token}: making and probing a token`);
  const region = await makeRegionToken(token);
  try {
    const measurements: OperationMeasurement[] = [];
    for (const operation of OPERATIONS) {
      const prepared = await prepareOperation(operation, region);
      const load = (operate: () => Promise<unknown>): Promise<LoadResult> =>
        loadFor(operate, { inFlight: IN_FLIGHT, seconds: effort.seconds, executor: region.executor });
      // Loads the backing key; how long that takes is not part of any round.
      await prepared.region();
      const plain: LoadResult[] = [];
      const ours: LoadResult[] = [];
      for (let round = 0; round < effort.rounds; round += 1) {
        progress(`${token}: ${operation}, round ${round + 1} of ${effort.rounds}`);
        plain.push(await load(prepared.plain));
        ours.push(await load(prepared.region));
      }
      measurements.push({
        token,
        operation,
        does: prepared.does,
        plainPerSecond: summarize(plain.map(({ perSecond }) => perSecond)),
        regionPerSecond: summarize(ours.map(({ perSecond }) => perSecond)),
        ratio: summarize(ours.map(({ perSecond }, round) => perSecond / (plain[round] as LoadResult).perSecond)),
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

function medianOf(runs: readonly LoadResult[], pick: (run: LoadResult) => number): number {
  return summarize(runs.map(pick)).median;
}
