import type { ImportWrappingAlgorithm, ServiceEvent, StoredImportKey } from './ports.js';
import type { KeyId } from './key_id.js';
import type { MaterialVersion } from './material_version.js';

/** One download of import parameters: a wrapping key that unwraps for one key, by one algorithm, once. */
export interface ImportParameters {
  readonly keyId: KeyId;
  readonly algorithm: ImportWrappingAlgorithm;
  readonly importKey: StoredImportKey;
  readonly validToMs: number;
}

/** A version whose time has come. */
export interface DueMaterial {
  readonly keyId: KeyId;
  readonly materialId: string;
}

/**
 * The lives of materials: versions that may be missing, parameters of imports, and what waits for a date. Over the same database
 * as the key store, whose transactions its calls join.
 */
export interface MaterialStore {
  /** Every version that the key knows, oldest first, a pending one last. */
  versions(keyId: KeyId): readonly MaterialVersion[];
  /** Records a version, or replaces what was recorded of it. Whatever material it had is overwritten on disk. */
  putVersion(keyId: KeyId, version: MaterialVersion): void;
  /** Forgets a version that never became the key's own. */
  removeVersion(keyId: KeyId, materialId: string): void;

  /** Fails where the wrapping key's id is taken. */
  insertParameters(parameters: ImportParameters): void;
  parameters(importKeyId: string): ImportParameters | undefined;
  /** Parameters of a key that were neither used nor removed. */
  countParameters(keyId: KeyId): number;
  /** Whether there was anything to remove. */
  removeParameters(importKeyId: string): boolean;
  /** Removes those that were valid until `nowMs` at most; how many. */
  removeParametersUntil(nowMs: number): number;

  /** Materials that are here and valid until `nowMs` at most, the earliest first. */
  expiredMaterials(nowMs: number, limit: number): readonly DueMaterial[];
  /** Keys whose deletion was scheduled for `nowMs` at the latest, the earliest first. */
  deletableKeys(nowMs: number, limit: number): readonly KeyId[];
  /** When the next of these is due: an expiry, a deletion, the end of import parameters. Null where nothing waits. */
  nextDueMs(): number | null;
  /** Keys with imported material that expires, with the earliest date of each. */
  expiringKeys(): readonly { readonly keyId: KeyId; readonly validToMs: number }[];

  /** On a primary: a replica has the material that waits for a rotation, by its own import or by a transfer. */
  putReplicaMaterial(keyId: KeyId, region: string, materialId: string): void;
  replicasWithMaterial(keyId: KeyId, materialId: string): readonly string[];
  /** On primaries: material that waits until every replica has imported it. */
  materialsAwaitingReplicas(): readonly DueMaterial[];

  /** A replica goes: it is not made anew because somebody tells it something. What is kept does not tell the key id. */
  putDeletedReplica(keyId: KeyId): void;
  wasReplicaDeleted(keyId: string): boolean;
  /** The replica is made anew. */
  removeDeletedReplica(keyId: string): void;
  /** On primaries that wait for the end of their replicas: all of them. */
  keysAwaitingReplicaDeletion(): readonly KeyId[];
  /** Whether there is a key whose material is imported, or to be imported. */
  hasExternalKeys(): boolean;

  /** Keeps an event until {@link removeEvent}; call inside the transaction of what happened. */
  putEvent(event: ServiceEvent): void;
  /** Events that were not delivered yet, oldest first. */
  events(limit: number): readonly ServiceEvent[];
  removeEvent(eventId: string): void;
  /** Overwrites on disk what was removed in transactions that are over. */
  scrub(): void;
}
