import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { pageOf, readMarker } from '../pagination.js';
import type { Operation } from '../region.js';
import type { Tag } from '../tag.js';

/** Tags of one page. @source AWS KMS API Reference, ListResourceTags */
const PAGE_MAX = 50;

export interface ListResourceTagsRequest {
  readonly KeyId: string;
  /** 1–1000, of which 50 are listed at most; 50 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

export interface ListResourceTagsResponse {
  readonly Tags: readonly Tag[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * Lists a key's tags in the order of their tag keys, page by page.
 *
 * @throws {@link KmsError} `NotFoundException`, `InvalidMarkerException`
 * @source AWS KMS API Reference, ListResourceTags
 */
export const listResourceTags: Operation<ListResourceTagsRequest, ListResourceTagsResponse> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'ListResourceTags', record);
  const after = readMarker(request.Marker, (tagKey) => tagKey !== '');
  const found = call.region.store
    .tags(record.keyId)
    .filter(({ TagKey }) => after === undefined || TagKey > after)
    .toSorted((a, b) => (a.TagKey < b.TagKey ? -1 : 1));
  const { page, ...end } = pageOf(found, Math.min(request.Limit ?? PAGE_MAX, PAGE_MAX), ({ TagKey }) => TagKey);
  return { Tags: page.map(({ TagKey, TagValue }) => ({ TagKey, TagValue })), ...end };
};
