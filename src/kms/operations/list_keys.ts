import { authorizeAccount } from '../authorization.js';
import { keyArn } from '../key_id.js';
import { decodeMarker, encodeMarker } from '../pagination.js';
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
  const after = request.Marker === undefined ? '' : decodeMarker(request.Marker);
  const found = store.keyIds({ after, limit: limit + 1 });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const more = found.length > limit && last !== undefined;
  return {
    Keys: page.map((keyId) => ({ KeyId: keyId, KeyArn: keyArn(home, keyId) })),
    Truncated: more,
    ...(more && { NextMarker: encodeMarker(last) }),
  };
};
