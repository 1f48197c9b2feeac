import type { StoredMaterial } from '../../hsm/material.js';
import { authorizeKey } from '../authorization.js';
import { endMaterial } from '../destroyed_material.js';
import { KmsError, originNotValid } from '../errors.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { stateWith, withoutMaterial } from '../material_change.js';
import { isPermanent } from '../material_version.js';
import { synchronizeReplicas } from '../multi_region_sync.js';
import type { Operation } from '../region.js';

export interface DeleteImportedKeyMaterialRequest {
  readonly KeyId: string;
  /** 64 lower-case hex digits; the current material where it is absent. */
  readonly KeyMaterialId?: string;
}

export interface DeleteImportedKeyMaterialResponse {
  readonly KeyId: string;
  /** Of symmetric encryption keys that ever had material. */
  readonly KeyMaterialId?: string;
}

/**
 * Destroys imported material. The key waits for the same material until it is imported again; material that was waiting for a
 * rotation is forgotten. Does nothing where the material is not here.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for another origin; `NotFoundException` for material that the key does
 * not know
 * @source AWS KMS API Reference, DeleteImportedKeyMaterial
 */
export const deleteImportedKeyMaterial: Operation<
  DeleteImportedKeyMaterialRequest,
  DeleteImportedKeyMaterialResponse
> = async (call, request) => {
  const { region } = call;
  const { store, materials } = region;
  const { arn, materialId, destroyed } = store.transaction(() => {
    const record = findKey(call, request.KeyId, 'key');
    authorizeKey(call, 'DeleteImportedKeyMaterial', record);
    if (record.origin !== 'EXTERNAL') throw originNotValid(record);
    requireState('deleteMaterial', record.state, record.arn);
    const isSymmetric = record.keySpec === 'SYMMETRIC_DEFAULT';
    if (!isSymmetric && request.KeyMaterialId !== undefined) {
      throw new KmsError(
        'UnsupportedOperationException',
        `KeyMaterialId is not supported for key spec ${record.keySpec}.`,
      );
    }
    const versions = materials.versions(record.keyId);
    const version = versions.find(({ materialId: id, state }) =>
      request.KeyMaterialId === undefined ? state === 'CURRENT' : id === request.KeyMaterialId,
    );
    if (version === undefined && request.KeyMaterialId !== undefined) {
      throw new KmsError(
        'NotFoundException',
        `Key material '${request.KeyMaterialId}' of key '${record.arn}' does not exist`,
      );
    }
    const gone: StoredMaterial[] = [];
    if (version !== undefined && (version.material !== null || version.expirationModel !== null)) {
      if (version.material !== null) gone.push(version.material);
      if (isPermanent(version)) materials.putVersion(record.keyId, withoutMaterial(version));
      else if (record.multiRegion?.type === 'REPLICA') materials.putVersion(record.keyId, withoutMaterial(version));
      else {
        materials.removeVersion(record.keyId, version.materialId);
        synchronizeReplicas(region, record);
      }
      store.setState(record.keyId, stateWith(record.state, materials.versions(record.keyId)), record.deletion);
    }
    return { arn: record.arn, materialId: isSymmetric ? version?.materialId : undefined, destroyed: gone };
  });
  region.deadlines.changed();
  region.replicator.wake();
  await endMaterial(region, destroyed);
  return { KeyId: arn, ...(materialId !== undefined && { KeyMaterialId: materialId }) };
};
