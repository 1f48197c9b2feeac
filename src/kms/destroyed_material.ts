import type { StoredMaterial } from '../hsm/material.js';
import { LIMITS } from '../limits.js';
import type { KmsRegion } from './region.js';

/**
 * Ends what is left of material whose rows are gone: its octets in the database's files, and the object that is loaded in the token.
 *
 * A call that began before may load it once more, so that it is unloaded a second time after such a call has ended.
 *
 * @throws `HsmError` where the token does not let go of an object; the rows are gone in any case
 */
export async function endMaterial(
  region: Pick<KmsRegion, 'materials' | 'hsm'>,
  materials: readonly StoredMaterial[],
): Promise<void> {
  region.materials.scrub();
  if (materials.length === 0) return;
  const later = setTimeout(() => {
    // The region may be closed by now, and its token with it.
    void unload(region, materials).catch(() => undefined);
  }, LIMITS.kmsUnloadAgainMs);
  later.unref();
  await unload(region, materials);
}

async function unload({ hsm }: Pick<KmsRegion, 'hsm'>, materials: readonly StoredMaterial[]): Promise<void> {
  for (const material of materials) await hsm.unload(material);
}
