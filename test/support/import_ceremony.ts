import { createKey, type CreateKeyRequest } from '../../src/kms/operations/create_key.js';
import { getParametersForImport } from '../../src/kms/operations/get_parameters_for_import.js';
import {
  importKeyMaterial,
  type ImportKeyMaterialRequest,
  type ImportKeyMaterialResponse,
} from '../../src/kms/operations/import_key_material.js';
import type { RequestedWrappingKeySpec } from '../../src/kms/import_rules.js';
import type { ImportWrappingAlgorithm } from '../../src/kms/ports.js';
import type { Call } from '../../src/kms/region.js';
import { wrapForImport } from './import_wrapping.js';

/** How a ceremony wraps, and what it asks of the import. */
export interface Ceremony extends Partial<Omit<ImportKeyMaterialRequest, 'KeyId'>> {
  readonly algorithm?: ImportWrappingAlgorithm;
  readonly wrappingKeySpec?: RequestedWrappingKeySpec;
}

/** Makes a key without material; its id. */
export async function makeExternalKey(call: Call, request: CreateKeyRequest = {}): Promise<string> {
  const { KeyMetadata } = await createKey(call, { ...request, Origin: 'EXTERNAL' });
  return KeyMetadata.KeyId;
}

/** Downloads parameters and wraps material under them. */
export async function prepareImport(
  call: Call,
  keyId: string,
  material: Uint8Array,
  ceremony: Ceremony = {},
): Promise<Pick<ImportKeyMaterialRequest, 'ImportToken' | 'EncryptedKeyMaterial'>> {
  const algorithm = ceremony.algorithm ?? 'RSAES_OAEP_SHA_256';
  const { ImportToken, PublicKey } = await getParametersForImport(call, {
    KeyId: keyId,
    WrappingAlgorithm: algorithm,
    WrappingKeySpec: ceremony.wrappingKeySpec ?? 'RSA_2048',
  });
  return { ImportToken, EncryptedKeyMaterial: wrapForImport(algorithm, PublicKey, material) };
}

/** A whole ceremony; the material does not expire unless it is asked to. */
export async function importInto(
  call: Call,
  keyId: string,
  material: Uint8Array,
  ceremony: Ceremony = {},
): Promise<ImportKeyMaterialResponse> {
  const { algorithm: _, wrappingKeySpec: __, ...request } = ceremony;
  const expiration =
    request.ValidTo === undefined ? ({ ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const) : {};
  return importKeyMaterial(call, {
    KeyId: keyId,
    ...expiration,
    ...(await prepareImport(call, keyId, material, ceremony)),
    ...request,
  });
}
