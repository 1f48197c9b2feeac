import { dryRunSucceeded } from '../errors.js';
import { awaitDependency } from '../dependency_failure.js';
import { findEncryptingKey, requireFitting } from '../encrypting_key.js';
import type { EncryptionAlgorithm } from '../key_spec.js';
import type { EncryptionContext } from '../ports.js';
import type { Operation } from '../region.js';

export interface EncryptRequest {
  readonly KeyId: string;
  /** 1–4,096 octets. */
  readonly Plaintext: Uint8Array;
  readonly EncryptionContext?: EncryptionContext;
  readonly GrantTokens?: readonly string[];
  readonly EncryptionAlgorithm?: EncryptionAlgorithm;
  readonly DryRun?: boolean;
}

export interface EncryptResponse {
  readonly CiphertextBlob: Uint8Array;
  readonly KeyId: string;
  readonly EncryptionAlgorithm: EncryptionAlgorithm;
}

/**
 * Encrypts octets under a key's current material, or under the public half of an RSA key.
 *
 * @throws {@link KmsError} lookup, authorisation, state, usage, length, in this order; `DryRunOperationException` last
 * @source AWS KMS API Reference, Encrypt
 */
export const encrypt: Operation<EncryptRequest, EncryptResponse> = async (call, request) => {
  const key = findEncryptingKey(call, 'Encrypt', {
    keyId: request.KeyId,
    grantTokens: request.GrantTokens,
    algorithm: request.EncryptionAlgorithm,
    context: request.EncryptionContext,
  });
  requireFitting(key, request.Plaintext.length);
  if (request.DryRun === true) throw dryRunSucceeded();
  const { hsm } = call.region;
  const blob = await awaitDependency(
    'key',
    key.algorithm === 'SYMMETRIC_DEFAULT'
      ? hsm.encrypt(key.material, request.EncryptionContext ?? {}, request.Plaintext)
      : hsm.encryptRsa(key.material, key.algorithm, request.Plaintext),
  );
  return { CiphertextBlob: blob, KeyId: key.arn, EncryptionAlgorithm: key.algorithm };
};
