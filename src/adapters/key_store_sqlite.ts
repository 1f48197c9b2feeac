import type { StoredMaterial } from '../hsm/material.js';
import { isKeyId, keyArn, type KeyHome, type KeyId } from '../kms/key_id.js';
import type { KeyDeletion, KeyFacts, KeyRecord, MaterialRecord, MultiRegionRecord } from '../kms/key_record.js';
import type { KeyState } from '../kms/key_state.js';
import type { InstalledKey, KeyStore, NewKey, ReplicaRecord } from '../kms/key_store.js';
import type { Tag } from '../kms/tag.js';
import { prepareAll, type Database, type SqlStatement } from './database.js';
import {
  importedFacts,
  KEY_MIGRATIONS,
  keyFromRow,
  MATERIAL_ROWS,
  materialFromRow,
  replicaFromRow,
  tagFromRow,
  text,
  VERSION_ROWS,
  versionFromRow,
} from './key_rows.js';
import { remember } from './remember.js';
import { RememberedKeys } from './remembered_keys.js';
import { RememberedPolicies } from './remembered_policies.js';

/**
 * The keys of a region in its SQLite database.
 *
 * Records that cryptography needs are answered from memory: every change of a key drops what is remembered of it, and a
 * rollback drops everything. One process at a time may change the database.
 */
export class SqliteKeyStore implements KeyStore {
  readonly #database: Database;
  readonly #home: KeyHome;
  readonly #remembered = new RememberedKeys();
  readonly #policies = new RememberedPolicies();
  readonly #tags = new Map<string, readonly Tag[]>();
  readonly #deleteListeners: ((keyId: KeyId) => void)[] = [];
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;

  constructor(database: Database, home: KeyHome) {
    database.migrate('keys', KEY_MIGRATIONS);
    this.#database = database;
    this.#home = home;
    this.#sql = prepareAll(database, STATEMENTS);
    database.onRollback(() => {
      this.#remembered.forgetAll();
      this.#policies.forgetAll();
      this.#tags.clear();
    });
  }

  transaction<Result>(work: () => Result): Result {
    return this.#database.transaction(work);
  }

