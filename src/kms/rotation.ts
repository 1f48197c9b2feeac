import { randomUUID } from 'node:crypto';
import type { StoredMaterial } from '../hsm/material.js';
import { awaitDependency } from './dependency_failure.js';
import { KmsError } from './errors.js';
import type { KeyRecord } from './key_record.js';
import { rotated } from './material_change.js';
import { rotationInProgress, type MaterialVersion, type RotationType } from './material_version.js';
import { synchronizeReplicas } from './multi_region_sync.js';
import type { KmsRegion } from './region.js';

/** What rotations work on. */
export type RotatingRegion = Pick<KmsRegion, 'store' | 'materials' | 'hsm' | 'clock' | 'replicator'>;

/** Refuses keys whose material is never rotated. The real service sends this without a text. */
export function requireRotatableSpec(record: Pick<KeyRecord, 'keySpec'>): void {
  if (record.keySpec !== 'SYMMETRIC_DEFAULT') throw new KmsError('UnsupportedOperationException', '');
}

/** Refuses replicas: what is shared is changed at the primary. */
export function requirePrimary(record: Pick<KeyRecord, 'arn' | 'multiRegion'>): void {
  if (record.multiRegion?.type !== 'REPLICA') return;
  throw new KmsError('UnsupportedOperationException', `${record.arn} is not a multi-region primary key.`);
}

/** Fresh material of the token for a key of origin `AWS_KMS`, in no database yet. */
export function makeRotationMaterial(region: Pick<KmsRegion, 'hsm'>, record: KeyRecord): Promise<StoredMaterial> {
  const { keyId, keySpec, keyUsage, dataSuite } = record;
  const multiRegion = record.multiRegion !== null;
  return awaitDependency('service', region.hsm.createMaterial({ keyId, keySpec, keyUsage, multiRegion, dataSuite }));
}

/**
 * Begins the rotation of a key of origin `AWS_KMS`. Without replicas it is done at once. With replicas the material waits, and
 * nobody encrypts with it, until the primary knows that every one of them has it. Call inside a transaction in which no rotation
 * of the key is in progress, and `replicator.wake()` after it.
 *
 * @source AWS KMS Developer Guide, "Rotate AWS KMS keys": multi-Region keys
 */
export function beginRotation(
  region: RotatingRegion,
  record: KeyRecord,
  { material, type }: { readonly material: StoredMaterial; readonly type: RotationType },
): void {
  const { materials, clock } = region;
  const versions = materials.versions(record.keyId);
  const waiting: MaterialVersion = {
    materialId: material.binding.materialId,
    index: versions.length,
    state: 'PENDING_ROTATION',
    createdMs: clock.nowMs(),
    rotatedMs: null,
    rotationType: type,
    description: null,
    expirationModel: null,
    validToMs: null,
    publicKey: material.publicKey,
    material,
  };
  if ((record.multiRegion?.replicaRegions.length ?? 0) === 0) {
    finishRotation(region, record, { versions, waiting, type });
    return;
  }
  materials.putVersion(record.keyId, waiting);
  synchronizeReplicas(region, record);
}

/**
 * Makes waiting material current, tells the replicas, and keeps the event that tells of it. Call inside the transaction that has
 * made sure that every region has the material, and `replicator.wake()` after it.
 */
export function finishRotation(
  region: RotatingRegion,
  record: KeyRecord,
  rotation: {
    readonly versions: readonly MaterialVersion[];
    readonly waiting: MaterialVersion;
    readonly type: RotationType;
  },
): void {
  const { materials, clock } = region;
  const { versions, waiting, type } = rotation;
  const nowMs = clock.nowMs();
  // Two versions are never CURRENT at once: the old one steps down first.
  for (const version of rotated(versions, waiting, { type, nowMs })) materials.putVersion(record.keyId, version);
  synchronizeReplicas(region, record);
  materials.putEvent({
    eventId: randomUUID(),
    atMs: nowMs,
    name: 'RotateKey',
    keyArn: record.arn,
    details: {
      keyId: record.keyId,
      rotationType: type,
      keyOrigin: record.origin,
      previousKeyMaterialId: versions.find(({ state }) => state === 'CURRENT')?.materialId ?? '',
      currentKeyMaterialId: waiting.materialId,
    },
  });
}

/** Ends a rotation whose material every replica has by now; does nothing where that is not so. A transaction of its own. */
export function settleRotation(region: RotatingRegion, keyId: KeyRecord['keyId']): void {
  const { store, materials } = region;
  store.transaction(() => {
    const record = store.key(keyId);
    const versions = materials.versions(keyId);
    const waiting = rotationInProgress(versions);
    if (record === undefined || record.multiRegion?.type === 'REPLICA') return;
    if (waiting === undefined || waiting.rotationType === null) return;
    const having = new Set(materials.replicasWithMaterial(keyId, waiting.materialId));
    if (record.multiRegion?.replicaRegions.some((region_) => !having.has(region_)) === true) return;
    finishRotation(region, record, { versions, waiting, type: waiting.rotationType });
  });
}
