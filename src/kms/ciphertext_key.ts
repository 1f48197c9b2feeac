import type { StoredMaterial } from '../hsm/material.js';
import { parseCiphertextBlob } from '../wire/ciphertext_blob.js';
import { authorizeKey } from './authorization.js';
import { ciphertextKeyInaccessible, incorrectKey, invalidCiphertext, KmsError } from './errors.js';
import { findKey, requireUsable } from './key_lookup.js';
import { requireAlgorithm, type EncryptionAlgorithm } from './key_spec.js';
import type { KeyRecord } from './key_record.js';
import type { Call } from './region.js';

/** The key that a blob was made with. */
export interface DecryptingKey {
  readonly arn: string;
  readonly material: StoredMaterial;
  readonly algorithm: EncryptionAlgorithm;
}

/** What a request says about the blob that it wants decrypted. */
export interface CiphertextRequest {
  readonly blob: Uint8Array;
  readonly keyId: string | undefined;
  readonly grantTokens: readonly string[] | undefined;
  readonly algorithm: EncryptionAlgorithm | undefined;
}

/**
 * Finds the key of a ciphertext blob: by the key material id that the blob names, and by `KeyId` where the caller gives one.
 *
 * A caller who names no key learns nothing about keys that it may not use: unknown and forbidden are one answer.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} `InvalidCiphertextException` for what is no blob; `AccessDeniedException` for an unknown key;
 * `IncorrectKeyException` where `KeyId` names another key; then state and usage
 * @source AWS KMS API Reference, Decrypt
 */
export function findDecryptingKey(call: Call, operation: string, request: CiphertextRequest): DecryptingKey {
  const named = request.keyId === undefined ? undefined : findKey(call, request.keyId, 'key-or-alias');
  if (named !== undefined) authorizeKey(call, operation, named, request.grantTokens);
  const blob = parseCiphertextBlob(request.blob);
  if (blob === null) throw invalidCiphertext();
  const found = call.region.store.keyOfMaterial(blob.materialId);
  if (named !== undefined) {
    if (found?.record.keyId !== named.keyId) throw incorrectKey();
  } else {
    if (found === undefined) throw ciphertextKeyInaccessible();
    authorizeUnnamed(call, operation, found.record, request.grantTokens);
  }
  requireUsable(found.record);
  return {
    arn: found.record.arn,
    material: found.material,
    algorithm: requireAlgorithm(found.record.keySpec, request.algorithm),
  };
}

/** Checks that a named key may decrypt, without a blob: a dry run that ignores the ciphertext. */
export function findNamedDecryptingKey(
  call: Call,
  operation: string,
  request: Omit<CiphertextRequest, 'blob' | 'keyId'> & { readonly keyId: string },
): DecryptingKey {
  const record = findKey(call, request.keyId, 'key-or-alias');
  authorizeKey(call, operation, record, request.grantTokens);
  const material = requireUsable(record);
  return { arn: record.arn, material, algorithm: requireAlgorithm(record.keySpec, request.algorithm) };
}

function authorizeUnnamed(
  call: Call,
  operation: string,
  record: KeyRecord,
  grantTokens: readonly string[] | undefined,
): void {
  try {
    authorizeKey(call, operation, record, grantTokens);
  } catch (error) {
    if (error instanceof KmsError && error.code === 'AccessDeniedException') throw ciphertextKeyInaccessible();
    throw error;
  }
}
