import { CKM_AES_KEY_GEN, CKM_ECDSA, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import { Executor } from '../../../token/executor.js';
import { Job, type JobResult, type ObjectRef } from '../../../token/job.js';
import type { FactName } from '../../../token/profile.js';
import { knownOctets48 } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { ecPairTemplates, secretTemplate, type KeyShape } from '../../key_template.js';
import { ecdh, makePeer } from '../../peer.js';

const SESSIONS = [1, 2, 4, 8, 16] as const;
const SESSIONS_QUICK = [1, 4] as const;
const LEVEL_MS = 500;
const LEVEL_MS_QUICK = 120;

/** One job to time; what it needs is made once, on the same executor. */
type Prepare = (context: CheckContext, executor: Executor) => Promise<() => Job>;

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Runs a job again and again in a number of sessions at once, each on a native thread, and says how fast it was. */
async function measure(context: CheckContext, operation: string, prepare: Prepare): Promise<void> {
  const levelMs = context.isQuick ? LEVEL_MS_QUICK : LEVEL_MS;
  const most = context.profile?.rules.sessionCountMax ?? 0;
  for (const sessions of context.isQuick ? SESSIONS_QUICK : SESSIONS) {
    // The run itself holds a few sessions.
    if (most > 0 && sessions + 4 > most) {
      context.record(`${operation} in ${sessions} sessions`, `the token has ${most} sessions for everybody`);
      continue;
    }
    const executor = await Executor.open({
      module: context.module.native,
      slotId: context.slot.slotId,
      threads: sessions,
      shortThreadsMax: sessions,
    });
    try {
      const make = await prepare(context, executor);
      await executor.run(make());
      const latenciesUs: number[] = [];
      const startedMs = performance.now();
      const untilMs = startedMs + levelMs;
      await Promise.all(
        Array.from({ length: sessions }, async () => {
          while (performance.now() < untilMs) {
            const beganMs = performance.now();
            await executor.run(make());
            latenciesUs.push((performance.now() - beganMs) * 1000);
          }
        }),
      );
      const seconds = (performance.now() - startedMs) / 1000;
      const sorted = latenciesUs.toSorted((a, b) => a - b);
      context.measure({
        operation,
        sessions,
        operations: sorted.length,
        p50Us: Math.round(percentile(sorted, 0.5)),
        p99Us: Math.round(percentile(sorted, 0.99)),
        perSecond: Math.round((sorted.length / seconds) * 10) / 10,
      });
    } finally {
      // Its sessions go, and with them every key that was made in them.
      await executor.close();
    }
  }
}

async function keep(
  executor: Executor,
  build: (job: Job) => ReturnType<Job['keep']>,
): Promise<ReturnType<JobResult['object']>> {
  const job = new Job('validation', 'performance');
  const kept = build(job);
  return (await executor.run(job)).object(kept);
}

function generateAes(job: Job, shape: KeyShape): ObjectRef {
  return job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate({ keyType: 'aes', valueBytes: 32, ...shape }));
}

function jobOf(build: (job: Job) => void): () => Job {
  return () => {
    const job = new Job('validation', 'performance');
    build(job);
    return job;
  };
}

function performanceCheck(
  facts: {
    readonly id: string;
    readonly title: string;
    readonly flows: Check['flows'];
    readonly needs: readonly FactName[];
  },
  prepare: Prepare,
): Check {
  const { id, title, flows, needs } = facts;
  return {
    ...{ id, title, flows, group: 'PRF', severity: 'information', isQuick: true, timeLimitMs: 60_000 },
    source: 'measured as a region would see it, through the queue of jobs',
    remedy: 'none is needed',
    run: async (context) => {
      context.need(...needs);
      await measure(context, title, prepare);
    },
  };
}

/** How fast the calls are that replication is made of. */
export const keyPerformance: readonly Check[] = [
  performanceCheck(
    { id: 'PRF-01', title: 'P-384 key pair', flows: ['replication'], needs: ['ecKeyPairP384'] },
    async () =>
      jobOf((job) => void job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['derive'] }))),
  ),
  performanceCheck(
    {
      id: 'PRF-02',
      title: 'ECDH on P-384 to a secret',
      flows: ['replication'],
      needs: ['ecKeyPairP384', 'ecdh1Null48'],
    },
    async (context, executor) => {
      const { point } = makePeer(context);
      const key = await keep(executor, (job) =>
        job.keep(job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['derive'] })).privateKey),
      );
      const shape = secretTemplate({ keyType: 'generic', usage: ['sign'], valueBytes: 48 });
      return jobOf((job) => void job.deriveKey(ecdh(point), key, shape));
    },
  ),
  performanceCheck(
    {
      id: 'PRF-03',
      title: 'RFC 5649 wrap of an AES-256 key',
      flows: ['replication'],
      needs: ['aesKeyWrapPad'],
    },
    async (context, executor) => {
      const mechanism = plain(context.profile?.rules.aesKeyWrapPadMechanism ?? 0);
      const kek = await keep(executor, (job) => job.keep(generateAes(job, { usage: ['wrap'] })));
      const target = await keep(executor, (job) =>
        job.keep(generateAes(job, { usage: ['encrypt'], extractable: true })),
      );
      return jobOf((job) => void job.wrapKey(mechanism, kek, target));
    },
  ),
  performanceCheck(
    {
      id: 'PRF-04',
      title: 'RFC 5649 unwrap of an AES-256 key',
      flows: ['replication', 'operations'],
      needs: ['aesKeyWrapPad', 'aesKeyUnwrapPad'],
    },
    async (context, executor) => {
      const mechanism = plain(context.profile?.rules.aesKeyWrapPadMechanism ?? 0);
      const prepare = new Job('validation', 'performance');
      const both = generateAes(prepare, { usage: ['wrap', 'unwrap'] });
      const blob = prepare.wrapKey(mechanism, both, generateAes(prepare, { usage: ['encrypt'], extractable: true }));
      const kept = prepare.keep(both);
      const result = await executor.run(prepare);
      const [kek, wrapped] = [result.object(kept), result.bytes(blob)];
      const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
      return jobOf((job) => void job.unwrapKey(mechanism, kek, wrapped, shape));
    },
  ),
  performanceCheck(
    {
      id: 'PRF-05',
      title: 'ECDSA P-384 signature',
      flows: ['signing', 'replication'],
      needs: ['ecKeyPairP384', 'ecdsa'],
    },
    async (_, executor) => {
      const key = await keep(executor, (job) =>
        job.keep(job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['sign'] })).privateKey),
      );
      return jobOf((job) => void job.sign(plain(CKM_ECDSA), key, knownOctets48));
    },
  ),
  performanceCheck(
    { id: 'PRF-11', title: '32 octets of C_GenerateRandom', flows: ['operations'], needs: ['random'] },
    async () => jobOf((job) => void job.random(32)),
  ),
];
