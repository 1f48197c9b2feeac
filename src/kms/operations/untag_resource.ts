import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface UntagResourceRequest {
  readonly KeyId: string;
  readonly TagKeys: readonly string[];
}

/**
 * Takes tags from a key. Tags that it does not have are passed over.
 *
 * @throws {@link KmsError} lookup, authorisation, state, in this order
 * @source AWS KMS API Reference, UntagResource
 */
export const untagResource: Operation<UntagResourceRequest, NoOutput> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'UntagResource', record, { conditions: { 'aws:TagKeys': request.TagKeys } });
  requireState('annotate', record.state, record.arn);
  call.region.store.removeTags(record.keyId, request.TagKeys);
  return NO_OUTPUT;
};
