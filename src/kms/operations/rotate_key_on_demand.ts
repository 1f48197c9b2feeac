import { randomUUID } from 'node:crypto';
import { LIMITS } from '../../limits.js';
import { authorizeKey } from '../authorization.js';
import { awaitDependency } from '../dependency_failure.js';
import { KmsError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import { rotated } from '../material_change.js';
import type { MaterialVersion } from '../material_version.js';
import { synchronizeReplicas } from '../multi_region_sync.js';
import type { Call, Operation } from '../region.js';

export interface RotateKeyOnDemandRequest {
  readonly KeyId: string;
}

export interface RotateKeyOnDemandResponse {
  readonly KeyId: string;
}

/**
 * Gives a symmetric encryption key new current material: fresh material of the token, or for an imported key the material that
 * was imported for the purpose. What the former material encrypted, it still decrypts.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for other keys and for replicas; `LimitExceededException`;
 * `KMSInvalidStateException` where no imported material waits
 * @source AWS KMS API Reference, RotateKeyOnDemand
 */
export const rotateKeyOnDemand: Operation<RotateKeyOnDemandRequest, RotateKeyOnDemandResponse> = async (
  call,
  request,
) => {
  const { region } = call;
  const record = findRotatable(call, request.KeyId);
  const made = record.origin === 'AWS_KMS' ? await makeVersion(call, record) : undefined;
  const { arn, materialId } = region.store.transaction(() => {
    const now = findRotatable(call, request.KeyId);
    const versions = region.materials.versions(now.keyId);
    const next = made === undefined ? waitingVersion(now, versions) : { ...made, index: versions.length };
    const nowMs = region.clock.nowMs();
    // Two versions are never CURRENT at once: the old one steps down first.
    for (const version of rotated(versions, next, nowMs)) region.materials.putVersion(now.keyId, version);
    if (now.origin === 'EXTERNAL') synchronizeReplicas(region, now);
    region.materials.putEvent({
      eventId: randomUUID(),
      atMs: nowMs,
      name: 'RotateKey',
      keyArn: now.arn,
      details: {
        keyId: now.keyId,
        rotationType: 'ON_DEMAND',
        keyOrigin: now.origin,
        previousKeyMaterialId: versions.find(({ state }) => state === 'CURRENT')?.materialId ?? '',
        currentKeyMaterialId: next.materialId,
      },
    });
    return { arn: now.arn, materialId: next.materialId };
  });
  call.note?.({ keyArn: arn, keyMaterialId: materialId });
  region.deadlines.changed();
  region.replicator.wake();
  return { KeyId: arn };
};

/** Refuses keys whose material is never rotated. The real service sends this without a text. */
export function requireRotatableSpec(record: KeyRecord): void {
  if (record.keySpec !== 'SYMMETRIC_DEFAULT') throw new KmsError('UnsupportedOperationException', '');
}

function findRotatable(call: Call, keyId: string): KeyRecord {
  const record = findKey(call, keyId, 'key');
  authorizeKey(call, 'RotateKeyOnDemand', record);
  requireRotatableSpec(record);
  requireState('rotate', record.state, record.arn);
  const { multiRegion } = record;
  if (multiRegion?.type === 'REPLICA') {
    throw new KmsError('UnsupportedOperationException', `${record.arn} is not a multi-region primary key.`);
  }
  if (record.origin === 'AWS_KMS' && multiRegion !== null && multiRegion.replicaRegions.length > 0) {
    throw new KmsError(
      'UnsupportedOperationException',
      `${record.arn} has replicas: rotation of a multi-Region key across Regions is not supported here.`,
    );
  }
  const rotations = call.region.materials.versions(record.keyId).filter(({ rotatedMs }) => rotatedMs !== null);
  if (rotations.length >= LIMITS.kmsOnDemandRotationsMax) {
    throw new KmsError(
      'LimitExceededException',
      `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${record.arn}`,
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

/** Fresh material of the token, in no database yet. */
async function makeVersion(call: Call, record: KeyRecord): Promise<MaterialVersion> {
  const { region } = call;
  const { keyId, keySpec, keyUsage, dataSuite } = record;
  const material = await awaitDependency(
    'service',
    region.hsm.createMaterial({ keyId, keySpec, keyUsage, multiRegion: record.multiRegion !== null, dataSuite }),
  );
  return {
    materialId: material.binding.materialId,
    index: 0,
    state: 'PENDING_ROTATION',
    createdMs: region.clock.nowMs(),
    rotatedMs: null,
    description: null,
    expirationModel: null,
    validToMs: null,
    publicKey: material.publicKey,
    material,
  };
}
