import { parseCiphertextBlob } from '../wire/ciphertext_blob.js';
import { authorizeKey, type RequestConditions, type RequestFacts } from './authorization.js';
import { ciphertextKeyInaccessible, incorrectKey, invalidCiphertext, KmsError, validationError } from './errors.js';
import { findKey, requireUse, type UsableKey } from './key_lookup.js';
import { rsaCiphertextOctets, type AlgorithmUse, type EncryptionAlgorithm } from './key_spec.js';
import type { KeyRecord } from './key_record.js';
import type { EncryptionContext } from './ports.js';
import type { Call } from './region.js';
import { algorithmConditions } from './request_context.js';

/** The key that a blob was made with. */
export type DecryptingKey = UsableKey<EncryptionAlgorithm>;

/** What a request says about the blob that it wants decrypted. */
export interface CiphertextRequest {
  readonly blob: Uint8Array;
  readonly keyId: string | undefined;
  readonly grantTokens: readonly string[] | undefined;
  /** Absent is `SYMMETRIC_DEFAULT`. */
  readonly algorithm: EncryptionAlgorithm | undefined;
  readonly context: EncryptionContext | undefined;
  /** Condition keys that follow from the request and the key that decrypts. */
  readonly conditions?: (record: KeyRecord) => RequestConditions;
}

/**
 * Finds the key of a ciphertext blob: by the key material id that the blob names, and by `KeyId` where the caller gives one.
 * Ciphertexts of asymmetric keys name no key: `KeyId` does.
 *
 * A caller who names no key learns nothing about keys that it may not use: unknown and forbidden are one answer.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} `InvalidCiphertextException` for what is no blob; `AccessDeniedException` for an unknown key;
 * `IncorrectKeyException` where `KeyId` names another key; then state and usage
 * @source AWS KMS API Reference, Decrypt
 */
export function findDecryptingKey(call: Call, operation: string, request: CiphertextRequest): DecryptingKey {
  const use = decryption(operation, request.algorithm);
  const named = request.keyId === undefined ? undefined : findKey(call, request.keyId, 'key-or-alias');
  if (named !== undefined) {
    authorizeKey(call, operation, named, factsOf(named, use, request));
    if (named.keySpec !== 'SYMMETRIC_DEFAULT') return findAsymmetric(call, named, use, request);
  }
  const blob = parseCiphertextBlob(request.blob);
  if (blob === null) {
    if (named !== undefined || use.algorithm === 'SYMMETRIC_DEFAULT') throw invalidCiphertext();
    throw validationError(`KeyId is required with the algorithm ${use.algorithm}.`);
  }
  const found = call.region.store.keyOfMaterial(blob.materialId);
  if (named !== undefined) {
    if (found?.record.keyId !== named.keyId) throw incorrectKey();
  } else {
    if (found === undefined) throw ciphertextKeyInaccessible();
    authorizeUnnamed(call, operation, found.record, factsOf(found.record, use, request));
  }
  // Material that is not here leaves its key in a state that is refused.
  return requireUse(call, found.record, use, found.material ?? undefined);
}

function findAsymmetric(
  call: Call,
  named: KeyRecord,
  use: AlgorithmUse<'ENCRYPT_DECRYPT'>,
  request: CiphertextRequest,
): DecryptingKey {
  const key = requireUse(call, named, use);
  requireNoContext(key, request.context);
  if (request.blob.length !== rsaCiphertextOctets(key.keySpec)) throw invalidCiphertext();
  return key;
}

/** Checks that a named key may decrypt, without a blob: a dry run that ignores the ciphertext. */
export function findNamedDecryptingKey(
  call: Call,
  operation: string,
  request: Omit<CiphertextRequest, 'blob' | 'keyId'> & { readonly keyId: string },
): DecryptingKey {
  const record = findKey(call, request.keyId, 'key-or-alias');
  const use = decryption(operation, request.algorithm);
  authorizeKey(call, operation, record, factsOf(record, use, request));
  const key = requireUse(call, record, use);
  requireNoContext(key, request.context);
  return key;
}

/**
 * Checks that an asymmetric key is given no encryption context: nothing would authenticate it.
 *
 * @throws {@link KmsError} `ValidationException`
 * @source AWS KMS Developer Guide, "Encryption context": symmetric encryption keys only
 */
export function requireNoContext(key: UsableKey, context: EncryptionContext | undefined): void {
  if (key.keySpec === 'SYMMETRIC_DEFAULT' || context === undefined || Object.keys(context).length === 0) return;
  throw validationError(`An encryption context cannot be used with key spec ${key.keySpec}.`);
}

function decryption(operation: string, algorithm: EncryptionAlgorithm | undefined): AlgorithmUse<'ENCRYPT_DECRYPT'> {
  return { usage: 'ENCRYPT_DECRYPT', operation, algorithm: algorithm ?? 'SYMMETRIC_DEFAULT' };
}

/** What policies and grants may ask about a request to decrypt with a key. */
function factsOf(
  record: KeyRecord,
  use: AlgorithmUse<'ENCRYPT_DECRYPT'>,
  request: Omit<CiphertextRequest, 'blob'>,
): RequestFacts {
  return {
    grantTokens: request.grantTokens,
    encryptionContext: request.context,
    requestedKeyId: request.keyId,
    conditions: { ...algorithmConditions(use), ...request.conditions?.(record) },
  };
}

function authorizeUnnamed(call: Call, operation: string, record: KeyRecord, facts: RequestFacts): void {
  try {
    authorizeKey(call, operation, record, facts);
  } catch (error) {
    if (error instanceof KmsError && error.code === 'AccessDeniedException') throw ciphertextKeyInaccessible();
    throw error;
  }
}
