import { validationError, type KmsError } from './errors.js';
import { requireNoContext } from './ciphertext_key.js';
import { findUsableKey, type KeyRequest, type UsableKey } from './key_lookup.js';
import { oaepPlaintextOctetsMax, type EncryptionAlgorithm } from './key_spec.js';
import type { EncryptionContext } from './ports.js';
import type { Call } from './region.js';

/** A key that is ready to encrypt. */
export type EncryptingKey = UsableKey<EncryptionAlgorithm>;

/** What a request says about the key that is to encrypt. */
export interface EncryptingRequest extends KeyRequest {
  /** Absent is `SYMMETRIC_DEFAULT`. */
  readonly algorithm: EncryptionAlgorithm | undefined;
  readonly context: EncryptionContext | undefined;
}

/**
 * Finds a key that is to encrypt: lookup, authorisation, state, usage, algorithm, in this order.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} as each check says; `ValidationException` for an encryption context with an asymmetric key
 */
export function findEncryptingKey(call: Call, operation: string, request: EncryptingRequest): EncryptingKey {
  const algorithm = request.algorithm ?? 'SYMMETRIC_DEFAULT';
  const key = findUsableKey(call, { usage: 'ENCRYPT_DECRYPT', operation, algorithm }, request);
  requireNoContext(key, request.context);
  return key;
}

/**
 * Checks that an RSA key can encrypt so many octets at once.
 *
 * @throws {@link KmsError} `ValidationException`
 * @source AWS KMS API Reference, Encrypt: maximum size by algorithm
 */
export function requireFitting(key: EncryptingKey, octets: number): void {
  if (key.keySpec === 'SYMMETRIC_DEFAULT') return;
  if (octets > oaepPlaintextOctetsMax(key.keySpec, key.algorithm)) throw plaintextTooLong(key);
}

/** The answer where an RSA key cannot encrypt so many octets at once, the request's or those of another ciphertext. */
export function plaintextTooLong({ keySpec, algorithm }: EncryptingKey): KmsError {
  const octetsMax = oaepPlaintextOctetsMax(keySpec, algorithm);
  return validationError(
    `Algorithm ${algorithm} and key spec ${keySpec} cannot encrypt data larger than ${octetsMax} bytes.`,
  );
}
