import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { difference } from './load.js';
import { openReplicationPair, type ReplicationPair } from './replication_pair.js';
import { summarize, type Summary } from './statistics.js';
import { threadCpu } from './thread_cpu.js';
import { TimeLedger, verificationCpuMs } from './time_ledger.js';

/** How much to replicate. */
export interface ReplicationEffort {
  readonly keys: number;
  readonly rounds: number;
}

/** Where the time of one replication went, milliseconds. Their sum is `wall` where nothing happens at once. */
export interface ReplicationCost {
  readonly wall: number;
  /** Jobs in both tokens, from their first call to their last. */
  readonly token: number;
  /** Verification itself: the ways to the thread pool and back are in `rest`. */
  readonly verification: number;
  /** Transactions and reads, waiting for the disk included. */
  readonly database: number;
  /** Everything else: the protocol's own work, and the ways between event loop, token threads and thread pool. */
  readonly rest: number;
  /** Processor time of the token threads. */
  readonly tokenCpu: number;
  /** Processor time of the JavaScript thread, without the verifications that it did itself. */
  readonly ownCpu: number;
  /** Of verification, on whatever thread: their number by what one takes. */
  readonly verificationCpu: number;
}

const COST_PARTS = [
  'wall',
  'token',
  'verification',
  'database',
  'rest',
  'tokenCpu',
  'ownCpu',
  'verificationCpu',
] as const satisfies readonly (keyof ReplicationCost)[];

/** Replications of one pair of tokens with so many in flight. */
export interface ReplicationMeasurement {
  readonly pair: readonly [SoftwareTokenKind, SoftwareTokenKind];
  readonly suite: string;
  readonly inFlight: number;
  readonly perSecond: Summary;
  /** Medians of the rounds. */
  readonly cost: ReplicationCost;
  readonly tokenCalls: number;
  readonly tokenJobs: number;
  readonly verifications: number;
  readonly transactions: number;
  readonly messages: number;
  readonly octets: number;
  /** Jobs of both tokens by name: how often a replication runs them, and their time in the token, milliseconds. */
  readonly jobs: readonly { readonly name: string; readonly count: number; readonly milliseconds: number }[];
}

interface Round {
  readonly perSecond: number;
  readonly cost: ReplicationCost;
}

const WARM_UP = 3;

/** Measures a pair of tokens one after another and with several in flight. */
export async function measureReplication(
  pair: readonly [SoftwareTokenKind, SoftwareTokenKind],
  inFlights: readonly number[],
  effort: ReplicationEffort,
  progress: (text: string) => void,
): Promise<readonly ReplicationMeasurement[]> {
  const name = pair.join(' to ');
  progress(`replication ${name}: making two regions`);
  const verificationMs = verificationCpuMs();
  const ledger = new TimeLedger();
  const regions = await openReplicationPair(pair, ledger);
  ledger.open();
  try {
    for (let i = 0; i < WARM_UP; i += 1) await regions.replicate(await regions.createKey());
    const measurements: ReplicationMeasurement[] = [];
    for (const inFlight of inFlights) {
      const rounds: Round[] = [];
      let last: Omit<ReplicationMeasurement, 'perSecond' | 'cost'> | undefined;
      for (let round = 0; round < effort.rounds; round += 1) {
        progress(`replication ${name}: ${inFlight} in flight, round ${round + 1} of ${effort.rounds}`);
        const { measured, counts } = await replicateMany(regions, ledger, inFlight, effort.keys, verificationMs);
        rounds.push(measured);
        const suite = regions.tokens[0]?.hsm.suites.find((each) => regions.tokens[1]?.hsm.suites.includes(each));
        last = { pair, suite: suite ?? 'none', inFlight, ...counts };
      }
      if (last === undefined) throw new RangeError('no round was run');
      const medians = COST_PARTS.map((part) => [part, summarize(rounds.map(({ cost }) => cost[part])).median] as const);
      measurements.push({
        ...last,
        perSecond: summarize(rounds.map(({ perSecond }) => perSecond)),
        cost: Object.fromEntries(medians) as { readonly [Part in (typeof COST_PARTS)[number]]: number },
      });
    }
    return measurements;
  } finally {
    ledger.close();
    await regions.close();
  }
}

async function replicateMany(
  regions: ReplicationPair,
  ledger: TimeLedger,
  inFlight: number,
  keys: number,
  verificationMs: number,
): Promise<{
  readonly measured: Round;
  readonly counts: Omit<ReplicationMeasurement, 'pair' | 'suite' | 'inFlight' | 'perSecond' | 'cost'>;
}> {
  const keyIds: string[] = [];
  for (let i = 0; i < keys; i += 1) keyIds.push(await regions.createKey());
  const executors = regions.tokens.map(({ executor }) => executor);
  const before = executors.map((executor) => executor.stats());
  const ledgerBefore = ledger.totals();
  const carriedBefore = regions.transports.carried;
  const cpuBefore = threadCpu();
  const startMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let keyId = keyIds[next++]; keyId !== undefined; keyId = keyIds[next++]) await regions.replicate(keyId);
    }),
  );
  const wallMs = (performance.now() - startMs) / keys;
  const cpu = threadCpu();
  const after = executors.map((executor) => executor.stats());
  const ledgerAfter = ledger.totals();
  const carried = regions.transports.carried;
  const spent = before.map((stats, at) => difference(stats, after[at] as typeof stats));
  const each = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / keys;
  const token = each(spent.map(({ tokenMicroseconds }) => tokenMicroseconds / 1000));
  const verifications = each([ledgerAfter.verification.count - ledgerBefore.verification.count]);
  // From call to answer it would hold the ways to the thread pool and the waits for a core, which are no verification.
  const verification = Math.min(
    each([ledgerAfter.verification.milliseconds - ledgerBefore.verification.milliseconds]),
    verifications * verificationMs,
  );
  const inline = ledgerAfter.inlineVerifications - ledgerBefore.inlineVerifications;
  const database = each([ledgerAfter.database.milliseconds - ledgerBefore.database.milliseconds]);
  const names = new Set(after.flatMap(({ byName }) => [...byName.keys()]));
  const byName = [...names].map((name) => {
    const differences = after.map(({ byName: now }, at) => ({
      jobs: (now.get(name)?.jobs ?? 0) - (before[at]?.byName.get(name)?.jobs ?? 0),
      microseconds: (now.get(name)?.tokenMicroseconds ?? 0) - (before[at]?.byName.get(name)?.tokenMicroseconds ?? 0),
    }));
    return {
      name,
      count: each(differences.map(({ jobs }) => jobs)),
      milliseconds: each(differences.map(({ microseconds }) => microseconds / 1000)),
    };
  });
  return {
    measured: {
      perSecond: 1000 / wallMs,
      cost: {
        wall: wallMs,
        token,
        verification,
        database,
        rest: wallMs - token - verification - database,
        tokenCpu: each([(cpu.token - cpuBefore.token) / 1000]),
        ownCpu: each([(cpu.main - cpuBefore.main) / 1000 - inline * verificationMs]),
        verificationCpu: verifications * verificationMs,
      },
    },
    counts: {
      tokenCalls: each(spent.map(({ calls }) => calls)),
      tokenJobs: each(spent.map(({ jobs }) => jobs)),
      verifications,
      transactions: each([ledgerAfter.database.count - ledgerBefore.database.count]),
      messages: each([carried.messages - carriedBefore.messages]),
      octets: each([carried.octets - carriedBefore.octets]),
      jobs: byName.filter(({ count }) => count > 0).sort((a, b) => b.milliseconds - a.milliseconds),
    },
  };
}
