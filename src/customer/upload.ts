import { CeremonyError } from './errors.js';
import { expirationMembers, type Expiration } from './expiration.js';
import type { KmsEndpoint } from './kms_endpoint.js';
import { issuedMs, type ImportParameters } from './parameters.js';
import { requireWrappedOctets } from './rules.js';

export const IMPORT_TYPES = ['NEW_KEY_MATERIAL', 'EXISTING_KEY_MATERIAL'] as const;

/** What an import asks of the endpoint besides the material. */
export interface ImportRequest {
  readonly expiration: Expiration;
  readonly importType?: (typeof IMPORT_TYPES)[number] | undefined;
  readonly description?: string | undefined;
  /** Only that very material is taken: 64 hexadecimal digits. */
  readonly keyMaterialId?: string | undefined;
}

/** What the endpoint said about material that it took. */
export interface ImportedMaterial {
  readonly keyId: string;
  /** Null for keys that are not symmetric encryption keys. */
  readonly keyMaterialId: string | null;
  /** When it expires, milliseconds; null where it does not. */
  readonly validToMs: number | null;
}

/**
 * Checks a request against what KMS takes for such a key.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE`
 * @source AWS KMS API Reference, ImportKeyMaterial
 */
export function requireRequest(request: ImportRequest, { keySpec }: Pick<ImportParameters, 'keySpec'>): void {
  const { importType, description, keyMaterialId } = request;
  const isSymmetric = keySpec === 'SYMMETRIC_DEFAULT';
  for (const [member, value] of Object.entries({ importType, description, keyMaterialId })) {
    if (value !== undefined && !isSymmetric)
      throw rule(`${member} is for SYMMETRIC_DEFAULT keys, and this is ${keySpec}`);
  }
  if (description !== undefined && !/^[a-zA-Z0-9:/_\s.-]{1,256}$/u.test(description)) {
    throw rule('A description has at most 256 letters, digits, spaces and :/_.-');
  }
  if (keyMaterialId !== undefined && !/^[a-f0-9]{64}$/u.test(keyMaterialId)) {
    throw rule('A key material id has 64 lower-case hexadecimal digits');
  }
  if (keyMaterialId !== undefined && importType === 'NEW_KEY_MATERIAL') {
    throw rule('A key material id names material that the key has, not NEW_KEY_MATERIAL');
  }
}

/**
 * Uploads wrapped material.
 *
 * @param wrapped - as the parameters' algorithm makes it
 * @throws {@link CeremonyError}
 */
export async function uploadMaterial(
  kms: KmsEndpoint,
  parameters: ImportParameters,
  wrapped: Uint8Array,
  request: ImportRequest,
): Promise<ImportedMaterial> {
  requireRequest(request, parameters);
  requireWrappedOctets(wrapped.length, parameters.wrappingAlgorithm, parameters.wrappingKeySpec);
  const { importType, description, keyMaterialId } = request;
  const expiration = expirationMembers(request.expiration, issuedMs(parameters));
  const answer = await kms.call('ImportKeyMaterial', {
    KeyId: parameters.keyId,
    ImportToken: Buffer.from(parameters.importToken).toString('base64'),
    EncryptedKeyMaterial: Buffer.from(wrapped).toString('base64'),
    ...expiration,
    ...(importType !== undefined && { ImportType: importType }),
    ...(description !== undefined && { KeyMaterialDescription: description }),
    ...(keyMaterialId !== undefined && { KeyMaterialId: keyMaterialId }),
  });
  const id = answer['KeyMaterialId'];
  return {
    keyId: typeof answer['KeyId'] === 'string' ? answer['KeyId'] : parameters.keyId,
    keyMaterialId: typeof id === 'string' && id !== '' ? id : null,
    validToMs: expiration.ValidTo === undefined ? null : expiration.ValidTo * 1000,
  };
}

function rule(message: string): CeremonyError {
  return new CeremonyError('ERR_CEREMONY_RULE', message);
}