  insertKey({ record, policy, tags, materials }: NewKey): void {
    this.transaction(() => {
      this.#sql.insertKey.run(
        record.keyId,
        record.account,
        record.createdMs,
        record.description,
        record.keySpec,
        record.keyUsage,
        record.origin,
        record.state,
        record.dataSuite,
        record.multiRegion?.type ?? null,
        record.multiRegion?.primaryRegion ?? null,
        record.multiRegion?.birthCertificate ?? null,
        policy,
      );
      this.#replaceTags(record.keyId, tags);
      this.#putMaterials(record.keyId, materials);
      this.#replaceKnownReplicas(record);
    });
    this.#remembered.forgetRecord(record.keyId);
  }

  key(keyId: KeyId): KeyRecord | undefined {
    const remembered = this.#remembered.record(keyId);
    if (remembered !== undefined) return remembered;
    const row = this.#sql.key.get(keyId);
    if (row === undefined) return undefined;
    const current = this.#sql.currentMaterial.get(keyId);
    const replicaRegions = this.#sql.replicaRegions.all(keyId).map((replica) => text(replica, 'region'));
    const facts = keyFromRow(row, keyArn(this.#home, keyId), replicaRegions);
    const record: KeyRecord = Object.freeze({
      ...facts,
      imported: facts.origin === 'EXTERNAL' ? importedFacts(this.#sql.versions.all(keyId).map(versionFromRow)) : null,
      currentMaterial: current === undefined ? null : materialFromRow(current).material,
    });
    this.#remembered.putRecord(record);
    return record;
  }

  keyOfMaterial(
    materialId: string,
  ): { readonly record: KeyRecord; readonly material: StoredMaterial | null } | undefined {
    let found = this.#remembered.material(materialId);
    if (found === undefined) {
      const row = this.#sql.material.get(materialId);
      if (row === undefined) return undefined;
      found = { keyId: requireKeyId(text(row, 'key_id')), material: versionFromRow(row).material };
      this.#remembered.putMaterial(materialId, found);
    }
    const record = this.key(found.keyId);
    return record === undefined ? undefined : { record, material: found.material };
  }

  materials(keyId: KeyId): readonly MaterialRecord[] {
    return this.#sql.materials.all(keyId).map(materialFromRow);
  }

  keyIds(page: { readonly after: string; readonly limit: number }): readonly KeyId[] {
    return this.#sql.keyIds.all(page.after, page.limit).map((row) => requireKeyId(text(row, 'key_id')));
  }

  policy(keyId: KeyId): string | undefined {
    const remembered = this.#policies.policy(keyId);
    if (remembered !== undefined) return remembered;
    const row = this.#sql.policy.get(keyId);
    if (row === undefined) return undefined;
    const policy = text(row, 'policy');
    this.#policies.put(keyId, policy);
    return policy;
  }

  setPolicy(keyId: KeyId, policy: string): void {
    this.#sql.updatePolicy.run(policy, keyId);
    this.#policies.forget(keyId);
  }

  tags(keyId: KeyId): readonly Tag[] {
    const remembered = this.#tags.get(keyId);
    if (remembered !== undefined) return remembered;
    const tags = Object.freeze(this.#sql.tags.all(keyId).map(tagFromRow));
    remember(this.#tags, keyId, tags);
    return tags;
  }

  putTags(keyId: KeyId, tags: readonly Tag[]): void {
    this.transaction(() => {
      for (const tag of tags) this.#sql.putTag.run(keyId, tag.TagKey, tag.TagValue);
    });
    this.#tags.delete(keyId);
  }

  removeTags(keyId: KeyId, tagKeys: readonly string[]): void {
    this.transaction(() => {
      for (const tagKey of tagKeys) this.#sql.deleteTag.run(keyId, tagKey);
    });
    this.#tags.delete(keyId);
  }

  setDescription(keyId: KeyId, description: string): void {
    this.transaction(() => this.#sql.setDescription.run(description, keyId));
    this.forget(keyId);
  }

  replica(keyId: KeyId, region: string): ReplicaRecord | undefined {
    const row = this.#sql.replica.get(keyId, region);
    return row === undefined ? undefined : replicaFromRow(row);
  }

  putReplica(keyId: KeyId, replica: ReplicaRecord): void {
    this.#sql.putReplica.run(
      keyId,
      replica.region,
      replica.standing,
      replica.failure,
      replica.description,
      replica.policy,
      JSON.stringify(replica.tags),
    );
    this.#remembered.forgetRecord(keyId);
  }

  installKey({ record, materials, own }: InstalledKey): void {
    this.transaction(() => {
      const changed = this.#sql.updateKey.run(
        record.description,
        record.state,
        record.dataSuite,
        record.multiRegion?.type ?? null,
        record.multiRegion?.primaryRegion ?? null,
        record.keyId,
      );
      if (changed.changes !== 1) throw new Error(`key ${record.keyId} is not recorded`);
      if (own !== undefined) {
        this.setPolicy(record.keyId, own.policy);
        this.#replaceTags(record.keyId, own.tags);
      }
      this.#putMaterials(record.keyId, materials);
      this.#replaceKnownReplicas(record);
    });
    this.#remembered.forgetRecord(record.keyId);
  }

  removeReplica(keyId: KeyId, region: string): void {
    this.#sql.deleteReplica.run(keyId, region);
    this.#remembered.forgetRecord(keyId);
  }

  setPlace(
    keyId: KeyId,
    place: Pick<MultiRegionRecord, 'type' | 'primaryRegion'>,
    replicaRegions?: readonly string[],
  ): void {
    this.#sql.setPlace.run(place.type, place.primaryRegion, keyId);
    if (replicaRegions !== undefined) this.#putKnownReplicas(keyId, replicaRegions);
    this.#remembered.forgetRecord(keyId);
  }

  setBirthCertificate(keyId: KeyId, birthCertificate: string): void {
    this.#sql.setBirthCertificate.run(birthCertificate, keyId);
    this.#remembered.forgetRecord(keyId);
  }

  setState(keyId: KeyId, state: KeyState, deletion: KeyDeletion | null): void {
    this.#sql.setState.run(state, deletion?.windowDays ?? null, deletion?.dateMs ?? null, keyId);
    this.#remembered.forgetRecord(keyId);
  }

  deleteKey(keyId: KeyId): void {
    this.#sql.deleteKey.run(keyId);
    this.forget(keyId);
    this.#policies.forget(keyId);
    this.#tags.delete(keyId);
    for (const listener of this.#deleteListeners) listener(keyId);
  }

  onDelete(listener: (keyId: KeyId) => void): void {
    this.#deleteListeners.push(listener);
  }

  /** Drops what is remembered of a key and of its materials: something else has changed its rows. */
  forget(keyId: KeyId): void {
    this.#remembered.forget(keyId);
  }

  #putMaterials(keyId: KeyId, materials: readonly MaterialRecord[]): void {
    // Two materials are never CURRENT at once, not even between two statements: the old one steps down first.
    for (const { state, material, index, createdMs } of materials.toSorted(nonCurrentFirst)) {
      this.#sql.putMaterial.run(
        material.binding.materialId,
        keyId,
        index,
        state,
        createdMs,
        material.exportedKeyToken,
        material.domainKeyId,
        material.recordMac,
        material.publicKey,
      );
    }
  }

  #replaceTags(keyId: KeyId, tags: readonly Tag[]): void {
    this.#tags.delete(keyId);
    this.#sql.deleteTags.run(keyId);
    for (const tag of tags) this.#sql.insertTag.run(keyId, tag.TagKey, tag.TagValue);
  }

  /** On a replica: the set's replicas as the primary last told them. */
  #replaceKnownReplicas(record: KeyFacts): void {
    if (record.multiRegion?.type === 'REPLICA') this.#putKnownReplicas(record.keyId, record.multiRegion.replicaRegions);
  }

  #putKnownReplicas(keyId: KeyId, regions: readonly string[]): void {
    this.#sql.deleteReplicas.run(keyId);
    for (const region of regions) this.#sql.putReplica.run(keyId, region, 'ACTIVE', null, '', '', '[]');
  }
}

