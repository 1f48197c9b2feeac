import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import {
  CKA_MODULUS,
  CKA_PUBLIC_EXPONENT,
  CKG_MGF1_SHA1,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_OAEP,
  CKM_SHA_1,
} from '../../../token/cryptoki.js';
import { Job } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { rsaPairTemplates, secretTemplate } from '../../key_template.js';
import { jobOf, measure, type Prepare } from './measurement.js';

const MODULUS_BITS = 2048;
const MODULUS_BITS_LONG = 4096;
/** A pair takes tenths of a second of a processor, so that more sessions say how many processors there are. */
const SESSIONS_MAX = 4;

function generate(modulusBits: number): Prepare {
  return async (_, executor) =>
    jobOf(
      executor,
      (job) =>
        void job.generateKeyPair(
          plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
          ...rsaPairTemplates({ usage: ['unwrap'] }, modulusBits),
        ),
    );
}

const oaepSha1: Mechanism = {
  type: CKM_RSA_PKCS_OAEP,
  parameter: { kind: 'oaep', hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1, label: null },
};

/** Unwraps an AES key that software has encrypted to a pair of the token: the step of an import. */
const unwrap: Prepare = async (context, executor) => {
  const job = new Job('validation', 'performance');
  const pair = job.generateKeyPair(
    plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
    ...rsaPairTemplates({ usage: ['unwrap'] }, MODULUS_BITS),
  );
  const read = job.getAttributes(pair.publicKey, [CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
  const kept = job.keep(pair.privateKey);
  const result = await executor.run(job);
  const number = (type: number): string =>
    Buffer.from(result.attributes(read).get(type)?.octets ?? []).toString('base64url');
  const key = createPublicKey({
    format: 'jwk',
    key: { kty: 'RSA', n: number(CKA_MODULUS), e: number(CKA_PUBLIC_EXPONENT) },
  });
  const wrapped = publicEncrypt(
    { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    context.random.octets(32),
  );
  const privateKey = result.object(kept);
  const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
  return jobOf(executor, (each) => void each.unwrapKey(oaepSha1, privateKey, wrapped, shape));
};

/** How fast RSA is, which imports need. */
export const rsaPerformance: readonly Check[] = [
  {
    id: 'PRF-06',
    group: 'PRF',
    title: 'RSA key pairs and OAEP unwrap',
    severity: 'information',
    flows: ['import'],

    timeLimitMs: 90_000,
    source: 'measured as a region would see it, through the queue of jobs',
    remedy: 'make pairs for imports ahead, as regions do once somebody is to import',
    run: async (context) => {
      context.need('rsaKeyPair2048');
      await measure(context, 'RSA-2048 key pair', generate(MODULUS_BITS), {
        isCold: true,
        sessionsMax: context.isQuick ? 1 : SESSIONS_MAX,
      });
      const longest = context.slot.mechanisms().find(({ type }) => type === CKM_RSA_PKCS_KEY_PAIR_GEN)?.keySizeMax ?? 0;
      if (!context.isQuick && longest >= MODULUS_BITS_LONG) {
        await measure(context, 'RSA-4096 key pair', generate(MODULUS_BITS_LONG), {
          sessionsMax: 1,
          isCold: true,
          share: 4,
        });
      }
      if (context.works('rsaOaepSha1Unwrap')) {
        await measure(context, 'RSAES-OAEP unwrap of an AES-256 key under RSA-2048', unwrap);
      }
    },
  },
];
