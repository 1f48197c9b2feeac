import { createHash, hkdfSync } from 'node:crypto';
import { concat, equalOctets } from '../bytes.js';
import {
  CKD_NULL,
  CKD_SHA1_KDF,
  CKD_SHA224_KDF,
  CKD_SHA256_KDF,
  CKD_SHA256_KDF_SP800,
  CKD_SHA384_KDF,
  CKD_SHA384_KDF_SP800,
  CKD_SHA512_KDF,
  CKD_SHA512_KDF_SP800,
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_AES_CMAC,
  CKM_AES_ECB_ENCRYPT_DATA,
  CKM_HKDF_DERIVE,
  CKM_SHA256,
  CKM_SHA256_HMAC,
  CKM_SHA384,
  CKM_SHA384_HMAC,
  CKM_SHA512,
  CKM_SP800_108_COUNTER_KDF,
} from '../token/cryptoki.js';
import type { Job, ObjectOperand } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import { aesCbc, aesEcb, hmac } from '../token/probe/known_key.js';
import { plain } from '../token/probe/probe_context.js';
import { answerOf, type CheckContext } from './check_context.js';
import { secretTemplate } from './key_template.js';
import { counterMode, counterModeCmac, hashOctets, oneStep, x963, type HashName } from './software_kdf.js';

const CKD_SHA1_KDF_SP800 = 0x0e;
const CKD_SHA224_KDF_SP800 = 0x0f;
/** Where a vendor numbers X9.63 himself, he sets this bit in the standard's number. */
const VENDOR = 0x8000_0000;
/** Number of AWS CloudHSM for SP 800-108 in counter mode. */
const CKM_CLOUDHSM_SP800_108_COUNTER_KDF = 0x8000_0001;
const CKM_CONCATENATE_BASE_AND_DATA = 0x362;
const CKM_CONCATENATE_DATA_AND_BASE = 0x363;
const CKM_XOR_BASE_AND_DATA = 0x364;
const CKM_EXTRACT_KEY_FROM_KEY = 0x365;

const MESSAGE = Buffer.from('keyferry validation: derived');

/** A key derivation function of `CKM_ECDH1_DERIVE`. */
export interface EcdhFunction {
  readonly name: string;
  readonly kdf: number;
  /** Octets that one round gives; 0 where there are no rounds. */
  readonly blockOctets: number;
  readonly takesSharedData: boolean;
  readonly derive: (z: Uint8Array, sharedData: Uint8Array, octets: number) => Uint8Array;
}

function ofHash(name: string, kdf: number, hash: HashName, family: typeof x963): EcdhFunction {
  const derive = (z: Uint8Array, sharedData: Uint8Array, octets: number): Uint8Array =>
    family(hash, z, sharedData, octets);
  return { name, kdf, blockOctets: hashOctets[hash], takesSharedData: true, derive };
}

/** Every key derivation function that is looked for. @source PKCS#11 v3.0 current mechanisms, table of EC key derivation functions */
export const ecdhFunctions: readonly EcdhFunction[] = [
  {
    name: 'CKD_NULL',
    kdf: CKD_NULL,
    blockOctets: 0,
    takesSharedData: false,
    derive: (z, _, octets) => z.subarray(z.length - octets),
  },
  ofHash('CKD_SHA1_KDF', CKD_SHA1_KDF, 'sha1', x963),
  ofHash('CKD_SHA224_KDF', CKD_SHA224_KDF, 'sha224', x963),
  ofHash('CKD_SHA256_KDF', CKD_SHA256_KDF, 'sha256', x963),
  ofHash('CKD_SHA384_KDF', CKD_SHA384_KDF, 'sha384', x963),
  ofHash('CKD_SHA512_KDF', CKD_SHA512_KDF, 'sha512', x963),
  ofHash('CKD_SHA1_KDF_SP800', CKD_SHA1_KDF_SP800, 'sha1', oneStep),
  ofHash('CKD_SHA224_KDF_SP800', CKD_SHA224_KDF_SP800, 'sha224', oneStep),
  ofHash('CKD_SHA256_KDF_SP800', CKD_SHA256_KDF_SP800, 'sha256', oneStep),
  ofHash('CKD_SHA384_KDF_SP800', CKD_SHA384_KDF_SP800, 'sha384', oneStep),
  ofHash('CKD_SHA512_KDF_SP800', CKD_SHA512_KDF_SP800, 'sha512', oneStep),
  ofHash('X9.63 with SHA-256 under a vendor’s number', VENDOR + CKD_SHA256_KDF, 'sha256', x963),
  ofHash('X9.63 with SHA-384 under a vendor’s number', VENDOR + CKD_SHA384_KDF, 'sha384', x963),
  ofHash('X9.63 with SHA-512 under a vendor’s number', VENDOR + CKD_SHA512_KDF, 'sha512', x963),
];

