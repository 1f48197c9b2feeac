import type { KeyMetadataContext, RotationContext } from '../replication/key_context.js';
import type { KeyRecord } from './key_record.js';
import { isPermanent, rotationInProgress, type MaterialVersion } from './material_version.js';
import type { KmsRegion } from './region.js';
import type { RotationSetting } from './rotation_store.js';

/**
 * The versions of a key that its replicas have to know. Material of a rotation in progress is one of them: it is only carried to
 * where it may be used later. Imported material that waits is told of in another place, and does not travel.
 */
export function sharedVersions(
  record: Pick<KeyRecord, 'origin'>,
  versions: readonly MaterialVersion[],
): readonly MaterialVersion[] {
  return record.origin === 'AWS_KMS' ? versions : versions.filter(isPermanent);
}

/** What a primary tells its replicas of rotations, for these versions; undefined where there were none and none are to come. */
export function rotationContext(
  versions: readonly MaterialVersion[],
  setting: RotationSetting | undefined,
): RotationContext | undefined {
  if (setting === undefined && versions.every(({ rotationType }) => rotationType === null)) return undefined;
  return {
    setting: setting === undefined ? null : { periodDays: setting.periodDays, nextMs: setting.nextMs },
    versions: versions.map(({ rotationType, rotatedMs }) => ({ type: rotationType, rotatedMs })),
  };
}

/** Brings what a replica knows of rotations to what its primary told. Call in an install, after its materials were recorded. */
export function installRotations(
  { materials, rotations }: Pick<KmsRegion, 'materials' | 'rotations'>,
  keyId: KeyRecord['keyId'],
  context: Pick<KeyMetadataContext, 'materials' | 'rotation'>,
): void {
  const { setting = null, versions = [] } = context.rotation ?? {};
  if (setting === null) rotations.removeSetting(keyId);
  else rotations.putSetting(keyId, setting);
  const known = new Map(materials.versions(keyId).map((version) => [version.materialId, version]));
  for (const [index, told] of versions.entries()) {
    const version = known.get(context.materials[index]?.materialId ?? '');
    if (version === undefined || (version.rotatedMs === told.rotatedMs && version.rotationType === told.type)) continue;
    materials.putVersion(keyId, { ...version, rotatedMs: told.rotatedMs, rotationType: told.type });
  }
}

/** Notes at a primary that a replica has these materials, where a rotation waits for one of them. */
export function noteDelivered(
  { materials }: Pick<KmsRegion, 'materials'>,
  record: Pick<KeyRecord, 'keyId'>,
  delivered: { readonly region: string; readonly materialIds: readonly string[] },
): void {
  const waiting = rotationInProgress(materials.versions(record.keyId));
  if (waiting === undefined || !delivered.materialIds.includes(waiting.materialId)) return;
  materials.putReplicaMaterial(record.keyId, delivered.region, waiting.materialId);
}
