import { LIMITS } from '../limits.js';
import type { KeyRecord } from './key_record.js';
import type { KmsRegion } from './region.js';

/**
 * Tells every replica of a primary what has changed in the identity of its imported material. Call inside the transaction of the
 * change, and `replicator.wake()` after it.
 */
export function synchronizeReplicas(
  region: Pick<KmsRegion, 'replicator'>,
  { keyId, multiRegion }: Pick<KeyRecord, 'keyId' | 'multiRegion'>,
): void {
  if (multiRegion?.type !== 'PRIMARY') return;
  for (const destination of multiRegion.replicaRegions) region.replicator.begin({ keyId, destination });
}

/**
 * Asks the replicas, from time to time, what a primary waits for: whether they have the material that it is to rotate to, and
 * whether they were deleted. Their answer is the confirmation of a synchronisation, or its refusal.
 */
export class ReplicaImportWatch {
  readonly #region: Pick<KmsRegion, 'store' | 'materials' | 'rotations' | 'replicator' | 'clock'>;
  readonly #report: (failure: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #askedMs = 0;

  constructor(
    region: Pick<KmsRegion, 'store' | 'materials' | 'rotations' | 'replicator' | 'clock'>,
    options: { readonly report: (failure: unknown) => void },
  ) {
    this.#region = region;
    this.#report = options.report;
  }

  start(): void {
    this.#timer = setInterval(() => this.ask(), LIMITS.kmsReplicaImportWatchMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A replica lives for a week at least after its deletion is scheduled: it is asked every hour of the region's clock. */
  #askForDeletions(): boolean {
    const { store, materials, clock } = this.#region;
    const nowMs = clock.nowMs();
    if (Math.abs(nowMs - this.#askedMs) < LIMITS.kmsReplicaDeletionWatchMs) return false;
    this.#askedMs = nowMs;
    const waiting = materials.keysAwaitingReplicaDeletion();
    store.transaction(() => {
      for (const keyId of waiting) {
        const record = store.key(keyId);
        if (record !== undefined) synchronizeReplicas(this.#region, record);
      }
    });
    return waiting.length > 0;
  }

  /** Asks those replicas of which it is not known that they have the material. */
  ask(): void {
    const { store, materials, rotations, replicator } = this.#region;
    try {
      let asked = false;
      const awaited = [...materials.materialsAwaitingReplicas(), ...rotations.rotationsInProgress()];
      store.transaction(() => {
        for (const { keyId, materialId } of awaited) {
          const record = store.key(keyId);
          const having = new Set(materials.replicasWithMaterial(keyId, materialId));
          const lacking = record?.multiRegion?.replicaRegions.filter((region) => !having.has(region)) ?? [];
          for (const destination of lacking) replicator.begin({ keyId, destination });
          asked ||= lacking.length > 0;
        }
      });
      asked = this.#askForDeletions() || asked;
      if (asked) replicator.wake();
    } catch (error) {
      this.#report(error);
    }
  }
}
