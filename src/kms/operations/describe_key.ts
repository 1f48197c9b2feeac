import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { describeRecord, type KeyMetadata } from '../key_record.js';
import type { Operation } from '../region.js';

export interface DescribeKeyRequest {
  readonly KeyId: string;
  readonly GrantTokens?: readonly string[];
}

export interface DescribeKeyResponse {
  readonly KeyMetadata: KeyMetadata;
}

/**
 * Describes a key, whatever its state.
 *
 * @throws {@link KmsError} `NotFoundException`, `AccessDeniedException`
 * @source AWS KMS API Reference, DescribeKey
 */
export const describeKey: Operation<DescribeKeyRequest, DescribeKeyResponse> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key-or-alias');
  authorizeKey(call, 'DescribeKey', record, { grantTokens: request.GrantTokens, requestedKeyId: request.KeyId });
  return { KeyMetadata: describeRecord(record) };
};
