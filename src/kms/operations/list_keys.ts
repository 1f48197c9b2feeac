import { authorizeAccount } from '../authorization.js';
import { isKeyId, keyArn } from '../key_id.js';
import { pageOf, readMarker } from '../pagination.js';
import type { Operation } from '../region.js';

export interface ListKeysRequest {
  /** 1–1000; 100 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

export interface ListKeysResponse {
  readonly Keys: readonly { readonly KeyId: string; readonly KeyArn: string }[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * Lists the keys of the region in the order of their ids, page by page.
 *
 * @throws {@link KmsError} `InvalidMarkerException`
 * @source AWS KMS API Reference, ListKeys
 */
export const listKeys: Operation<ListKeysRequest, ListKeysResponse> = async (call, request) => {
  authorizeAccount(call, 'ListKeys');
  const { home, store } = call.region;
  const limit = request.Limit ?? 100;
  const after = readMarker(request.Marker, isKeyId) ?? '';
  const { page, ...end } = pageOf(store.keyIds({ after, limit: limit + 1 }), limit, (keyId) => keyId);
  return { Keys: page.map((keyId) => ({ KeyId: keyId, KeyArn: keyArn(home, keyId) })), ...end };
};