/** A derivation from a secret key in the token. */
export interface SecretDerivation {
  readonly name: string;
  readonly base: 'aes' | 'generic';
  /** Whether a suite of Keyferry is built on it. */
  readonly isOfSuite: boolean;
  readonly mechanism: Mechanism;
  readonly derived: Uint8Array;
}

function stringData(type: number, octets: Uint8Array): Mechanism {
  return { type, parameter: { kind: 'string-data', octets } };
}

function hkdf(
  prf: number,
  hash: HashName,
  parts: { readonly salt: Uint8Array | null; readonly info: Uint8Array; readonly extract: boolean },
  base: Uint8Array,
  octets: number,
): { readonly mechanism: Mechanism; readonly derived: Uint8Array } {
  const { salt, info, extract } = parts;
  const mechanism: Mechanism = {
    type: CKM_HKDF_DERIVE,
    parameter: { kind: 'hkdf', extract, expand: true, prf, salt, info },
  };
  const derived = extract
    ? new Uint8Array(hkdfSync(hash, base, salt ?? new Uint8Array(), info, octets))
    : expand(hash, base, info, octets);
  return { mechanism, derived };
}

/** HKDF-Expand. @source RFC 5869 section 2.3 */
function expand(hash: HashName, key: Uint8Array, info: Uint8Array, octets: number): Uint8Array {
  let made: Uint8Array = new Uint8Array();
  for (let at = 1, last: Uint8Array = made; made.length < octets; at += 1) {
    last = hmac(hash, key, concat(last, info, Uint8Array.of(at)));
    made = concat(made, last);
  }
  return made.subarray(0, octets);
}

/**
 * Every derivation from a secret key that is looked for, with what software derives.
 *
 * @param base - 32 octets
 * @param context - gives the octets that go in
 */
export function secretDerivations(context: CheckContext, base: Uint8Array): readonly SecretDerivation[] {
  const data = context.random.octets(64);
  const iv = context.random.octets(16);
  const salt = context.random.octets(16);
  const fixedInput = context.random.octets(60);
  const counter = (type: number, prf: number): Mechanism => ({
    type,
    parameter: { kind: 'sp800-108-counter', prf, fixedInput },
  });
  const digest = (name: HashName): Uint8Array => createHash(name).update(base).digest();
  const info = context.random.octets(20);
  const suites: readonly Omit<SecretDerivation, 'isOfSuite'>[] = [
    {
      ...{ name: 'CKM_AES_CBC_ENCRYPT_DATA', base: 'aes', derived: aesCbc(base, iv, data) },
      mechanism: { type: CKM_AES_CBC_ENCRYPT_DATA, parameter: { kind: 'aes-cbc-encrypt-data', iv, data } },
    },
    {
      ...{ name: 'CKM_HKDF_DERIVE with SHA-384', base: 'generic' },
      ...hkdf(CKM_SHA384, 'sha384', { salt, info, extract: true }, base, 96),
    },
    {
      ...{ name: 'CKM_SP800_108_COUNTER_KDF with HMAC-SHA-256', base: 'generic' },
      mechanism: counter(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC),
      derived: counterMode('sha256', base, fixedInput, 64),
    },
    {
      ...{ name: 'SP 800-108 with HMAC-SHA-256 under AWS CloudHSM’s number', base: 'generic' },
      mechanism: counter(CKM_CLOUDHSM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC),
      derived: counterMode('sha256', base, fixedInput, 64),
    },
  ];
  const others: readonly Omit<SecretDerivation, 'isOfSuite'>[] = [
    {
      ...{ name: 'CKM_AES_ECB_ENCRYPT_DATA', base: 'aes', derived: aesEcb(base, data) },
      mechanism: stringData(CKM_AES_ECB_ENCRYPT_DATA, data),
    },
    {
      ...{ name: 'CKM_HKDF_DERIVE with SHA-256', base: 'generic' },
      ...hkdf(CKM_SHA256, 'sha256', { salt, info, extract: true }, base, 64),
    },
    {
      ...{ name: 'CKM_HKDF_DERIVE with SHA-512', base: 'generic' },
      ...hkdf(CKM_SHA512, 'sha512', { salt, info, extract: true }, base, 64),
    },
    {
      ...{ name: 'CKM_HKDF_DERIVE with SHA-384 and no salt', base: 'generic' },
      ...hkdf(CKM_SHA384, 'sha384', { salt: null, info, extract: true }, base, 48),
    },
    {
      ...{ name: 'CKM_HKDF_DERIVE with SHA-256, the second step alone', base: 'generic' },
      ...hkdf(CKM_SHA256, 'sha256', { salt: null, info, extract: false }, base, 64),
    },
    {
      ...{ name: 'CKM_SP800_108_COUNTER_KDF with HMAC-SHA-384', base: 'generic' },
      mechanism: counter(CKM_SP800_108_COUNTER_KDF, CKM_SHA384_HMAC),
      derived: counterMode('sha384', base, fixedInput, 96),
    },
    {
      ...{ name: 'CKM_SP800_108_COUNTER_KDF with AES-CMAC', base: 'aes' },
      mechanism: counter(CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC),
      derived: counterModeCmac(base, fixedInput, 32),
    },
    {
      ...{ name: 'CKM_CONCATENATE_BASE_AND_DATA', base: 'generic', derived: concat(base, iv) },
      mechanism: stringData(CKM_CONCATENATE_BASE_AND_DATA, iv),
    },
    {
      ...{ name: 'CKM_CONCATENATE_DATA_AND_BASE', base: 'generic', derived: concat(iv, base) },
      mechanism: stringData(CKM_CONCATENATE_DATA_AND_BASE, iv),
    },
    {
      ...{ name: 'CKM_XOR_BASE_AND_DATA', base: 'generic' },
      mechanism: stringData(CKM_XOR_BASE_AND_DATA, data.subarray(0, 32)),
      derived: base.map((octet, at) => octet ^ (data[at] ?? 0)),
    },
    {
      ...{ name: 'CKM_EXTRACT_KEY_FROM_KEY, from bit 64 on', base: 'generic', derived: base.subarray(8, 24) },
      // CK_EXTRACT_PARAMS is a CK_ULONG.
      mechanism: {
        type: CKM_EXTRACT_KEY_FROM_KEY,
        parameter: { kind: 'octets', octets: Uint8Array.of(64, 0, 0, 0, 0, 0, 0, 0) },
      },
    },
    ...(
      [
        ['CKM_SHA1_KEY_DERIVATION', 0x392, 'sha1'],
        ['CKM_SHA256_KEY_DERIVATION', 0x393, 'sha256'],
        ['CKM_SHA384_KEY_DERIVATION', 0x394, 'sha384'],
        ['CKM_SHA512_KEY_DERIVATION', 0x395, 'sha512'],
      ] as const
    ).map(([name, type, hash]) => ({
      ...{ name, base: 'generic' as const, mechanism: plain(type), derived: digest(hash) },
    })),
  ];
  return [
    ...suites.map((derivation) => ({ ...derivation, isOfSuite: true })),
    ...others.map((derivation) => ({ ...derivation, isOfSuite: false })),
  ];
}

