import type { StoredMaterial } from '../hsm/material.js';
import type { ExpirationModel } from './key_record.js';

/**
 * What a version of a key's material is for. `CURRENT` encrypts and decrypts, `NON_CURRENT` decrypts; both belong to the key for
 * good. The pending states are of material that waits for `RotateKeyOnDemand`, and for the other regions' imports before that.
 *
 * @source AWS KMS API Reference, RotationsListEntry
 */
export type MaterialState = 'CURRENT' | 'NON_CURRENT' | 'PENDING_ROTATION' | 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION';

/** Why a version became current: its time had come, or somebody asked. */
export type RotationType = 'AUTOMATIC' | 'ON_DEMAND';

/** One version of a key's material, whether or not the material is here. */
export interface MaterialVersion {
  /** 64 lower-case hex digits. */
  readonly materialId: string;
  /** Rotation index, 0 for the first. */
  readonly index: number;
  readonly state: MaterialState;
  readonly createdMs: number;
  /** When it became current by a rotation; null for the first and for pending ones. */
  readonly rotatedMs: number | null;
  /**
   * Null for the first, and for imported material before its rotation. Material of origin `AWS_KMS` has it from the beginning:
   * with `rotatedMs` null it is that of a rotation in progress.
   */
  readonly rotationType: RotationType | null;
  readonly description: string | null;
  /** Null where nothing was imported, or after it was deleted by request; kept after it expired. */
  readonly expirationModel: ExpirationModel | null;
  readonly validToMs: number | null;
  /** Public half of an asymmetric key, DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array | null;
  /** Null while the material is not here: deleted, expired, or not yet imported in this region. */
  readonly material: StoredMaterial | null;
}

/** Whether a version belongs to its key for good. */
export function isPermanent(version: Pick<MaterialVersion, 'state'>): boolean {
  return version.state === 'CURRENT' || version.state === 'NON_CURRENT';
}

/** Whether every version that belongs to the key for good is here: what an imported key needs to be used. */
export function isComplete(versions: readonly MaterialVersion[]): boolean {
  return (
    versions.some((version) => version.state === 'CURRENT') &&
    versions.every((version) => !isPermanent(version) || version.material !== null)
  );
}

/** The version that waits for a rotation, if there is one. */
export function pendingVersion(versions: readonly MaterialVersion[]): MaterialVersion | undefined {
  return versions.find((version) => !isPermanent(version));
}

/** The version of a rotation in progress: made, but not yet known to be in every region of the key. */
export function rotationInProgress(versions: readonly MaterialVersion[]): MaterialVersion | undefined {
  return versions.find(({ rotationType, rotatedMs }) => rotationType !== null && rotatedMs === null);
}
