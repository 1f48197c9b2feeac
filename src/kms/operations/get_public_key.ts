import { authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import { algorithmLists, isAsymmetric, type AlgorithmLists } from '../key_spec.js';
import { requireState } from '../key_state.js';
import type { Operation } from '../region.js';

export interface GetPublicKeyRequest {
  readonly KeyId: string;
  readonly GrantTokens?: readonly string[];
}

export interface GetPublicKeyResponse extends AlgorithmLists {
  readonly KeyId: string;
  /** DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array;
  readonly CustomerMasterKeySpec: string;
  readonly KeySpec: string;
  readonly KeyUsage: string;
}

/**
 * Answers the public half of an asymmetric key, also of one that is disabled or whose imported material is missing.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for keys without a public half; `KMSInvalidStateException`
 * @source AWS KMS API Reference, GetPublicKey
 */
export const getPublicKey: Operation<GetPublicKeyRequest, GetPublicKeyResponse> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key-or-alias');
  authorizeKey(call, 'GetPublicKey', record, { grantTokens: request.GrantTokens, requestedKeyId: request.KeyId });
  if (!isAsymmetric(record.keySpec)) {
    throw new KmsError(
      'UnsupportedOperationException',
      `${record.arn} key spec is ${record.keySpec} which is not valid for GetPublicKey.`,
    );
  }
  requireState('publicKey', record.state, record.arn);
  const publicKey = record.imported?.publicKey ?? record.currentMaterial?.publicKey ?? null;
  if (publicKey === null) {
    // Nothing was imported yet.
    requireState('use', record.state, record.arn);
    throw new Error(`key ${record.keyId} is ${record.state} and has no public half`);
  }
  return {
    KeyId: record.arn,
    PublicKey: publicKey,
    CustomerMasterKeySpec: record.keySpec,
    KeySpec: record.keySpec,
    KeyUsage: record.keyUsage,
    ...algorithmLists(record.keySpec, record.keyUsage),
  };
};
