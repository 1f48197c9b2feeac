import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';
import { tagConditions } from '../request_context.js';
import { requireRoomForTags, requireValidTags, type Tag } from '../tag.js';

export interface TagResourceRequest {
  readonly KeyId: string;
  readonly Tags: readonly Tag[];
}

/**
 * Adds tags to a key, and changes the values of those that it has.
 *
 * @throws {@link KmsError} lookup, authorisation, state, in this order; `TagException`
 * @source AWS KMS API Reference, TagResource
 */
export const tagResource: Operation<TagResourceRequest, NoOutput> = async (call, request) => {
  const { store } = call.region;
  const tags = request.Tags;
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'TagResource', record, { conditions: tagConditions(tags) });
  requireState('annotate', record.state, record.arn);
  requireValidTags(tags);
  requireRoomForTags(store.tags(record.keyId), tags);
  store.putTags(record.keyId, tags);
  return NO_OUTPUT;
};