const STATEMENTS = {
  insertKey: `INSERT INTO keys (key_id, account_id, created_ms, description, key_spec, key_usage, origin, key_state, data_suite,
    multi_region_type, primary_region, birth_certificate, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  updateKey: `UPDATE keys SET description = ?, key_state = ?, data_suite = ?, multi_region_type = ?, primary_region = ?
    WHERE key_id = ?`,
  key: 'SELECT * FROM keys WHERE key_id = ?',
  setPlace: 'UPDATE keys SET multi_region_type = ?, primary_region = ? WHERE key_id = ?',
  setBirthCertificate: 'UPDATE keys SET birth_certificate = ? WHERE key_id = ?',
  setState: 'UPDATE keys SET key_state = ?, deletion_window_days = ?, deletion_date_ms = ? WHERE key_id = ?',
  deleteKey: 'DELETE FROM keys WHERE key_id = ?',
  keyIds: 'SELECT key_id FROM keys WHERE key_id > ? ORDER BY key_id LIMIT ?',
  policy: 'SELECT policy FROM keys WHERE key_id = ?',
  updatePolicy: 'UPDATE keys SET policy = ? WHERE key_id = ?',
  material: `${VERSION_ROWS} WHERE material_id = ? AND material_state IN ('CURRENT', 'NON_CURRENT')
    AND key_spec = 'SYMMETRIC_DEFAULT'`,
  materials: `${MATERIAL_ROWS} AND key_id = ? ORDER BY rotation_index`,
  currentMaterial: `${MATERIAL_ROWS} AND key_id = ? AND material_state = 'CURRENT'`,
  versions: `${VERSION_ROWS} WHERE key_id = ? ORDER BY rotation_index`,
  putMaterial: `INSERT INTO key_materials (material_id, key_id, rotation_index, material_state, created_ms, exported_key_token,
    domain_key_id, record_mac, public_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key_id, material_id) DO UPDATE SET material_state = excluded.material_state`,
  tags: 'SELECT tag_key, tag_value FROM key_tags WHERE key_id = ? ORDER BY rowid',
  insertTag: 'INSERT INTO key_tags (key_id, tag_key, tag_value) VALUES (?, ?, ?)',
  putTag: `INSERT INTO key_tags (key_id, tag_key, tag_value) VALUES (?, ?, ?)
    ON CONFLICT (key_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value`,
  deleteTag: 'DELETE FROM key_tags WHERE key_id = ? AND tag_key = ?',
  deleteTags: 'DELETE FROM key_tags WHERE key_id = ?',
  setDescription: 'UPDATE keys SET description = ? WHERE key_id = ?',
  replica: 'SELECT * FROM key_replicas WHERE key_id = ? AND region = ?',
  replicaRegions: "SELECT region FROM key_replicas WHERE key_id = ? AND standing <> 'FAILED' ORDER BY rowid",
  putReplica: `INSERT INTO key_replicas (key_id, region, standing, failure, description, policy, tags)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key_id, region) DO UPDATE SET standing = excluded.standing,
    failure = excluded.failure, description = excluded.description, policy = excluded.policy, tags = excluded.tags`,
  deleteReplica: 'DELETE FROM key_replicas WHERE key_id = ? AND region = ?',
  deleteReplicas: 'DELETE FROM key_replicas WHERE key_id = ?',
} as const;
type StatementName = keyof typeof STATEMENTS;

function nonCurrentFirst(a: MaterialRecord, b: MaterialRecord): number {
  return a.state === b.state ? a.index - b.index : a.state === 'CURRENT' ? 1 : -1;
}

function requireKeyId(id: string): KeyId {
  if (!isKeyId(id)) throw new Error(`the database holds the malformed key id ${id}`);
  return id;
}
