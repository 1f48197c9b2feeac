import { findDecryptingKey, findNamedDecryptingKey } from '../ciphertext_key.js';
import { ignoresCiphertext, requireMember, type DryRunModifier } from '../dry_run.js';
import { dryRunSucceeded } from '../errors.js';
import { awaitDependency } from '../dependency_failure.js';
import type { EncryptionAlgorithm } from '../key_spec.js';
import type { EncryptionContext } from '../ports.js';
import { refuseRecipient, type Recipient } from '../recipient.js';
import type { Operation } from '../region.js';

export interface DecryptRequest {
  /** 1–6,144 octets. */
  readonly CiphertextBlob?: Uint8Array;
  readonly EncryptionContext?: EncryptionContext;
  readonly GrantTokens?: readonly string[];
  readonly KeyId?: string;
  readonly EncryptionAlgorithm?: EncryptionAlgorithm;
  readonly Recipient?: Recipient;
  readonly DryRun?: boolean;
  readonly DryRunModifiers?: readonly DryRunModifier[];
}

export interface DecryptResponse {
  readonly KeyId: string;
  readonly Plaintext: Uint8Array;
  readonly EncryptionAlgorithm: EncryptionAlgorithm;
  /** Of symmetric keys only. */
  readonly KeyMaterialId?: string;
}

/**
 * Decrypts a blob with the key that it names, or an RSA ciphertext with the key that the caller names.
 *
 * @throws {@link KmsError} as {@link findDecryptingKey}; `InvalidCiphertextException` for every failure of the decryption
 * itself; `DryRunOperationException` for a dry run of what would have succeeded
 * @source AWS KMS API Reference, Decrypt
 */
export const decrypt: Operation<DecryptRequest, DecryptResponse> = async (call, request) => {
  refuseRecipient(request.Recipient);
  const said = {
    grantTokens: request.GrantTokens,
    algorithm: request.EncryptionAlgorithm,
    context: request.EncryptionContext,
  };
  if (ignoresCiphertext(request)) {
    findNamedDecryptingKey(call, 'Decrypt', { ...said, keyId: requireMember(request.KeyId, 'keyId') });
    throw dryRunSucceeded();
  }
  const blob = requireMember(request.CiphertextBlob, 'ciphertextBlob');
  const key = findDecryptingKey(call, 'Decrypt', { ...said, blob, keyId: request.KeyId });
  const { hsm } = call.region;
  const isSymmetric = key.algorithm === 'SYMMETRIC_DEFAULT';
  const plaintext = await awaitDependency(
    'key',
    isSymmetric
      ? hsm.decrypt(key.material, request.EncryptionContext ?? {}, blob)
      : hsm.decryptRsa(key.material, key.algorithm, blob),
  );
  if (request.DryRun === true) {
    plaintext.fill(0);
    throw dryRunSucceeded();
  }
  return {
    KeyId: key.arn,
    Plaintext: plaintext,
    EncryptionAlgorithm: key.algorithm,
    ...(isSymmetric && { KeyMaterialId: key.material.binding.materialId }),
  };
};
