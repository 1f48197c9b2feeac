import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface UpdateKeyDescriptionRequest {
  readonly KeyId: string;
  /** 0–8192 characters. */
  readonly Description: string;
}

/**
 * Replaces a key's description. Of a multi-Region key each has its own.
 *
 * @throws {@link KmsError} lookup, authorisation, state, in this order
 * @source AWS KMS API Reference, UpdateKeyDescription
 */
export const updateKeyDescription: Operation<UpdateKeyDescriptionRequest, NoOutput> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'UpdateKeyDescription', record);
  requireState('annotate', record.state, record.arn);
  call.region.store.setDescription(record.keyId, request.Description);
  return NO_OUTPUT;
};
