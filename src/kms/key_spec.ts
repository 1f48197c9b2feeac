import type { KeySpec, KeyUsage } from '../hsm/material.js';
import { KmsError, validationError } from './errors.js';

/** The key specs that the deprecated member `CustomerMasterKeySpec` can name, in the model's order. */
export const CUSTOMER_MASTER_KEY_SPECS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'SYMMETRIC_DEFAULT',
  'HMAC_224',
  'HMAC_256',
  'HMAC_384',
  'HMAC_512',
  'SM2',
] as const;

/** Every key spec of the AWS KMS model, in the model's order. */
export const KEY_SPECS = [
  ...CUSTOMER_MASTER_KEY_SPECS,
  'ML_DSA_44',
  'ML_DSA_65',
  'ML_DSA_87',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
  'ECC_NIST_EDWARDS25519',
] as const;
export type RequestedKeySpec = (typeof KEY_SPECS)[number];

/** Every key usage of the AWS KMS model. */
export const KEY_USAGES = [
  'SIGN_VERIFY',
  'ENCRYPT_DECRYPT',
  'GENERATE_VERIFY_MAC',
  'KEY_AGREEMENT',
  'ENCAPSULATE_DECAPSULATE',
] as const;
export type RequestedKeyUsage = (typeof KEY_USAGES)[number];

/** Every encryption algorithm of the AWS KMS model. */
export const ENCRYPTION_ALGORITHMS = ['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] as const;
export type EncryptionAlgorithm = (typeof ENCRYPTION_ALGORITHMS)[number];

/** Every signing algorithm of the AWS KMS model. */
export const SIGNING_ALGORITHMS = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'ECDSA_SHA_256',
  'ECDSA_SHA_384',
  'ECDSA_SHA_512',
  'SM2DSA',
  'ML_DSA_SHAKE_256',
  'ED25519_SHA_512',
  'ED25519_PH_SHA_512',
] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** Every MAC algorithm of the AWS KMS model. */
export const MAC_ALGORITHMS = ['HMAC_SHA_224', 'HMAC_SHA_256', 'HMAC_SHA_384', 'HMAC_SHA_512'] as const;
export type MacAlgorithm = (typeof MAC_ALGORITHMS)[number];

/** Every key agreement algorithm of the AWS KMS model. */
export const KEY_AGREEMENT_ALGORITHMS = ['ECDH'] as const;
export type KeyAgreementAlgorithm = (typeof KEY_AGREEMENT_ALGORITHMS)[number];

/** Algorithms of one usage, in the order in which `DescribeKey` lists them. */
interface AlgorithmsByUsage {
  readonly ENCRYPT_DECRYPT: EncryptionAlgorithm;
  readonly SIGN_VERIFY: SigningAlgorithm;
  readonly GENERATE_VERIFY_MAC: MacAlgorithm;
  readonly KEY_AGREEMENT: KeyAgreementAlgorithm;
}

/** What AWS KMS says of one key spec: the usages that it admits, each with its algorithms. */
interface SpecRow {
  readonly algorithms: { readonly [Usage in KeyUsage]?: readonly AlgorithmsByUsage[Usage][] };
  /** Octets of an RSA modulus. */
  readonly modulusOctets?: number;
  /** Whether the material has a public half that may be shown. */
  readonly isAsymmetric: boolean;
}

const RSA_SIGNING: readonly SigningAlgorithm[] = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
];

function rsa(modulusOctets: number): SpecRow {
  const ENCRYPT_DECRYPT = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const;
  return { algorithms: { ENCRYPT_DECRYPT, SIGN_VERIFY: RSA_SIGNING }, modulusOctets, isAsymmetric: true };
}

function nistCurve(signing: SigningAlgorithm): SpecRow {
  return { algorithms: { SIGN_VERIFY: [signing], KEY_AGREEMENT: ['ECDH'] }, isAsymmetric: true };
}

function hmac(algorithm: MacAlgorithm): SpecRow {
  return { algorithms: { GENERATE_VERIFY_MAC: [algorithm] }, isAsymmetric: false };
}

