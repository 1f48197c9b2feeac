import { createHash, createPublicKey, verify } from 'node:crypto';
import { concat } from '../../../bytes.js';
import { CKA_EC_PARAMS, CKA_VALUE, CKM_ECDSA, CKM_RSA_PKCS } from '../../../token/cryptoki.js';
import { knownOctets48 } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Template } from '../../../token/template.js';
import { CURVES } from '../../../wire/curve.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecPairTemplates } from '../../key_template.js';
import { crtNumbers, knownRsaTemplate, makeRsaNumbers, octetsOf, type RsaNumbers } from '../../rsa_numbers.js';
import { policyCheck } from './known_wrapping_key.js';

/** Order of P-384. @source NIST SP 800-186 section 3.2.1.4 */
const ORDER = Buffer.from(
  'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'hex',
);
/** DigestInfo of SHA-256 without its hash. @source RFC 8017 section 9.2, note 1 */
const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** Brings a private key in and signs with it: the signature, or what refused. */
async function bringIn(
  context: CheckContext,
  shape: Template,
  mechanism: number,
  data: Uint8Array,
): Promise<{ readonly signature: Uint8Array | null; readonly seen: string; readonly call: string }> {
  const tried = await context.attempt(
    'bring in and sign',
    (job) => job.sign(plain(mechanism), job.createObject(shape), data),
    (result, signature) => result.bytes(signature),
  );
  return tried.ok
    ? { signature: tried.value, seen: 'CKR_OK: it signs', call: 'C_CreateObject' }
    : { signature: null, seen: answerOf(tried), call: tried.call };
}

function ecShape(value: Uint8Array): Template {
  const [, shape] = ecPairTemplates({ usage: ['sign'] });
  return [...shape, { type: CKA_EC_PARAMS, value: CURVES['P-384'].oid }, { type: CKA_VALUE, value }];
}

async function checkEcKeys(context: CheckContext): Promise<boolean> {
  if (!context.works('ecdsa')) return false;
  const control = await bringIn(context, ecShape(context.random.octets(48)), CKM_ECDSA, knownOctets48);
  if (control.signature === null) {
    context.record('an EC private key that is right', control.seen, { call: control.call });
    return false;
  }
  const values: readonly (readonly [string, Uint8Array])[] = [
    ['an EC private key d = 0', new Uint8Array(48)],
    ['an EC private key d = n', ORDER],
    ['an EC private key d of all ones', new Uint8Array(48).fill(0xff)],
    ['an EC private key d of 64 octets', new Uint8Array(64).fill(0x5a)],
    ['an EC private key d of no octets', new Uint8Array(0)],
  ];
  for (const [what, value] of values) {
    const { signature, seen, call } = await bringIn(context, ecShape(value), CKM_ECDSA, knownOctets48);
    context.expect(signature === null, { what, call, mechanism: 'CKM_ECDSA', expected: 'refused', seen });
  }
  return true;
}

/** A key whose numbers do not belong together may also be used rightly, where the token takes only those that do. */
function isRight(numbers: RsaNumbers, message: Uint8Array, signature: Uint8Array): boolean {
  const base64url = (value: bigint): string => Buffer.from(octetsOf(value)).toString('base64url');
  const key = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: base64url(numbers.n), e: base64url(numbers.e) } });
  return verify('sha256', message, key, signature);
}

/** RSA keys that are wrong, from one that is right; `mayBeUsed` where what is wrong can be left out of account. */
function wrongRsaKeys(
  right: RsaNumbers,
  other: RsaNumbers,
  tiny: RsaNumbers,
): readonly {
  readonly what: string;
  readonly numbers: RsaNumbers;
  readonly mayBeUsed?: boolean;
}[] {
  const { p, q } = right;
  return [
    { what: 'an RSA key with e = 1', numbers: { ...right, e: 1n, d: 1n, dp: 1n, dq: 1n } },
    { what: 'an RSA key with an even e', numbers: { ...right, e: 65_536n } },
    { what: 'an RSA key whose modulus is not p times q', numbers: { ...right, n: right.n + 2n }, mayBeUsed: true },
    { what: 'an RSA key whose modulus is even', numbers: { ...right, n: right.n - 1n } },
    { what: 'an RSA key with the private exponent of another', numbers: { ...right, d: other.d }, mayBeUsed: true },
    { what: 'an RSA key with a CRT exponent of another', numbers: { ...right, dp: other.dp }, mayBeUsed: true },
    {
      what: 'an RSA key with p = n and q = 1',
      numbers: { ...right, ...crtNumbers(p * q, 1n, right.d) },
      mayBeUsed: true,
    },
    { what: 'an RSA key of 512 bits', numbers: tiny },
  ];
}

async function checkRsaKeys(context: CheckContext): Promise<boolean> {
  if (!context.works('rsaKeyPair2048')) return false;
  const message = context.random.octets(32);
  const data = concat(DIGEST_INFO, createHash('sha256').update(message).digest());
  const right = makeRsaNumbers(context.random, 2048);
  const control = await bringIn(context, knownRsaTemplate(right, ['sign']), CKM_RSA_PKCS, data);
  if (control.signature === null || !isRight(right, message, control.signature)) {
    const seen = control.signature === null ? control.seen : 'CKR_OK, and a wrong signature';
    context.record('an RSA private key that is right', seen, { call: control.call, mechanism: 'CKM_RSA_PKCS' });
    return false;
  }
  const keys = wrongRsaKeys(right, makeRsaNumbers(context.random, 2048), makeRsaNumbers(context.random, 512));
  for (const { what, numbers, mayBeUsed } of keys) {
    const { signature, seen, call } = await bringIn(context, knownRsaTemplate(numbers, ['sign']), CKM_RSA_PKCS, data);
    const isUsedRightly = signature !== null && mayBeUsed === true && isRight(right, message, signature);
    context.expect(signature === null || isUsedRightly, {
      ...{ what, call, mechanism: 'CKM_RSA_PKCS' },
      expected: mayBeUsed === true ? 'refused, or a right signature' : 'refused',
      seen: isUsedRightly
        ? 'CKR_OK: a right signature'
        : mayBeUsed === true && signature !== null
          ? 'CKR_OK: a wrong signature'
          : seen,
    });
  }
  return true;
}

/** Whether keys that are none are taken. */
export const importedKeyPolicy: readonly Check[] = [
  {
    ...policyCheck,
    timeLimitMs: 60_000,
    id: 'POL-19',
    flows: ['import'],
    means: {
      import:
        'the token lets a worthless private key in; Keyferry tries each against its public half before it is taken',
    },
    title: 'A private key that is none is refused when it comes in or is first used',
    source:
      'NIST SP 800-56A r3 section 5.6.2.1.2; FIPS 186-5 appendices A.1 and A.2; Boneh, DeMillo and Lipton, EUROCRYPT 1997 (wrong CRT signatures)',
    attack:
      'whoever brings a key in makes others sign and decrypt with one that anybody can compute, or that shows its primes by one wrong signature',
    remedy:
      'check 0 < d < n of EC keys, and e, the size and p·q of RSA keys, when a key comes in. Keyferry checks imported private keys by a signature or an agreement that it verifies against their public half, and takes RSA-2048 and larger only',
    run: async (context) => {
      const tried = [await checkEcKeys(context), await checkRsaKeys(context)];
      if (!tried.includes(true)) context.skip('the token takes no private key by C_CreateObject');
    },
  },
];
