import { createECDH, createHash, createHmac, type KeyObject } from 'node:crypto';
import { concat, fromHex, utf8 } from '../../../bytes.js';
import { CKA_LABEL, CKM_ECDSA, CKM_SHA256_HMAC } from '../../../token/cryptoki.js';
import { plain } from '../../../token/probe/probe_context.js';
import { publicKeyTemplate } from '../../../token/public_key.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import { CURVES } from '../../../wire/curve.js';
import { curvePublicKey } from '../../../wire/public_key.js';
import type { Check } from '../../check.js';
import { answerOf, type Attempt, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate } from '../../key_template.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { signDigest } from '../../software_ecdsa.js';
import { ORDER, scalarOctets } from '../../software_p384.js';
import { ecdsaKey, ecdsaVectors } from '../../vectors/signature.js';

const CURVE = CURVES['P-384'];
const SCALAR_OCTETS = 48;
const SIGNATURE_OCTETS = 96;
const ECDSA = { call: 'C_Verify', mechanism: 'CKM_ECDSA' } as const;

function verifyInToken(
  context: CheckContext,
  publicKey: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<Attempt<boolean>> {
  return context.attempt(
    'verify',
    (job) => {
      const label = { type: CKA_LABEL, value: utf8(VALIDATION_LABEL) };
      const key = job.createObject([...publicKeyTemplate(publicKey, 'verify'), label]);
      job.verify(plain(CKM_ECDSA), key, digest, signature);
    },
    () => true,
  );
}

/** Signatures that are none, from a good one. */
function invalidSignatures(good: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const [r, s] = [good.subarray(0, SCALAR_OCTETS), good.subarray(SCALAR_OCTETS)];
  const zero = new Uint8Array(SCALAR_OCTETS);
  const one = scalarOctets(1n);
  const order = scalarOctets(ORDER);
  return [
    ['r = 0', concat(zero, s)],
    ['s = 0', concat(r, zero)],
    ['r = s = 0', concat(zero, zero)],
    ['r = n', concat(order, s)],
    ['s = n', concat(r, order)],
    ['r = n, s = 1', concat(order, one)],
    ['r = n + 1, s = 1', concat(scalarOctets(ORDER + 1n), one)],
    ['r and s of all ones', new Uint8Array(SIGNATURE_OCTETS).fill(0xff)],
    ['r = s = 1', concat(one, one)],
    ['r and s exchanged', concat(s, r)],
    ['95 octets', good.subarray(0, SIGNATURE_OCTETS - 1)],
    ['97 octets', concat(good, Uint8Array.of(0))],
    ['97 octets, a zero before them', concat(Uint8Array.of(0), good)],
    ['r and s of 49 octets', concat(Uint8Array.of(0), r, Uint8Array.of(0), s)],
    ['no octets', new Uint8Array()],
    ['a bit changed', good.map((octet, at) => (at === SIGNATURE_OCTETS - 1 ? octet ^ 1 : octet))],
  ];
}

/** Good signatures of a key over digests that are rare, or with a rare r or s. */
function rareSignatures(
  context: CheckContext,
  privateValue: Uint8Array,
): readonly (readonly [string, Uint8Array, Uint8Array])[] {
  const random = BigInt(`0x${Buffer.from(context.random.octets(40)).toString('hex')}`) + 1n;
  const digests: readonly (readonly [string, Uint8Array])[] = [
    ['a digest of zeros', new Uint8Array(SCALAR_OCTETS)],
    ['the digest n', scalarOctets(ORDER)],
    ['a digest above n', new Uint8Array(SCALAR_OCTETS).fill(0xff)],
    ['a digest that starts with zeros', context.random.octets(SCALAR_OCTETS).fill(0, 0, 8)],
  ];
  const digest = context.random.octets(SCALAR_OCTETS);
  return [
    ...digests.map(([what, value]) => [what, value, signDigest(privateValue, value, random)] as const),
    ['the base point’s x for r', digest, signDigest(privateValue, digest, 1n)],
    ['a signature with k = 2', digest, signDigest(privateValue, digest, 2n)],
  ];
}

/** MACs that `C_Verify` must tell from a good one: also by their length. */
async function expectMacRefusals(context: CheckContext): Promise<void> {
  const key = context.random.octets(64);
  const message = context.random.octets(40);
  const good = Uint8Array.from(createHmac('sha256', key).update(message).digest());
  const verified = (mac: Uint8Array): Promise<Attempt<boolean>> =>
    context.attempt(
      'verify MAC',
      (job) => {
        const shape = { keyType: 'generic', usage: ['sign', 'verify'] } as const;
        job.verify(plain(CKM_SHA256_HMAC), job.createObject(knownSecretTemplate(shape, key)), message, mac);
      },
      () => true,
    );
  const place = { call: 'C_Verify', mechanism: 'CKM_SHA256_HMAC' } as const;
  const control = await verified(good);
  if (!control.ok) return context.record('an HMAC that software made', answerOf(control), place);
  const forged: readonly (readonly [string, Uint8Array])[] = [
    ['an HMAC with a bit changed', good.map((octet, at) => (at === 31 ? octet ^ 1 : octet))],
    ['an HMAC with an octet behind it', concat(good, Uint8Array.of(0))],
  ];
  for (const [what, mac] of forged) {
    const tried = await verified(mac);
    context.expect(!tried.ok, {
      ...{ what, ...place, expected: 'CKR_SIGNATURE_INVALID or CKR_SIGNATURE_LEN_RANGE' },
      seen: tried.ok ? 'CKR_OK: taken' : answerOf(tried),
    });
  }
  await expectShortMacRefusals(context, key);
}

/** Messages whose HMACs end in each of the 256 octets. */
function everyEnding(context: CheckContext, key: Uint8Array): readonly (readonly [Uint8Array, Uint8Array])[] {
  const byEnding = new Map<number, readonly [Uint8Array, Uint8Array]>();
  while (byEnding.size < 256) {
    const message = context.random.octets(40);
    const mac = Uint8Array.from(createHmac('sha256', key).update(message).digest());
    byEnding.set(mac[31] ?? 0, [message, mac]);
  }
  return [...byEnding.values()];
}

/**
 * HMACs without their last octet. A module that compares 32 octets whatever length it is given reads one behind the MAC and takes it
 * where that happens to be right: so each ending is tried, in one job, where the same octet follows each of them.
 */
async function expectShortMacRefusals(context: CheckContext, key: Uint8Array): Promise<void> {
  const { result, outputs } = await context.run('verify short MACs', (job) => {
    const shape = { keyType: 'generic', usage: ['sign', 'verify'] } as const;
    const object = job.createObject(knownSecretTemplate(shape, key));
    return everyEnding(context, key).map(([message, mac]) => {
      const answer = job.attempt();
      job.verify(plain(CKM_SHA256_HMAC), object, message, mac.subarray(0, 31));
      return answer;
    });
  });
  const answers = outputs.map((output) => result.rv(output));
  const taken = answers.filter((rv) => rv === CKR.CKR_OK).length;
  context.expect(taken === 0, {
    what: 'HMACs without their last octet, one for each that this may have been',
    ...{ call: 'C_Verify', mechanism: 'CKM_SHA256_HMAC', expected: 'CKR_SIGNATURE_INVALID or CKR_SIGNATURE_LEN_RANGE' },
    seen:
      taken > 0
        ? `CKR_OK: ${taken} of ${answers.length} taken`
        : [...new Set(answers)].map((rv) => returnValueName(rv)).join(', '),
  });
}

/** Verification of ECDSA on P-384, and of MACs, in the token. */
export const verificationCorrectness: readonly Check[] = [
  {
    ...{ group: 'COR', timeLimitMs: 60_000, flows: ['signing'] },
    id: 'COR-10',
    title: 'C_Verify takes good signatures and MACs, and none that is not',
    severity: 'security',
    source: 'FIPS 186-5 section 6.4.2; RFC 6979 appendix A.2.6; the classes of inputs of Wycheproof’s ECDSA tests',
    remedy: 'verify signatures outside the token, and compare MACs with what C_Sign gives, as Keyferry does',
    run: async (context) => {
      context.need('ecdsa');
      const control = async (
        what: string,
        key: KeyObject,
        digest: Uint8Array,
        signature: Uint8Array,
      ): Promise<boolean> => {
        const tried = await verifyInToken(context, key, digest, signature);
        context.expect(tried.ok, { what, ...ECDSA, expected: 'CKR_OK', seen: answerOf(tried) });
        return tried.ok;
      };
      const published = curvePublicKey(CURVE, fromHex(ecdsaKey.point));
      for (const { name, message, r, s } of ecdsaVectors) {
        const digest = createHash('sha384').update(message).digest();
        if (!(await control(name, published, digest, fromHex(r + s)))) return;
      }
      const ecdh = createECDH('secp384r1');
      const privateValue = context.random.octets(SCALAR_OCTETS);
      ecdh.setPrivateKey(privateValue);
      const publicKey = curvePublicKey(CURVE, Uint8Array.from(ecdh.getPublicKey()));
      for (const [what, digest, signature] of rareSignatures(context, privateValue)) {
        await control(what, publicKey, digest, signature);
      }
      const digest = context.random.octets(SCALAR_OCTETS);
      const k = BigInt(`0x${Buffer.from(context.random.octets(40)).toString('hex')}`) + 1n;
      const good = signDigest(privateValue, digest, k);
      const forged: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
        ...invalidSignatures(good).map(([what, signature]) => [what, digest, signature] as const),
        ['another digest', digest.map((octet) => octet ^ 1), good],
      ];
      for (const [what, over, signature] of forged) {
        const tried = await verifyInToken(context, publicKey, over, signature);
        context.expect(!tried.ok, {
          ...{ what, ...ECDSA, expected: 'CKR_SIGNATURE_INVALID or CKR_SIGNATURE_LEN_RANGE' },
          seen: tried.ok ? 'CKR_OK: taken' : answerOf(tried),
        });
      }
      if (context.works('hmacSha256')) await expectMacRefusals(context);
    },
  },
];