/** What came of a derivation. */
export interface DerivationOutcome {
  readonly isRight: boolean;
  /** Whether the token derived something at all. */
  readonly isDone: boolean;
  readonly seen: string;
}

/** Refusals of a secret that may be read: some tokens derive only what is sensitive. */
const NOT_READABLE: ReadonlySet<string> = new Set([
  'CKR_ATTRIBUTE_VALUE_INVALID',
  'CKR_ATTRIBUTE_READ_ONLY',
  'CKR_ATTRIBUTE_SENSITIVE',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_TEMPLATE_INCONSISTENT',
]);

/**
 * Derives a secret of which everything is known, and compares it with what software derives: its value where the token lets
 * it be read, a MAC under it otherwise.
 *
 * @param base - makes the base key in the job, or names one that exists
 */
export async function tryDerivation(
  context: CheckContext,
  mechanism: Mechanism,
  base: (job: Job) => ObjectOperand,
  expected: Uint8Array,
): Promise<DerivationOutcome> {
  const shape = { keyType: 'generic', usage: ['sign'], valueBytes: expected.length } as const;
  let tried = await context.attempt(
    'derive',
    (job) => {
      const readable = secretTemplate({ ...shape, sensitive: false, extractable: true });
      return job.reveal(job.readSecret(job.deriveKey(mechanism, base(job), readable)));
    },
    (result, value) => equalOctets(result.bytes(value), expected),
  );
  if (!tried.ok && NOT_READABLE.has(tried.rvName)) {
    tried = await context.attempt(
      'derive and use',
      (job) => job.sign(plain(CKM_SHA384_HMAC), job.deriveKey(mechanism, base(job), secretTemplate(shape)), MESSAGE),
      (result, mac) => equalOctets(result.bytes(mac), hmac('sha384', expected, MESSAGE)),
    );
  }
  if (!tried.ok) return { isRight: false, isDone: false, seen: answerOf(tried) };
  return {
    isRight: tried.value,
    isDone: true,
    seen: tried.value ? 'what software derives' : 'other octets than software derives',
  };
}
