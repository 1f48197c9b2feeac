import { CKM_AES_KEY_GEN, CKM_ECDSA, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import { Job, type ObjectRef } from '../../../token/job.js';
import type { FactName } from '../../../token/profile.js';
import { knownOctets48 } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';

import { ecPairTemplates, secretTemplate, type KeyShape } from '../../key_template.js';
import { ecdh, makePeer } from '../../peer.js';
import { jobOf, keep, measure, type MeasurementOptions, type Prepare } from './measurement.js';

function generateAes(job: Job, shape: KeyShape): ObjectRef {
  return job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate({ keyType: 'aes', valueBytes: 32, ...shape }));
}

/** A check of the group that measures one operation. */
export function performanceCheck(
  facts: {
    readonly id: string;
    readonly title: string;
    readonly flows: Check['flows'];
    readonly needs: readonly FactName[];
  },
  prepare: Prepare,
  options: MeasurementOptions = {},
): Check {
  const { id, title, flows, needs } = facts;
  return {
    ...{ id, title, flows, group: 'PRF', severity: 'information', timeLimitMs: 60_000 },
    source: 'measured as a region would see it, through the queue of jobs',
    remedy: 'none is needed',
    run: async (context) => {
      context.need(...needs);
      await measure(context, title, prepare, options);
    },
  };
}

/** How fast the calls are that replication is made of. */
export const keyPerformance: readonly Check[] = [
  performanceCheck(
    { id: 'PRF-01', title: 'P-384 key pair', flows: ['replication'], needs: ['ecKeyPairP384'] },
    async (_, executor) =>
      jobOf(
        executor,
        (job) => void job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['derive'] })),
      ),
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
      return jobOf(executor, (job) => void job.deriveKey(ecdh(point), key, shape));
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
      return jobOf(executor, (job) => void job.wrapKey(mechanism, kek, target));
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
      return jobOf(executor, (job) => void job.unwrapKey(mechanism, kek, wrapped, shape));
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
      return jobOf(executor, (job) => void job.sign(plain(CKM_ECDSA), key, knownOctets48));
    },
  ),
  performanceCheck(
    { id: 'PRF-11', title: '32 octets of C_GenerateRandom', flows: ['operations'], needs: ['random'] },
    async (_, executor) => jobOf(executor, (job) => void job.random(32)),
  ),
];
