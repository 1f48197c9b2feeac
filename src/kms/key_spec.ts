import type { KeySpec, KeyUsage } from '../hsm/material.js';
import { KmsError, validationError } from './errors.js';

/** Every key spec of the AWS KMS model, in the model's order. */
export const KEY_SPECS = [
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

const RSA: readonly RequestedKeyUsage[] = ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'];
const NIST_CURVE: readonly RequestedKeyUsage[] = ['SIGN_VERIFY', 'KEY_AGREEMENT'];
const SIGNING: readonly RequestedKeyUsage[] = ['SIGN_VERIFY'];
const MAC: readonly RequestedKeyUsage[] = ['GENERATE_VERIFY_MAC'];
const ENCAPSULATION: readonly RequestedKeyUsage[] = ['ENCAPSULATE_DECAPSULATE'];

/** Which usages each spec admits. @source AWS KMS Developer Guide, "Key spec reference" */
const USAGES: Readonly<Record<RequestedKeySpec, readonly RequestedKeyUsage[]>> = {
  SYMMETRIC_DEFAULT: ['ENCRYPT_DECRYPT'],
  HMAC_224: MAC,
  HMAC_256: MAC,
  HMAC_384: MAC,
  HMAC_512: MAC,
  RSA_2048: RSA,
  RSA_3072: RSA,
  RSA_4096: RSA,
  ECC_NIST_P256: NIST_CURVE,
  ECC_NIST_P384: NIST_CURVE,
  ECC_NIST_P521: NIST_CURVE,
  ECC_SECG_P256K1: SIGNING,
  ECC_NIST_EDWARDS25519: SIGNING,
  ML_DSA_44: SIGNING,
  ML_DSA_65: SIGNING,
  ML_DSA_87: SIGNING,
  ML_KEM_512: ENCAPSULATION,
  ML_KEM_768: ENCAPSULATION,
  ML_KEM_1024: ENCAPSULATION,
  SM2: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'KEY_AGREEMENT'],
};

/** Algorithms by the specs that Keyferry makes; what `EncryptionAlgorithms` lists. */
const ALGORITHMS: Readonly<Record<KeySpec, readonly EncryptionAlgorithm[]>> = {
  SYMMETRIC_DEFAULT: ['SYMMETRIC_DEFAULT'],
};

/** Encryption algorithms of a key, as `DescribeKey` lists them. */
export function encryptionAlgorithms(keySpec: KeySpec): readonly EncryptionAlgorithm[] {
  return ALGORITHMS[keySpec];
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
  if (usage !== undefined && !USAGES[spec].includes(usage)) {
    throw validationError(`KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
  }
  if (spec !== 'SYMMETRIC_DEFAULT') {
    throw new KmsError('UnsupportedOperationException', `KeySpec ${spec} is not supported here.`);
  }
  return { keySpec: spec, keyUsage: 'ENCRYPT_DECRYPT' };
}

/**
 * Checks that a key can be used with an algorithm; none is the symmetric one.
 *
 * @throws {@link KmsError} `InvalidKeyUsageException`
 */
export function requireAlgorithm(keySpec: KeySpec, algorithm: EncryptionAlgorithm | undefined): EncryptionAlgorithm {
  const chosen = algorithm ?? 'SYMMETRIC_DEFAULT';
  if (!ALGORITHMS[keySpec].includes(chosen)) {
    throw new KmsError('InvalidKeyUsageException', `Algorithm ${chosen} is incompatible with key spec ${keySpec}.`);
  }
  return chosen;
}
