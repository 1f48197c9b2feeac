import type { KeySpec } from '../hsm/material.js';
import { LIMITS } from '../limits.js';
import { KmsError, validationError } from './errors.js';
import type { ExpirationModel } from './key_record.js';
import type { ImportWrappingAlgorithm, StoredImportKey } from './ports.js';

/** Every wrapping algorithm of the AWS KMS model. */
export const WRAPPING_ALGORITHMS = [
  'RSAES_PKCS1_V1_5',
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
  'SM2PKE',
] as const;
export type RequestedWrappingAlgorithm = (typeof WRAPPING_ALGORITHMS)[number];

/** Every wrapping key spec of the AWS KMS model. */
export const WRAPPING_KEY_SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096', 'SM2'] as const;
export type RequestedWrappingKeySpec = (typeof WRAPPING_KEY_SPECS)[number];

export const IMPORT_TYPES = ['NEW_KEY_MATERIAL', 'EXISTING_KEY_MATERIAL'] as const;
export type ImportType = (typeof IMPORT_TYPES)[number];

export const EXPIRATION_MODELS = [
  'KEY_MATERIAL_EXPIRES',
  'KEY_MATERIAL_DOES_NOT_EXPIRE',
] as const satisfies readonly ExpirationModel[];

const OAEP: readonly ImportWrappingAlgorithm[] = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'];
const KEY_WRAP: readonly ImportWrappingAlgorithm[] = ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'];
const EITHER: readonly ImportWrappingAlgorithm[] = [...OAEP, ...KEY_WRAP];

/** @source AWS KMS Developer Guide, "Importing key material step 2: Select a wrapping algorithm" */
const ALGORITHMS: Readonly<Record<KeySpec, readonly ImportWrappingAlgorithm[]>> = {
  SYMMETRIC_DEFAULT: OAEP,
  HMAC_224: OAEP,
  HMAC_256: OAEP,
  HMAC_384: OAEP,
  HMAC_512: OAEP,
  RSA_2048: KEY_WRAP,
  RSA_3072: KEY_WRAP,
  RSA_4096: KEY_WRAP,
  ECC_NIST_P256: EITHER,
  ECC_NIST_P384: EITHER,
  ECC_NIST_P521: EITHER,
  ECC_SECG_P256K1: EITHER,
  ECC_NIST_EDWARDS25519: EITHER,
};

/**
 * Checks that material of a spec may be wrapped so.
 *
 * @throws {@link KmsError} `UnsupportedOperationException`
 */
export function requireWrapping(
  keySpec: KeySpec,
  algorithm: RequestedWrappingAlgorithm,
  wrappingKeySpec: RequestedWrappingKeySpec,
): { readonly algorithm: ImportWrappingAlgorithm; readonly wrappingKeySpec: StoredImportKey['keySpec'] } {
  const found = ALGORITHMS[keySpec].find((candidate) => candidate === algorithm);
  if (found === undefined) {
    throw unsupported(`Wrapping algorithm ${algorithm} cannot be used for key material of key spec ${keySpec}.`);
  }
  if (wrappingKeySpec === 'SM2') throw unsupported('Wrapping key spec SM2 is not supported here.');
  // The PKCS#8 encoding of a P-521 key is longer than what OAEP leaves of 2048 bits.
  if (keySpec === 'ECC_NIST_P521' && wrappingKeySpec === 'RSA_2048' && OAEP.includes(found)) {
    throw unsupported(
      `Wrapping algorithm ${algorithm} with wrapping key spec RSA_2048 cannot be used for key material of key spec ${keySpec}.`,
    );
  }
  return { algorithm: found, wrappingKeySpec };
}

/** When imported material expires. */
export interface Expiration {
  readonly model: ExpirationModel;
  readonly validToMs: number | null;
}

/**
 * Checks the expiration that an import asks for; a request that names no model asks for material that expires.
 *
 * @throws {@link KmsError} `ValidationException`
 * @source AWS KMS API Reference, ImportKeyMaterial
 */
export function requireExpiration(
  request: { readonly ExpirationModel?: ExpirationModel; readonly ValidTo?: Date },
  nowMs: number,
): Expiration {
  const model = request.ExpirationModel ?? 'KEY_MATERIAL_EXPIRES';
  const validToMs = request.ValidTo?.getTime() ?? null;
  if (model === 'KEY_MATERIAL_DOES_NOT_EXPIRE') {
    if (validToMs !== null) {
      throw validationError('A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE');
    }
    return { model, validToMs };
  }
  if (validToMs === null) {
    throw validationError('A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES');
  }
  if (!(validToMs > nowMs)) throw validationError('ValidTo must be in the future');
  if (validToMs > nowMs + LIMITS.kmsImportValidityMsMax) {
    throw validationError('ValidTo must be at most 365 days from now');
  }
  return { model, validToMs };
}

function unsupported(message: string): KmsError {
  return new KmsError('UnsupportedOperationException', message);
}
