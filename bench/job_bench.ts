import { fileURLToPath } from 'node:url';
import { makeRegionToken } from '../test/support/region_token.js';
import type { ScratchToken, SoftwareTokenKind } from '../test/support/token_directory.js';
import { CLoop, type CLoopResult } from './c_loop.js';
import { loadFor, type LoadResult } from './load.js';
import { preparePlainJob, type PlainJobName } from './plain_jobs.js';
import { prepareRegionOperation } from './region_operations.js';
import { quantile, summarize, type Summary } from './statistics.js';

/** Jobs that wait or run at any time. */
export const IN_FLIGHT = 64;
/** Threads of the C loop: the faster one is the limit. */
export const C_THREADS = [1, 2] as const;
const C_LOOP = fileURLToPath(new URL('../../build/c_loop', import.meta.url));

/** The C loop on a token. */
export function cLoopOf(token: ScratchToken): CLoop {
  return new CLoop(C_LOOP, token);
}

/** How long to measure. */
export interface Effort {
  /** Times that every contender runs, one after another. */
  readonly rounds: number;
  /** Length of one run. */
  readonly seconds: number;
}

/** One contender that is not the C loop. */
export interface Contender {
  readonly perSecond: Summary;
  /** Its rate by the C loop's of the same round. */
  readonly ratio: Summary;
  /** The run with the median rate. */
  readonly typical: LoadResult;
}

/** One job on one token. */
export interface JobMeasurement {
  readonly token: SoftwareTokenKind;
  readonly fingerprint: string;
  readonly job: PlainJobName;
  readonly c: readonly {
    readonly threads: number;
    readonly perSecond: Summary;
    /** CPU time of one job, microseconds. */
    readonly cpuMicroseconds: Summary;
  }[];
  /** Threads with which the C loop is fastest: what everything is compared with. */
  readonly limitThreads: number;
  /** The same calls through the executor. */
  readonly executor: Contender;
  /** The region's own operation, which does more; null where there is none. */
  readonly region: (Contender & { readonly does: string }) | null;
}

/** Jobs that a token's C loop and the executor are compared by: a round runs each contender once, so that noise hits all of them. */
export async function measureJobs(
  token: SoftwareTokenKind,
  jobs: readonly PlainJobName[],
  effort: Effort,
  progress: (text: string) => void,
): Promise<readonly JobMeasurement[]> {
  progress(`${token}: making and probing a token`);
  const region = await makeRegionToken(token);
  try {
    const loop = cLoopOf(region.token);
    const measurements: JobMeasurement[] = [];
    for (const job of jobs) {
      const plain = await preparePlainJob(job, region.executor, { keyWrapPad: region.capabilities.keyWrapPad });
      const operation = await prepareRegionOperation(job, region.hsm);
      const cRuns = new Map<number, CLoopResult[]>(C_THREADS.map((threads) => [threads, []]));
      const plainRuns: LoadResult[] = [];
      const operationRuns: LoadResult[] = [];
      const load = (operate: () => Promise<unknown>): Promise<LoadResult> =>
        loadFor(operate, { inFlight: IN_FLIGHT, seconds: effort.seconds, executor: region.executor });
      const contenders: (() => Promise<unknown>)[] = [
        ...C_THREADS.flatMap((threads) => [
          async () => cRuns.get(threads)?.push(await loop.run(job, { seconds: effort.seconds, threads })),
          ...(threads === 1 ? [async () => plainRuns.push(await load(plain))] : []),
        ]),
        ...(operation === null ? [] : [async () => operationRuns.push(await load(operation.operate))]),
      ];
      for (let round = 0; round < effort.rounds; round += 1) {
        progress(`${token}: ${job}, round ${round + 1} of ${effort.rounds}`);
        for (const contender of contenders) await contender();
      }
      const c = C_THREADS.map((threads) => {
        const runs = cRuns.get(threads) ?? [];
        const rates = runs.map(({ perSecond }) => perSecond);
        const cpuMicroseconds = summarize(runs.map(({ cpuMicrosecondsPerJob }) => cpuMicrosecondsPerJob));
        return { threads, rates, perSecond: summarize(rates), cpuMicroseconds };
      });
      const limit = c.reduce((best, each) => (each.perSecond.median > best.perSecond.median ? each : best));
      measurements.push({
        token,
        fingerprint: region.hsm.fingerprint,
        job,
        c: c.map(({ threads, perSecond, cpuMicroseconds }) => ({ threads, perSecond, cpuMicroseconds })),
        limitThreads: limit.threads,
        executor: contenderOf(plainRuns, limit.rates),
        region: operation === null ? null : { ...contenderOf(operationRuns, limit.rates), does: operation.does },
      });
    }
    return measurements;
  } finally {
    await region.close();
  }
}

function contenderOf(runs: readonly LoadResult[], limits: readonly number[]): Contender {
  const rates = runs.map(({ perSecond }) => perSecond);
  const middle = quantile(
    [...rates].sort((a, b) => a - b),
    0.5,
  );
  const [first, ...others] = runs;
  if (first === undefined) throw new RangeError('a contender has not run');
  const typical = others.reduce(
    (best, run) => (Math.abs(run.perSecond - middle) < Math.abs(best.perSecond - middle) ? run : best),
    first,
  );
  return {
    perSecond: summarize(rates),
    ratio: summarize(rates.map((rate, round) => rate / (limits[round] as number))),
    typical,
  };
}
