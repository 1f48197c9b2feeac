import { LIMITS } from '../../limits.js';
import { authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import { rotationInProgress, type MaterialVersion } from '../material_version.js';
import type { Call, Operation } from '../region.js';
import {
  beginRotation,
  finishRotation,
  makeRotationMaterial,
  requirePrimary,
  requireRotatableSpec,
} from '../rotation.js';
import { isFull, isImminent } from '../rotation_schedule.js';

export interface RotateKeyOnDemandRequest {
  readonly KeyId: string;
}

export interface RotateKeyOnDemandResponse {
  readonly KeyId: string;
}

/**
 * Gives a symmetric encryption key new current material: fresh material of the token, or for an imported key the material that
 * was imported for the purpose. What the former material encrypted, it still decrypts. A key with replicas is rotated when all of
 * them have the material; the answer does not wait for that.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for other keys and for replicas; `LimitExceededException`;
 * `ConflictException` while a rotation is in progress or about to come; `KMSInvalidStateException` where no imported material waits
 * @source AWS KMS API Reference, RotateKeyOnDemand
 */
export const rotateKeyOnDemand: Operation<RotateKeyOnDemandRequest, RotateKeyOnDemandResponse> = async (
  call,
  request,
) => {
  const { region } = call;
  const record = findRotatable(call, request.KeyId);
  const made = record.origin === 'AWS_KMS' ? await makeRotationMaterial(region, record) : undefined;
  const { arn, materialId } = region.store.transaction(() => {
    const now = findRotatable(call, request.KeyId);
    if (made !== undefined) {
      beginRotation(region, now, { material: made, type: 'ON_DEMAND' });
      return { arn: now.arn, materialId: made.binding.materialId };
    }
    const versions = region.materials.versions(now.keyId);
    const waiting = waitingVersion(now, versions);
    finishRotation(region, now, { versions, waiting, type: 'ON_DEMAND' });
    return { arn: now.arn, materialId: waiting.materialId };
  });
  call.note?.({ keyArn: arn, keyMaterialId: materialId });
  region.deadlines.changed();
  region.replicator.wake();
  return { KeyId: arn };
};

function findRotatable(call: Call, keyId: string): KeyRecord {
  const { materials, rotations, clock } = call.region;
  const record = findKey(call, keyId, 'key');
  authorizeKey(call, 'RotateKeyOnDemand', record);
  requireRotatableSpec(record);
  requireState('rotate', record.state, record.arn);
  requirePrimary(record);
  const versions = materials.versions(record.keyId);
  const { length: rotationCount } = versions.filter(({ rotationType }) => rotationType === 'ON_DEMAND');
  if (
    rotationCount >= LIMITS.kmsOnDemandRotationsMax ||
    (record.origin === 'AWS_KMS' && isFull(record, versions.length))
  ) {
    throw new KmsError(
      'LimitExceededException',
      `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${record.arn}`,
    );
  }
  if (rotationInProgress(versions) !== undefined) {
    throw new KmsError('ConflictException', `A rotation of ${record.arn} is in progress.`);
  }
  if (isImminent(rotations.setting(record.keyId), clock.nowMs())) {
    throw new KmsError(
      'ConflictException',
      `An automatic rotation of ${record.arn} is in progress or scheduled within the next 20 minutes.`,
    );
  }
  return record;
}

function waitingVersion(record: KeyRecord, versions: readonly MaterialVersion[]): MaterialVersion {
  const waiting = versions.find(({ state }) => state === 'PENDING_ROTATION');
  if (waiting?.material === undefined || waiting.material === null) {
    throw new KmsError(
      'KMSInvalidStateException',
      `No available key material pending rotation for the key: ${record.arn}.`,
    );
  }
  return waiting;
}
