import { createHash, verify, type KeyObject } from 'node:crypto';
import { CKA_EC_POINT, CKM_ECDSA, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import type { ObjectHandle } from '../../../token/object.js';
import { plain } from '../../../token/probe/probe_context.js';
import { pointFromAttribute } from '../../../token/public_key.js';
import { CURVES } from '../../../wire/curve.js';
import { curvePublicKey } from '../../../wire/public_key.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecPairTemplates } from '../../key_template.js';

const common = { group: 'COR', timeLimitMs: 60_000, flows: ['signing'] } as const;
const CURVE = CURVES['P-384'];
const SIGNATURE_BYTES = 96;
interface SigningPair {
  readonly privateKey: ObjectHandle;
  readonly publicKey: KeyObject;
}

async function withSigningPair(context: CheckContext, work: (pair: SigningPair) => Promise<void>): Promise<void> {
  context.need('ecKeyPairP384', 'ecdsa');
  const { result, outputs } = await context.run('signing pair', (job) => {
    const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['sign'] }));
    const attributes = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
    return { attributes, privateKey: job.keep(pair.privateKey) };
  });
  const privateKey = result.object(outputs.privateKey);
  try {
    const point = pointFromAttribute(CURVE, result.attributes(outputs.attributes).get(CKA_EC_POINT));
    if (point === null) return context.skip('the token tells no public point of the pair that it made');
    await work({ privateKey, publicKey: curvePublicKey(CURVE, point) });
  } finally {
    await context.run('destroy', (job) => job.destroyObject(privateKey));
  }
}

function isGood(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return (
    signature.length === SIGNATURE_BYTES &&
    verify('sha384', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
  );
}

function digestOf(message: Uint8Array): Uint8Array {
  return createHash('sha384').update(message).digest();
}

/** ECDSA on P-384 against software. */
export const signatureCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-09',
    title: 'ECDSA P-384 signatures verify in software, and are 96 octets always',
    severity: 'blocks',
    source: 'FIPS 186-5 section 6.4; PKCS#11 v2.40 current mechanisms section 2.3.1',
    remedy: 'give r and s in 48 octets each, with leading zero octets',
    run: (context) =>
      withSigningPair(context, async ({ privateKey, publicKey }) => {
        const count = context.isQuick ? 30 : 1_000;
        let wrong = 0;
        const seen = new Set<string>();
        for (let at = 0; at < count; at += 1) {
          const message = context.random.octets(1 + context.random.below(200));
          const { result, outputs } = await context.run('sign', (job) =>
            job.sign(plain(CKM_ECDSA), privateKey, digestOf(message)),
          );
          const signature = result.bytes(outputs);
          seen.add(Buffer.from(signature.subarray(0, 48)).toString('hex'));
          if (!isGood(publicKey, message, signature)) wrong += 1;
        }
        context.expect(wrong === 0, {
          what: `${count} signatures over SHA-384 of random messages`,
          call: 'C_Sign',
          mechanism: 'CKM_ECDSA',
          expected: 'all verify',
          seen: wrong === 0 ? 'all verify' : `${wrong} of ${count} do not`,
        });
        context.expect(seen.size === count, {
          what: 'r of every signature is another one',
          call: 'C_Sign',
          mechanism: 'CKM_ECDSA',
          expected: `${count} different`,
          seen: seen.size === count ? `${count} different` : `${seen.size} different: the key is lost`,
        });
      }),
  },
  {
    ...common,
    id: 'COR-11',
    title: 'CKM_ECDSA refuses what has not the length of a digest for the curve, or takes its leading octets',
    severity: 'information',
    source: 'FIPS 186-5 section 6.4.1 step 2; PKCS#11 v2.40 current mechanisms section 2.3.6',
    remedy: 'none is needed: Keyferry checks the length before it asks for a signature',
    run: (context) =>
      withSigningPair(context, async ({ privateKey, publicKey }) => {
        const message = context.random.octets(64);
        const digest = digestOf(message);
        const longer = Uint8Array.of(...digest, ...context.random.octets(16));
        const tried = await context.attempt(
          'sign 64 octets',
          (job) => job.sign(plain(CKM_ECDSA), privateKey, longer),
          (result, signature) => isGood(publicKey, message, result.bytes(signature)),
        );
        context.expect(!tried.ok || tried.value, {
          what: '64 octets, of which the leading 48 are the digest',
          call: 'C_Sign',
          mechanism: 'CKM_ECDSA',
          expected: 'refused, or a signature of the leading 48 octets',
          seen: !tried.ok
            ? answerOf(tried)
            : tried.value
              ? 'a signature of the leading 48 octets'
              : 'another signature',
        });
        for (const hash of ['sha1', 'sha256', 'sha512'] as const) {
          const other = createHash(hash).update(message).digest();
          const signed = await context.attempt(
            `sign ${other.length} octets`,
            (job) => job.sign(plain(CKM_ECDSA), privateKey, other),
            (result, signature) =>
              verify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, result.bytes(signature)),
          );
          context.expect(!signed.ok || signed.value, {
            what: `a digest of ${other.length} octets`,
            call: 'C_Sign',
            mechanism: 'CKM_ECDSA',
            expected: 'refused, or a signature of it that verifies in software',
            seen: !signed.ok ? answerOf(signed) : signed.value ? 'a signature of it' : 'another signature',
          });
        }
        const short = await context.attempt(
          'sign 1 octet',
          (job) => job.sign(plain(CKM_ECDSA), privateKey, Uint8Array.of(7)),
          () => true,
        );
        context.record('one octet', answerOf(short), { call: 'C_Sign', mechanism: 'CKM_ECDSA' });
      }),
  },
];
