import { deletedKeyName } from '../wire/deleted_key.js';
import { isKeyId, type KeyId } from '../kms/key_id.js';
import type { DueMaterial, ImportParameters, MaterialStore } from '../kms/material_store.js';
import type { MaterialVersion } from '../kms/material_version.js';
import type { ServiceEvent } from '../kms/ports.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { VERSION_ROWS, integer, integerOrNull, octets, oneOf, text, versionFromRow } from './key_rows.js';
import type { SqliteKeyStore } from './key_store_sqlite.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE import_parameters (
    import_key_id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    wrapping_algorithm TEXT NOT NULL,
    wrapping_key_spec TEXT NOT NULL,
    valid_to_ms INTEGER NOT NULL,
    public_key BLOB NOT NULL,
    exported_key_token BLOB NOT NULL,
    domain_key_id TEXT NOT NULL,
    record_mac BLOB NOT NULL
  ) STRICT;
  CREATE INDEX import_parameters_of_key ON import_parameters (key_id);
  CREATE INDEX import_parameters_end ON import_parameters (valid_to_ms);
  CREATE TABLE service_events (
    event_number INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL
  ) STRICT;`,
  `CREATE TABLE replica_materials (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    region TEXT NOT NULL,
    material_id TEXT NOT NULL,
    PRIMARY KEY (key_id, material_id, region),
    FOREIGN KEY (key_id, material_id) REFERENCES key_materials (key_id, material_id) ON DELETE CASCADE
  ) STRICT;`,
  `CREATE TABLE deleted_replicas (
    key_id TEXT NOT NULL,
    source TEXT NOT NULL,
    told_generation TEXT,
    PRIMARY KEY (key_id, source)
  ) STRICT;`,
  `ALTER TABLE deleted_replicas RENAME COLUMN key_id TO key_name;
  ALTER TABLE deleted_replicas ADD COLUMN told_ms INTEGER;`,
  `CREATE TABLE deleted_replica_names (key_name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  INSERT INTO deleted_replica_names SELECT DISTINCT key_name FROM deleted_replicas;
  DROP TABLE deleted_replicas;
  ALTER TABLE deleted_replica_names RENAME TO deleted_replicas;`,
];

const ALGORITHMS = [
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
] as const;
const WRAPPING_KEY_SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096'] as const;

/** The lives of a region's materials in its SQLite database, beside its keys. */
export class SqliteMaterialStore implements MaterialStore {
  readonly #database: Database;
  readonly #keys: Pick<SqliteKeyStore, 'forget'>;
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;

  /** @param keys - the key store over the same database, already migrated; it forgets what is changed here */
  constructor(database: Database, keys: Pick<SqliteKeyStore, 'forget'>) {
    database.migrate('materials', MIGRATIONS);
    this.#database = database;
    this.#keys = keys;
    this.#sql = prepareAll(database, STATEMENTS);
    this.#nameTombstones();
  }

  /** Tombstones of an earlier version have the key id itself. */
  #nameTombstones(): void {
    const plain = this.#sql.plainTombstones.all().map((row) => text(row, 'key_name'));
    if (plain.length === 0) return;
    this.#database.transaction(() => {
      for (const keyId of plain) this.#sql.renameTombstone.run(deletedKeyName(keyId), keyId);
    });
    this.#database.scrub();
  }

  versions(keyId: KeyId): readonly MaterialVersion[] {
    return this.#sql.versions.all(keyId).map(versionFromRow);
  }

  putVersion(keyId: KeyId, version: MaterialVersion): void {
    const { material } = version;
    this.#sql.putVersion.run(
      keyId,
      version.materialId,
      version.index,
      version.state,
      version.createdMs,
      version.rotatedMs,
      version.rotationType,
      version.description,
      version.expirationModel,
      version.validToMs,
      version.publicKey,
      material?.exportedKeyToken ?? null,
      material?.domainKeyId ?? null,
      material?.recordMac ?? null,
    );
    this.#keys.forget(keyId);
  }

  removeVersion(keyId: KeyId, materialId: string): void {
    this.#sql.removeVersion.run(keyId, materialId);
    this.#keys.forget(keyId);
  }

  insertParameters({ keyId, algorithm, importKey, validToMs }: ImportParameters): void {
    this.#sql.insertParameters.run(
      importKey.id,
      keyId,
      algorithm,
      importKey.keySpec,
      validToMs,
      importKey.publicKey,
      importKey.exportedKeyToken,
      importKey.domainKeyId,
      importKey.recordMac,
    );
  }

  parameters(importKeyId: string): ImportParameters | undefined {
    const row = this.#sql.parameters.get(importKeyId);
    return row === undefined ? undefined : parametersFromRow(row);
  }

  countParameters(keyId: KeyId): number {
    return integer(this.#sql.countParameters.get(keyId) ?? {}, 'count');
  }

  removeParameters(importKeyId: string): boolean {
    return this.#sql.removeParameters.run(importKeyId).changes > 0;
  }

  removeParametersUntil(nowMs: number): number {
    return this.#sql.removeParametersUntil.run(nowMs).changes;
  }

  expiredMaterials(nowMs: number, limit: number): readonly DueMaterial[] {
    return this.#sql.expiredMaterials
      .all(nowMs, limit)
      .map((row) => ({ keyId: keyIdOf(row), materialId: text(row, 'material_id') }));
  }

  deletableKeys(nowMs: number, limit: number): readonly KeyId[] {
    return this.#sql.deletableKeys.all(nowMs, limit).map(keyIdOf);
  }

  nextDueMs(): number | null {
    return integerOrNull(this.#sql.nextDue.get() ?? { due_ms: null }, 'due_ms');
  }

  expiringKeys(): readonly { readonly keyId: KeyId; readonly validToMs: number }[] {
    return this.#sql.expiringKeys.all().map((row) => ({ keyId: keyIdOf(row), validToMs: integer(row, 'valid_to_ms') }));
  }

  putReplicaMaterial(keyId: KeyId, region: string, materialId: string): void {
    this.#sql.putReplicaMaterial.run(keyId, region, materialId);
  }

  replicasWithMaterial(keyId: KeyId, materialId: string): readonly string[] {
    return this.#sql.replicasWithMaterial.all(keyId, materialId).map((row) => text(row, 'region'));
  }

  materialsAwaitingReplicas(): readonly DueMaterial[] {
    return this.#sql.materialsAwaitingReplicas
      .all()
      .map((row) => ({ keyId: keyIdOf(row), materialId: text(row, 'material_id') }));
  }

  putDeletedReplica(keyId: KeyId): void {
    this.#sql.putDeletedReplica.run(deletedKeyName(keyId));
  }

  wasReplicaDeleted(keyId: string): boolean {
    return this.#sql.wasReplicaDeleted.get(deletedKeyName(keyId)) !== undefined;
  }

  removeDeletedReplica(keyId: string): void {
    this.#sql.removeDeletedReplica.run(deletedKeyName(keyId));
  }

  keysAwaitingReplicaDeletion(): readonly KeyId[] {
    return this.#sql.keysAwaitingReplicaDeletion.all().map(keyIdOf);
  }

  hasExternalKeys(): boolean {
    return this.#sql.externalKey.get() !== undefined;
  }

  putEvent(event: ServiceEvent): void {
    this.#sql.putEvent.run(event.eventId, JSON.stringify(event, withDates));
  }

  events(limit: number): readonly ServiceEvent[] {
    return this.#sql.events.all(limit).map((row) => JSON.parse(text(row, 'event'), asDate) as ServiceEvent);
  }

  removeEvent(eventId: string): void {
    this.#sql.removeEvent.run(eventId);
  }

  scrub(): void {
    this.#database.scrub();
  }
}

const STATEMENTS = {
  versions: `${VERSION_ROWS} WHERE key_id = ? ORDER BY rotation_index`,
  putVersion: `INSERT INTO key_materials (key_id, material_id, rotation_index, material_state, created_ms, rotated_ms,
    rotation_type, description, expiration_model, valid_to_ms, public_key, exported_key_token, domain_key_id, record_mac)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key_id, material_id) DO UPDATE SET rotation_index = excluded.rotation_index,
    material_state = excluded.material_state, rotated_ms = excluded.rotated_ms,
    rotation_type = excluded.rotation_type, description = excluded.description,
    expiration_model = excluded.expiration_model, valid_to_ms = excluded.valid_to_ms, public_key = excluded.public_key,
    exported_key_token = excluded.exported_key_token, domain_key_id = excluded.domain_key_id,
    record_mac = excluded.record_mac`,
  removeVersion: 'DELETE FROM key_materials WHERE key_id = ? AND material_id = ?',
  insertParameters: `INSERT INTO import_parameters (import_key_id, key_id, wrapping_algorithm, wrapping_key_spec, valid_to_ms,
    public_key, exported_key_token, domain_key_id, record_mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  parameters: 'SELECT * FROM import_parameters WHERE import_key_id = ?',
  countParameters: 'SELECT count(*) AS count FROM import_parameters WHERE key_id = ?',
  removeParameters: 'DELETE FROM import_parameters WHERE import_key_id = ?',
  removeParametersUntil: 'DELETE FROM import_parameters WHERE valid_to_ms <= ?',
  expiredMaterials: `SELECT key_id, material_id FROM key_materials
    WHERE exported_key_token IS NOT NULL AND valid_to_ms IS NOT NULL AND valid_to_ms <= ? ORDER BY valid_to_ms LIMIT ?`,
  deletableKeys: `SELECT key_id FROM keys WHERE deletion_date_ms IS NOT NULL AND deletion_date_ms <= ?
    ORDER BY deletion_date_ms LIMIT ?`,
  nextDue: `SELECT min(due_ms) AS due_ms FROM (
    SELECT min(valid_to_ms) AS due_ms FROM key_materials WHERE exported_key_token IS NOT NULL AND valid_to_ms IS NOT NULL
    UNION ALL SELECT min(deletion_date_ms) FROM keys WHERE deletion_date_ms IS NOT NULL
    UNION ALL SELECT min(valid_to_ms) FROM import_parameters)`,
  expiringKeys: `SELECT key_id, min(valid_to_ms) AS valid_to_ms FROM key_materials
    WHERE exported_key_token IS NOT NULL AND valid_to_ms IS NOT NULL GROUP BY key_id ORDER BY key_id`,
  putReplicaMaterial: 'INSERT OR IGNORE INTO replica_materials (key_id, region, material_id) VALUES (?, ?, ?)',
  replicasWithMaterial: 'SELECT region FROM replica_materials WHERE key_id = ? AND material_id = ?',
  materialsAwaitingReplicas: `SELECT key_id, material_id FROM key_materials JOIN keys USING (key_id)
    WHERE multi_region_type = 'PRIMARY' AND material_state = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION'`,
  putDeletedReplica: 'INSERT OR IGNORE INTO deleted_replicas (key_name) VALUES (?)',
  wasReplicaDeleted: 'SELECT 1 FROM deleted_replicas WHERE key_name = ?',
  removeDeletedReplica: 'DELETE FROM deleted_replicas WHERE key_name = ?',
  plainTombstones: "SELECT key_name FROM deleted_replicas WHERE key_name NOT LIKE 'deleted:%'",
  renameTombstone: 'UPDATE OR REPLACE deleted_replicas SET key_name = ? WHERE key_name = ?',
  externalKey: "SELECT key_id FROM keys WHERE origin = 'EXTERNAL' LIMIT 1",
  keysAwaitingReplicaDeletion: "SELECT key_id FROM keys WHERE key_state = 'PendingReplicaDeletion'",
  putEvent: 'INSERT INTO service_events (event_id, event) VALUES (?, ?)',
  events: 'SELECT event FROM service_events ORDER BY event_number LIMIT ?',
  removeEvent: 'DELETE FROM service_events WHERE event_id = ?',
} as const;
type StatementName = keyof typeof STATEMENTS;

/** JSON has no dates: one is kept as an object with its time. */
function withDates(this: unknown, name: string, value: unknown): unknown {
  const original: unknown = Object(this)[name];
  return original instanceof Date ? { $dateMs: original.getTime() } : value;
}

function asDate(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$dateMs' in value)) return value;
  return new Date(Number(value.$dateMs));
}

function keyIdOf(row: SqlRow): KeyId {
  const id = text(row, 'key_id');
  if (!isKeyId(id)) throw new Error(`the database holds the malformed key id ${id}`);
  return id;
}

function parametersFromRow(row: SqlRow): ImportParameters {
  return {
    keyId: keyIdOf(row),
    algorithm: oneOf(row, 'wrapping_algorithm', ALGORITHMS),
    validToMs: integer(row, 'valid_to_ms'),
    importKey: {
      id: text(row, 'import_key_id'),
      keySpec: oneOf(row, 'wrapping_key_spec', WRAPPING_KEY_SPECS),
      publicKey: octets(row, 'public_key'),
      exportedKeyToken: octets(row, 'exported_key_token'),
      domainKeyId: text(row, 'domain_key_id'),
      recordMac: octets(row, 'record_mac'),
    },
  };
}
