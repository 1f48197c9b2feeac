import type { ImportedIdentity, KeyMetadataContext } from '../replication/key_context.js';
import { isPermanent, pendingVersion, type MaterialVersion } from './material_version.js';

/** What a primary tells its replicas of imported material: identities and descriptions, never the material. */
export function importedIdentity(versions: readonly MaterialVersion[]): ImportedIdentity {
  const pending = pendingVersion(versions);
  return {
    versions: versions.filter(isPermanent).map(({ description, rotatedMs }) => ({ description, rotatedMs })),
    pending:
      pending === undefined
        ? null
        : { materialId: pending.materialId, description: pending.description, createdMs: pending.createdMs },
  };
}

/** What a replica changes to know what its primary does. */
export interface SynchronizedVersions {
  /** Material that was waiting and that the primary has given up. */
  readonly removed: readonly string[];
  /** In an order in which no two versions are current at once. */
  readonly put: readonly MaterialVersion[];
}

/**
 * Brings a replica's versions to what its primary told. What is imported here stays imported, with the dates of this region.
 *
 * @source AWS KMS Developer Guide, "Importing key material into multi-Region keys"
 */
export function synchronizedVersions(
  local: readonly MaterialVersion[],
  context: Pick<KeyMetadataContext, 'materials' | 'imported'>,
): SynchronizedVersions {
  const known = new Map(local.map((version) => [version.materialId, version]));
  const versions = context.materials.map((told, at): MaterialVersion => {
    const { description = null, rotatedMs = null } = context.imported?.versions[at] ?? {};
    const rotationType = rotatedMs === null ? null : 'ON_DEMAND';
    return { ...(known.get(told.materialId) ?? MISSING), ...told, description, rotatedMs, rotationType };
  });
  const pending = context.imported?.pending ?? null;
  if (pending !== null) {
    versions.push({
      ...(known.get(pending.materialId) ?? MISSING),
      ...pending,
      index: versions.length,
      state: 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION',
      rotatedMs: null,
      rotationType: null,
    });
  }
  const told = new Set(versions.map(({ materialId }) => materialId));
  return {
    removed: [...known.keys()].filter((materialId) => !told.has(materialId)),
    put: versions.toSorted((a, b) => Number(a.state === 'CURRENT') - Number(b.state === 'CURRENT')),
  };
}

const MISSING = { expirationModel: null, validToMs: null, publicKey: null, material: null } as const;
