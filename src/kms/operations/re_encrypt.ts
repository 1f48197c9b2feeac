import { HsmError } from '../../hsm/errors.js';
import { plaintextOctets } from '../../wire/ciphertext_blob.js';
import { findDecryptingKey, findNamedDecryptingKey } from '../ciphertext_key.js';
import { ignoresCiphertext, requireMember, type DryRunModifier } from '../dry_run.js';
import { dryRunSucceeded } from '../errors.js';
import { awaitDependency } from '../dependency_failure.js';
import { findEncryptingKey, plaintextTooLong, requireFitting } from '../encrypting_key.js';
import { isNamedBy } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import type { EncryptionAlgorithm } from '../key_spec.js';
import type { EncryptionContext } from '../ports.js';
import type { Operation } from '../region.js';

export interface ReEncryptRequest {
  readonly DestinationKeyId: string;
  /** 1–6,144 octets. */
  readonly CiphertextBlob?: Uint8Array;
  readonly SourceEncryptionContext?: EncryptionContext;
  readonly SourceKeyId?: string;
  readonly DestinationEncryptionContext?: EncryptionContext;
  readonly SourceEncryptionAlgorithm?: EncryptionAlgorithm;
  readonly DestinationEncryptionAlgorithm?: EncryptionAlgorithm;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
  readonly DryRunModifiers?: readonly DryRunModifier[];
}

export interface ReEncryptResponse {
  readonly CiphertextBlob: Uint8Array;
  readonly SourceKeyId: string;
  readonly KeyId: string;
  readonly SourceEncryptionAlgorithm: EncryptionAlgorithm;
  readonly DestinationEncryptionAlgorithm: EncryptionAlgorithm;
  /** Of symmetric keys only. */
  readonly SourceKeyMaterialId?: string;
  /** Of symmetric keys only. */
  readonly DestinationKeyMaterialId?: string;
}

/**
 * Decrypts a blob and encrypts what it holds under another key, in one job of the HSM: the plaintext never comes here.
 *
 * @throws {@link KmsError} for the source as in Decrypt, then for the destination as in Encrypt
 * @source AWS KMS API Reference, ReEncrypt
 */
export const reEncrypt: Operation<ReEncryptRequest, ReEncryptResponse> = async (call, request) => {
  const said = {
    grantTokens: request.GrantTokens,
    algorithm: request.SourceEncryptionAlgorithm,
    context: request.SourceEncryptionContext,
    conditions: (source: KeyRecord) => ({
      'kms:ReEncryptOnSameKey': isNamedBy(call, source, request.DestinationKeyId),
    }),
  };
  const findDestination = (sourceArn: string) =>
    findEncryptingKey(call, 'ReEncryptTo', {
      keyId: request.DestinationKeyId,
      grantTokens: request.GrantTokens,
      algorithm: request.DestinationEncryptionAlgorithm,
      context: request.DestinationEncryptionContext,
      conditions: (destination: KeyRecord) => ({ 'kms:ReEncryptOnSameKey': destination.arn === sourceArn }),
    });
  if (ignoresCiphertext(request)) {
    const source = findNamedDecryptingKey(call, 'ReEncryptFrom', {
      ...said,
      keyId: requireMember(request.SourceKeyId, 'sourceKeyId'),
    });
    findDestination(source.arn);
    throw dryRunSucceeded();
  }
  const blob = requireMember(request.CiphertextBlob, 'ciphertextBlob');
  const source = findDecryptingKey(call, 'ReEncryptFrom', { ...said, blob, keyId: request.SourceKeyId });
  const destination = findDestination(source.arn);
  if (source.algorithm === 'SYMMETRIC_DEFAULT') requireFitting(destination, plaintextOctets(blob));
  const again = await awaitDependency(
    'key',
    call.region.hsm
      .reEncrypt(
        {
          material: source.material,
          algorithm: source.algorithm,
          context: request.SourceEncryptionContext ?? {},
          blob,
        },
        {
          material: destination.material,
          algorithm: destination.algorithm,
          context: request.DestinationEncryptionContext ?? {},
        },
      )
      .catch((error: unknown) => {
        const isTooLong = error instanceof HsmError && error.code === 'ERR_HSM_TOO_LONG';
        throw isTooLong ? plaintextTooLong(destination) : error;
      }),
  );
  if (request.DryRun === true) throw dryRunSucceeded();
  return {
    CiphertextBlob: again,
    SourceKeyId: source.arn,
    KeyId: destination.arn,
    SourceEncryptionAlgorithm: source.algorithm,
    DestinationEncryptionAlgorithm: destination.algorithm,
    ...(source.algorithm === 'SYMMETRIC_DEFAULT' && { SourceKeyMaterialId: source.material.binding.materialId }),
    ...(destination.algorithm === 'SYMMETRIC_DEFAULT' && {
      DestinationKeyMaterialId: destination.material.binding.materialId,
    }),
  };
};
