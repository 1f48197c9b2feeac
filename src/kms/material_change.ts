import type { StoredMaterial } from '../hsm/material.js';
import { incorrectKeyMaterial, KmsError } from './errors.js';
import type { Expiration, ImportType } from './import_rules.js';
import type { KeyRecord } from './key_record.js';
import type { KeyState } from './key_state.js';
import {
  isComplete,
  isPermanent,
  pendingVersion,
  type MaterialVersion,
  type RotationType,
} from './material_version.js';

/** What an import asks for, after its material was unwrapped. */
export interface PlacedImport {
  readonly material: StoredMaterial;
  readonly importType: ImportType | undefined;
  /** `KeyMaterialId` of the request. */
  readonly expectedId: string | undefined;
  readonly description: string | undefined;
  readonly expiration: Expiration;
  readonly nowMs: number;
}

/**
 * Decides what an import makes of a key's versions: the version to record.
 *
 * A key belongs to its first material for good. A symmetric key may take further material, which waits for a rotation; a key of
 * another spec never does.
 *
 * @throws {@link KmsError} `IncorrectKeyMaterialException` for other material than the key's; `KMSInvalidStateException` where
 * other material waits for a rotation already; `UnsupportedOperationException` for new material in a replica
 * @source AWS KMS API Reference, ImportKeyMaterial
 */
export function placeImport(
  record: Pick<KeyRecord, 'keyId' | 'keySpec' | 'multiRegion'>,
  versions: readonly MaterialVersion[],
  request: PlacedImport,
): MaterialVersion {
  const { materialId } = request.material.binding;
  const known = versions.find((version) => version.materialId === materialId);
  const type = request.importType ?? (versions.length === 0 ? 'NEW_KEY_MATERIAL' : 'EXISTING_KEY_MATERIAL');
  if (request.expectedId !== undefined && (request.expectedId !== materialId || known === undefined)) {
    throw incorrectKeyMaterial('The key material is not the one that KeyMaterialId names.');
  }
  if (type === 'EXISTING_KEY_MATERIAL') {
    if (known === undefined)
      throw incorrectKeyMaterial('The key material is not the one that this KMS key is tied to.');
    return filled(known, request);
  }
  if (record.multiRegion?.type === 'REPLICA') {
    throw new KmsError(
      'UnsupportedOperationException',
      'New key material can be imported into the multi-Region primary key only.',
    );
  }
  if (known !== undefined && isPermanent(known)) {
    throw incorrectKeyMaterial('The key material belongs to this KMS key already.');
  }
  if (known !== undefined) return filled(known, request);
  const pending = pendingVersion(versions);
  if (pending !== undefined) {
    throw new KmsError(
      'KMSInvalidStateException',
      `New key material (id: ${materialId}) cannot be imported into KMS key ${record.keyId}, because another key material (id: ${pending.materialId}) is pending rotation.`,
    );
  }
  return filled(
    {
      materialId,
      index: versions.length,
      state: stateOfNew(record, versions),
      createdMs: request.nowMs,
      rotatedMs: null,
      rotationType: null,
      description: null,
      expirationModel: null,
      validToMs: null,
      publicKey: null,
      material: null,
    },
    request,
  );
}

function stateOfNew(
  record: Pick<KeyRecord, 'multiRegion'>,
  versions: readonly MaterialVersion[],
): MaterialVersion['state'] {
  if (versions.length === 0) return 'CURRENT';
  const replicas = record.multiRegion?.replicaRegions.length ?? 0;
  return replicas > 0 ? 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION' : 'PENDING_ROTATION';
}

function filled(version: MaterialVersion, request: PlacedImport): MaterialVersion {
  return {
    ...version,
    description: request.description ?? version.description,
    expirationModel: request.expiration.model,
    validToMs: request.expiration.validToMs,
    publicKey: request.material.publicKey,
    material: request.material,
  };
}

/** A version whose material was destroyed by request. */
export function withoutMaterial(version: MaterialVersion): MaterialVersion {
  return { ...version, expirationModel: null, validToMs: null, material: null };
}

/** A version whose material was destroyed because its time had come; its dates stay to be seen. */
export function afterExpiry(version: MaterialVersion): MaterialVersion {
  return { ...version, material: null };
}

/** The state of an imported key after its versions have changed. A key that is to be deleted stays so. */
export function stateWith(state: KeyState, versions: readonly MaterialVersion[]): KeyState {
  if (isComplete(versions)) return state === 'PendingImport' ? 'Enabled' : state;
  return state === 'Enabled' || state === 'Disabled' ? 'PendingImport' : state;
}

/**
 * What a rotation makes of a key's versions: the pending one becomes current.
 *
 * @returns the versions that change, the one that steps down first
 */
export function rotated(
  versions: readonly MaterialVersion[],
  pending: MaterialVersion,
  rotation: { readonly type: RotationType; readonly nowMs: number },
): MaterialVersion[] {
  const current = versions.filter((version) => version.state === 'CURRENT');
  return [
    ...current.map((version): MaterialVersion => ({ ...version, state: 'NON_CURRENT' })),
    { ...pending, state: 'CURRENT', rotatedMs: rotation.nowMs, rotationType: rotation.type },
  ];
}
