import type { StoredMaterial } from '../hsm/material.js';
import type { KeyDeletion, KeyFacts, KeyRecord, MaterialRecord, MultiRegionRecord } from './key_record.js';
import type { KeyId } from './key_id.js';
import type { KeyState } from './key_state.js';
import type { Tag } from './tag.js';

/** A key as it is first recorded. */
export interface NewKey {
  /** What the record says of materials is taken from `materials`. */
  readonly record: KeyFacts;
  /** Key policy as JSON text. */
  readonly policy: string;
  readonly tags: readonly Tag[];
  /** Oldest first; empty for a replica whose material has not come yet. */
  readonly materials: readonly MaterialRecord[];
}

/** One replica of a primary in this region, as its primary knows it. */
export interface ReplicaRecord {
  readonly region: string;
  /** `REPLICATING`: begun and not confirmed. `ACTIVE`: the destination has confirmed. `FAILED`: given up, may be begun again. */
  readonly standing: 'REPLICATING' | 'ACTIVE' | 'FAILED';
  /** Why it failed, in the words that the next caller of `ReplicateKey` sees. */
  readonly failure: string | null;
  /** What the caller of `ReplicateKey` chose for the replica. */
  readonly description: string;
  readonly policy: string;
  readonly tags: readonly Tag[];
}

/** What an install changes on a key that is already recorded. */
export interface InstalledKey {
  readonly record: KeyFacts;
  readonly materials: readonly MaterialRecord[];
  /** Members that are the replica's own: given at the first install, absent later. */
  readonly own?: { readonly policy: string; readonly tags: readonly Tag[] };
}

/**
 * Where a region keeps its keys. Synchronous, so that a change of keys and a step of replication can be one transaction.
 * Reads by key id and by material id are on the path of every encryption: an implementation answers them from memory.
 */
export interface KeyStore {
  /** Runs `work` in one transaction, durable when it returns; joins a transaction that is already open. */
  transaction<Result>(work: () => Result): Result;
  /** Fails where the key id is taken. */
  insertKey(key: NewKey): void;
  key(keyId: KeyId): KeyRecord | undefined;
  /**
   * The symmetric encryption key that a material belongs to for good, and the material; null while it is not here, and the key in
   * no state to be used.
   */
  keyOfMaterial(
    materialId: string,
  ): { readonly record: KeyRecord; readonly material: StoredMaterial | null } | undefined;
  /** All versions whose material is here and belongs to the key for good, oldest first. */
  materials(keyId: KeyId): readonly MaterialRecord[];
  /** Key ids in ascending order, those behind `after` only. */
  keyIds(page: { readonly after: string; readonly limit: number }): readonly KeyId[];
  /** Answered from memory. */
  policy(keyId: KeyId): string | undefined;
  /** Durable when it returns. */
  setPolicy(keyId: KeyId, policy: string): void;
  /** In the order in which they were given; from memory, because policies may ask for them. */
  tags(keyId: KeyId): readonly Tag[];
  /** Adds tags to a key, or changes the values of those that it has; durable when it returns. */
  putTags(keyId: KeyId, tags: readonly Tag[]): void;
  /** Takes tags from a key; durable when it returns. */
  removeTags(keyId: KeyId, tagKeys: readonly string[]): void;
  /** Durable when it returns. */
  setDescription(keyId: KeyId, description: string): void;
  replica(keyId: KeyId, region: string): ReplicaRecord | undefined;
  /** Records a replica, or replaces what was recorded of it. */
  putReplica(keyId: KeyId, replica: ReplicaRecord): void;
  /** Forgets a replica that its region has deleted. */
  removeReplica(keyId: KeyId, region: string): void;
  /** Puts a key into a state; with what is known of its deletion, where it is to be deleted. */
  setState(keyId: KeyId, state: KeyState, deletion: KeyDeletion | null): void;
  /** Makes a multi-Region key the primary or a replica of its set; `replicaRegions` replaces what is known of its replicas. */
  setPlace(
    keyId: KeyId,
    place: Pick<MultiRegionRecord, 'type' | 'primaryRegion'>,
    replicaRegions?: readonly string[],
  ): void;
  /** Replaces a birth certificate by the same one, signed again. */
  setBirthCertificate(keyId: KeyId, birthCertificate: string): void;
  /** Replaces a replica's record and adds the material that came. */
  installKey(key: InstalledKey): void;
  /** Removes a key with everything that belongs to it. */
  deleteKey(keyId: KeyId): void;
  /** Calls `listener` with every key that is removed, inside the transaction: what is remembered of it is dropped there. */
  onDelete(listener: (keyId: KeyId) => void): void;
}
