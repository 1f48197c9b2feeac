import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { isComplete } from '../material_version.js';
import type { Operation } from '../region.js';

export interface CancelKeyDeletionRequest {
  readonly KeyId: string;
}

export interface CancelKeyDeletionResponse {
  readonly KeyId: string;
}

/**
 * Takes back a scheduled deletion. The key is disabled then; one whose imported material is missing waits for it.
 *
 * @throws {@link KmsError} `KMSInvalidStateException` where none is scheduled
 * @source AWS KMS API Reference, CancelKeyDeletion
 */
export const cancelKeyDeletion: Operation<CancelKeyDeletionRequest, CancelKeyDeletionResponse> = async (
  call,
  request,
) => {
  const { store, materials, deadlines } = call.region;
  const arn = store.transaction(() => {
    const record = findKey(call, request.KeyId, 'key');
    authorizeKey(call, 'CancelKeyDeletion', record);
    requireState('cancel', record.state, record.arn);
    const misses = record.origin === 'EXTERNAL' && !isComplete(materials.versions(record.keyId));
    store.setState(record.keyId, misses ? 'PendingImport' : 'Disabled', null);
    return record.arn;
  });
  deadlines.changed();
  return { KeyId: arn };
};
