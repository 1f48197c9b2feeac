import type { KeyId } from '../../src/kms/key_id.js';
import type { KmsRegion } from '../../src/kms/region.js';

/** A change of a key's material that a process may die in. */
export type MaterialChange = 'import' | 'reimport' | 'rotate' | 'delete material' | 'expire' | 'delete key';

/** What a key is, as far as its material goes; `state` is null where the key is gone. */
export interface MaterialSummary {
  readonly state: string | null;
  readonly versions: readonly string[];
  readonly parameters: number;
}

/** Reads a key's material from its rows. */
export function summaryOf(region: Pick<KmsRegion, 'store' | 'materials'>, keyId: KeyId): MaterialSummary {
  return {
    state: region.store.key(keyId)?.state ?? null,
    versions: region.materials
      .versions(keyId)
      .map(
        ({ materialId, state, material, expirationModel, validToMs }) =>
          `${materialId.slice(0, 8)} ${state} ${material === null ? 'missing' : 'here'} ${expirationModel} ${validToMs}`,
      ),
    parameters: region.materials.countParameters(keyId),
  };
}
