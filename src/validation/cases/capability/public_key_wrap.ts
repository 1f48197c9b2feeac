import { equalOctets, utf8 } from '../../../bytes.js';
import { CKA_LABEL, CKA_WRAP, CKM_ECDH_AES_KEY_WRAP, CKM_RSA_AES_KEY_WRAP } from '../../../token/cryptoki.js';
import { mechanismName } from '../../../token/names.js';
import { publicKeyTemplate } from '../../../token/public_key.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate } from '../../key_template.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { oaep, oaepHashes } from '../../oaep_mechanism.js';
import { withRsaPair, type RsaPair } from '../../rsa_pair.js';
import { readMadeSecret } from '../../secret_reading.js';
import type { HashName } from '../../software_kdf.js';
import { encryptOaep } from '../../software_oaep.js';
import { expectOneOf, needProfile, recordFacts } from './fact.js';

const common = { group: 'CAP', timeLimitMs: 20_000 } as const;

/** A secret that the token wraps under a public key and unwraps again, in words. */
async function wrapAndUnwrapOaep(
  context: CheckContext,
  { privateKey, publicKey }: RsaPair,
  hash: HashName,
  secret: Uint8Array,
): Promise<string> {
  const shape = { keyType: 'generic', usage: ['sign'], extractable: true } as const;
  const wrapped = await context.attempt(
    'OAEP wrap',
    (job) => {
      const label = { type: CKA_LABEL, value: utf8(VALIDATION_LABEL) };
      const usage = { type: CKA_WRAP, value: true };
      const key = job.createObject([...publicKeyTemplate(publicKey, 'encrypt'), usage, label]);
      return job.wrapKey(oaep(hash), key, job.createObject(knownSecretTemplate(shape, secret)));
    },
    (result, blob) => result.bytes(blob),
  );
  if (!wrapped.ok) return answerOf(wrapped);
  const back = await readMadeSecret(context, 'OAEP unwrap', (job, template) =>
    job.unwrapKey(oaep(hash), privateKey, wrapped.value, template),
  );
  if (!back.ok) return answerOf(back);
  return equalOctets(back.value, secret) ? 'the secret' : 'other octets';
}

/** What wrapping under public keys the token has. */
export const publicKeyWrapCapability: readonly Check[] = [
  {
    ...common,
    id: 'CAP-07',
    title: 'Wrapping under a public key in one call, where the token lists it',
    severity: 'information',
    flows: ['replication', 'import'],
    source: 'PKCS#11 v2.40 current mechanisms section 2.1.21; v3.0 section 2.3.13',
    remedy: 'do not list what does not work: Keyferry unwraps in two steps where CKM_RSA_AES_KEY_WRAP is missing',
    run: async (context) => {
      needProfile(context);
      const isListed = (number: number): boolean => context.slot.mechanisms().some(({ type }) => type === number);
      for (const number of [CKM_RSA_AES_KEY_WRAP, CKM_ECDH_AES_KEY_WRAP]) {
        context.record(mechanismName(number), isListed(number) ? 'listed' : 'not listed', {
          call: 'C_GetMechanismList',
        });
      }
      if (isListed(CKM_RSA_AES_KEY_WRAP))
        expectOneOf(context, 'CKM_RSA_AES_KEY_WRAP', ['rsaAesKeyWrapSha1', 'rsaAesKeyWrapSha256']);
      else recordFacts(context, ['rsaAesKeyWrapSha1', 'rsaAesKeyWrapSha256']);
    },
  },
  {
    ...common,
    id: 'CAP-08',
    title: 'Unwrapping with RSA-OAEP, with SHA-1 and with SHA-256',
    severity: 'strategy',
    flows: ['import'],
    source: 'RFC 8017 section 7.1; PKCS#11 v2.40 current mechanisms section 2.1.8',
    remedy: 'enable CKM_RSA_PKCS_OAEP with CKM_SHA256 and CKG_MGF1_SHA256 in C_UnwrapKey',
    run: (context) =>
      withRsaPair(context, ['unwrap'], async ({ privateKey, publicKey }) => {
        const secret = context.random.octets(32);
        for (const hash of oaepHashes) {
          for (const mgf of oaepHashes) {
            const wrapped = encryptOaep(publicKey, secret, { hash, mgf }, context.random.octets(64));
            const tried = await readMadeSecret(context, 'OAEP unwrap', (job, shape) =>
              job.unwrapKey(oaep(hash, mgf), privateKey, wrapped, shape),
            );
            const isRight = tried.ok && equalOctets(tried.value, secret);
            const isNeeded = hash === mgf && (hash === 'sha1' || hash === 'sha256');
            const what = `${hash.toUpperCase()} with MGF1 by ${mgf.toUpperCase()}`;
            const more = { call: 'C_UnwrapKey', mechanism: 'CKM_RSA_PKCS_OAEP' };
            const seen = isRight ? 'the secret' : tried.ok ? 'other octets' : answerOf(tried);
            if (isNeeded || tried.ok) context.expect(isRight, { what, ...more, expected: 'the secret', seen });
            else context.record(what, seen, more);
          }
        }
        for (const hash of ['sha1', 'sha256'] as const) {
          const tried = await wrapAndUnwrapOaep(context, { privateKey, publicKey }, hash, secret);
          context.record(`${hash.toUpperCase()}, wrapped and unwrapped in the token`, tried, {
            ...{ call: 'C_WrapKey', mechanism: 'CKM_RSA_PKCS_OAEP' },
          });
        }
      }),
  },
];
