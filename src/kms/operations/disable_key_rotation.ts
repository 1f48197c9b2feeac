import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { synchronizeReplicas } from '../multi_region_sync.js';
import type { Operation } from '../region.js';
import { requireSchedulable } from './enable_key_rotation.js';

export interface DisableKeyRotationRequest {
  readonly KeyId: string;
}

/**
 * Ends the automatic rotation of a key; a rotation that is in progress is not cancelled. Does nothing where there is none.
 *
 * @throws {@link KmsError} as EnableKeyRotation does
 * @source AWS KMS API Reference, DisableKeyRotation
 */
export const disableKeyRotation: Operation<DisableKeyRotationRequest, object> = async (call, request) => {
  const { region } = call;
  region.store.transaction(() => {
    const record = findKey(call, request.KeyId, 'key');
    authorizeKey(call, 'DisableKeyRotation', record);
    requireSchedulable(record);
    if (region.rotations.setting(record.keyId) === undefined) return;
    region.rotations.removeSetting(record.keyId);
    synchronizeReplicas(region, record);
  });
  region.deadlines.changed();
  region.replicator.wake();
  return {};
};