/** The key specs that Keyferry makes. @source AWS KMS Developer Guide, "Key spec reference" */
const SPECS: Readonly<Record<KeySpec, SpecRow>> = {
  SYMMETRIC_DEFAULT: { algorithms: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] }, isAsymmetric: false },
  HMAC_224: hmac('HMAC_SHA_224'),
  HMAC_256: hmac('HMAC_SHA_256'),
  HMAC_384: hmac('HMAC_SHA_384'),
  HMAC_512: hmac('HMAC_SHA_512'),
  RSA_2048: rsa(256),
  RSA_3072: rsa(384),
  RSA_4096: rsa(512),
  ECC_NIST_P256: nistCurve('ECDSA_SHA_256'),
  ECC_NIST_P384: nistCurve('ECDSA_SHA_384'),
  ECC_NIST_P521: nistCurve('ECDSA_SHA_512'),
  ECC_SECG_P256K1: { algorithms: { SIGN_VERIFY: ['ECDSA_SHA_256'] }, isAsymmetric: true },
  ECC_NIST_EDWARDS25519: {
    algorithms: { SIGN_VERIFY: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'] },
    isAsymmetric: true,
  },
};

/** Usages of the specs that Keyferry does not make. */
const OTHER_USAGES: Readonly<Record<Exclude<RequestedKeySpec, KeySpec>, readonly RequestedKeyUsage[]>> = {
  ML_DSA_44: ['SIGN_VERIFY'],
  ML_DSA_65: ['SIGN_VERIFY'],
  ML_DSA_87: ['SIGN_VERIFY'],
  ML_KEM_512: ['ENCAPSULATE_DECAPSULATE'],
  ML_KEM_768: ['ENCAPSULATE_DECAPSULATE'],
  ML_KEM_1024: ['ENCAPSULATE_DECAPSULATE'],
  SM2: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'KEY_AGREEMENT'],
};

const NO_ML_DSA = 'it needs CKM_ML_DSA_KEY_PAIR_GEN and CKM_ML_DSA of PKCS #11 3.2, which are not used yet.';
const NO_ML_KEM = 'it needs CKM_ML_KEM_KEY_PAIR_GEN and CKM_ML_KEM of PKCS #11 3.2, which are not used yet.';

/** Why some specs are not made, naming the mechanisms. */
const WHY_NOT_MADE: Readonly<Record<Exclude<RequestedKeySpec, KeySpec>, string>> = {
  ML_DSA_44: NO_ML_DSA,
  ML_DSA_65: NO_ML_DSA,
  ML_DSA_87: NO_ML_DSA,
  ML_KEM_512: NO_ML_KEM,
  ML_KEM_768: NO_ML_KEM,
  ML_KEM_1024: NO_ML_KEM,
  SM2: 'AWS KMS has it in its China Regions only, and PKCS #11 has no standard mechanism for it.',
};

/** Octets of what is hashed or masked by an algorithm's hash: RSAES-OAEP's, and the digests that may be signed. */
const DIGEST_OCTETS: Readonly<Partial<Record<SigningAlgorithm | EncryptionAlgorithm, number>>> = {
  RSAES_OAEP_SHA_1: 20,
  RSAES_OAEP_SHA_256: 32,
  RSASSA_PSS_SHA_256: 32,
  RSASSA_PSS_SHA_384: 48,
  RSASSA_PSS_SHA_512: 64,
  RSASSA_PKCS1_V1_5_SHA_256: 32,
  RSASSA_PKCS1_V1_5_SHA_384: 48,
  RSASSA_PKCS1_V1_5_SHA_512: 64,
  ECDSA_SHA_256: 32,
  ECDSA_SHA_384: 48,
  ECDSA_SHA_512: 64,
  ED25519_PH_SHA_512: 64,
};

/** Octets of the digest that an algorithm signs; undefined where it signs no digest that a caller may have made. */
export function signedDigestOctets(algorithm: SigningAlgorithm): number | undefined {
  return DIGEST_OCTETS[algorithm];
}

/**
 * Longest plaintext of RSAES-OAEP, octets.
 *
 * @source RFC 8017 section 7.1.1: k − 2·hLen − 2
 */
export function oaepPlaintextOctetsMax(keySpec: KeySpec, algorithm: EncryptionAlgorithm): number {
  const { modulusOctets } = SPECS[keySpec];
  const digestOctets = DIGEST_OCTETS[algorithm];
  if (modulusOctets === undefined || digestOctets === undefined) {
    throw new RangeError(`${keySpec} does not encrypt by ${algorithm}`);
  }
  return modulusOctets - 2 * digestOctets - 2;
}

/** Octets of an RSA ciphertext, which are those of the modulus; undefined for all other specs. */
export function rsaCiphertextOctets(keySpec: KeySpec): number | undefined {
  return SPECS[keySpec].modulusOctets;
}

/** Whether keys of a spec have a public half. */
export function isAsymmetric(keySpec: KeySpec): boolean {
  return SPECS[keySpec].isAsymmetric;
}

/** The lists of algorithms of a key, as `DescribeKey` and `GetPublicKey` show them: the one of its usage only. */
export interface AlgorithmLists {
  readonly EncryptionAlgorithms?: readonly EncryptionAlgorithm[];
  readonly SigningAlgorithms?: readonly SigningAlgorithm[];
  readonly MacAlgorithms?: readonly MacAlgorithm[];
  readonly KeyAgreementAlgorithms?: readonly KeyAgreementAlgorithm[];
}

/** Algorithms of a key under the member name of its usage. @source AWS KMS API Reference, KeyMetadata */
export function algorithmLists(keySpec: KeySpec, keyUsage: KeyUsage): AlgorithmLists {
  const { algorithms } = SPECS[keySpec];
  switch (keyUsage) {
    case 'ENCRYPT_DECRYPT':
      return { EncryptionAlgorithms: algorithms.ENCRYPT_DECRYPT ?? [] };
    case 'SIGN_VERIFY':
      return { SigningAlgorithms: algorithms.SIGN_VERIFY ?? [] };
    case 'GENERATE_VERIFY_MAC':
      return { MacAlgorithms: algorithms.GENERATE_VERIFY_MAC ?? [] };
    case 'KEY_AGREEMENT':
      return { KeyAgreementAlgorithms: algorithms.KEY_AGREEMENT ?? [] };
  }
}

/**
 * Checks a requested combination of spec and usage, and that Keyferry makes such keys.
 *
 * @throws {@link KmsError} `ValidationException` for what no AWS KMS key can be, `UnsupportedOperationException` for what
 * Keyferry does not make
 */
export function chooseKeySpec(
  spec: RequestedKeySpec,
  usage: RequestedKeyUsage | undefined,
): { readonly keySpec: KeySpec; readonly keyUsage: KeyUsage } {
  if (usage === undefined && spec !== 'SYMMETRIC_DEFAULT') {
    throw validationError('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.');
  }
  const wanted = usage ?? 'ENCRYPT_DECRYPT';
  if (!isMade(spec)) {
    if (!OTHER_USAGES[spec].includes(wanted)) throw incompatible(spec, wanted);
    throw new KmsError('UnsupportedOperationException', `KeySpec ${spec} is not supported here: ${WHY_NOT_MADE[spec]}`);
  }
  if (!isUsageOf(spec, wanted)) throw incompatible(spec, wanted);
  return { keySpec: spec, keyUsage: wanted };
}

function isMade(spec: RequestedKeySpec): spec is KeySpec {
  return Object.hasOwn(SPECS, spec);
}

function isUsageOf(spec: KeySpec, usage: RequestedKeyUsage): usage is KeyUsage {
  return Object.hasOwn(SPECS[spec].algorithms, usage);
}

function incompatible(spec: RequestedKeySpec, usage: RequestedKeyUsage): KmsError {
  return validationError(`KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
}

/** Operations whose permissions have names of their own. */
const OPERATION_OF: Readonly<Record<string, string>> = { ReEncryptFrom: 'ReEncrypt', ReEncryptTo: 'ReEncrypt' };

/** What an operation wants to do with a key. */
export interface AlgorithmUse<Usage extends KeyUsage> {
  readonly usage: Usage;
  /** Permission without `kms:`. */
  readonly operation: string;
  readonly algorithm: AlgorithmsByUsage[Usage];
}

/**
 * Checks that a key is made for what an operation does, and by the algorithm that is asked for.
 *
 * @returns the algorithm
 * @throws {@link KmsError} `InvalidKeyUsageException`
 */
export function requireAlgorithm<Usage extends KeyUsage>(
  key: { readonly arn: string; readonly keySpec: KeySpec; readonly keyUsage: KeyUsage },
  use: AlgorithmUse<Usage>,
): AlgorithmsByUsage[Usage] {
  if (key.keyUsage !== use.usage) {
    throw new KmsError(
      'InvalidKeyUsageException',
      `${key.arn} key usage is ${key.keyUsage} which is not valid for ${OPERATION_OF[use.operation] ?? use.operation}.`,
    );
  }
  const admitted: readonly string[] = SPECS[key.keySpec].algorithms[use.usage] ?? [];
  if (!admitted.includes(use.algorithm)) {
    throw new KmsError(
      'InvalidKeyUsageException',
      `Algorithm ${use.algorithm} is incompatible with key spec ${key.keySpec}.`,
    );
  }
  return use.algorithm;
}
