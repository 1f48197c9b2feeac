import { KEY_SPECS, type KeyUsage, type MaterialBinding, type StoredMaterial } from '../hsm/material.js';
import { isKeyId } from '../kms/key_id.js';
import type { ImportedMaterialFacts, KeyFacts, MaterialRecord, MultiRegionRecord } from '../kms/key_record.js';
import type { MaterialState, MaterialVersion, RotationType } from '../kms/material_version.js';
import type { ReplicaRecord } from '../kms/key_store.js';
import type { KeyState } from '../kms/key_state.js';
import type { Tag } from '../kms/tag.js';
import { DATA_SUITES, type DataSuite } from '../wire/ciphertext_blob.js';
import type { SqlRow } from './database.js';

/**
 * Tables of a region's keys, version by version. A step that was released is never changed.
 *
 * `key_materials.public_key`: DER SubjectPublicKeyInfo of an asymmetric key.
 * `key_replicas`: on a primary its replicas with what `ReplicateKey` chose for them; on a replica the regions of its set.
 */
export const KEY_MIGRATIONS: readonly string[] = [
  `CREATE TABLE keys (
    key_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    description TEXT NOT NULL,
    key_spec TEXT NOT NULL,
    key_usage TEXT NOT NULL,
    origin TEXT NOT NULL,
    key_state TEXT NOT NULL,
    data_suite TEXT,
    multi_region_type TEXT CHECK (multi_region_type IN ('PRIMARY', 'REPLICA')),
    primary_region TEXT,
    birth_certificate TEXT,
    policy TEXT NOT NULL
  ) STRICT;
  CREATE TABLE key_materials (
    material_id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    rotation_index INTEGER NOT NULL,
    material_state TEXT NOT NULL CHECK (material_state IN ('CURRENT', 'NON_CURRENT')),
    created_ms INTEGER NOT NULL,
    exported_key_token BLOB NOT NULL,
    domain_key_id TEXT NOT NULL,
    record_mac BLOB NOT NULL,
    UNIQUE (key_id, rotation_index)
  ) STRICT;
  CREATE UNIQUE INDEX key_materials_current ON key_materials (key_id) WHERE material_state = 'CURRENT';
  CREATE TABLE key_tags (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (key_id, tag_key)
  ) STRICT;
  CREATE TABLE key_replicas (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    region TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('REPLICATING', 'ACTIVE', 'FAILED')),
    failure TEXT,
    description TEXT NOT NULL,
    policy TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (key_id, region)
  ) STRICT;`,
  // Two keys may hold the same asymmetric material, and imported material may be missing from a version that stays known.
  `CREATE TABLE key_material_versions (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    material_id TEXT NOT NULL,
    rotation_index INTEGER NOT NULL,
    material_state TEXT NOT NULL CHECK (material_state IN
      ('CURRENT', 'NON_CURRENT', 'PENDING_ROTATION', 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION')),
    created_ms INTEGER NOT NULL,
    rotated_ms INTEGER,
    description TEXT,
    expiration_model TEXT CHECK (expiration_model IN ('KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE')),
    valid_to_ms INTEGER,
    public_key BLOB,
    exported_key_token BLOB,
    domain_key_id TEXT,
    record_mac BLOB,
    PRIMARY KEY (key_id, material_id),
    UNIQUE (key_id, rotation_index),
    CHECK ((exported_key_token IS NULL) = (domain_key_id IS NULL)),
    CHECK ((exported_key_token IS NULL) = (record_mac IS NULL))
  ) STRICT;
  INSERT INTO key_material_versions (key_id, material_id, rotation_index, material_state, created_ms, exported_key_token,
    domain_key_id, record_mac)
    SELECT key_id, material_id, rotation_index, material_state, created_ms, exported_key_token, domain_key_id, record_mac
    FROM key_materials;
  DROP TABLE key_materials;
  ALTER TABLE key_material_versions RENAME TO key_materials;
  CREATE UNIQUE INDEX key_materials_current ON key_materials (key_id) WHERE material_state = 'CURRENT';
  CREATE INDEX key_materials_id ON key_materials (material_id);
  CREATE INDEX key_materials_expiry ON key_materials (valid_to_ms)
    WHERE exported_key_token IS NOT NULL AND valid_to_ms IS NOT NULL;
  ALTER TABLE keys ADD COLUMN deletion_window_days INTEGER;
  ALTER TABLE keys ADD COLUMN deletion_date_ms INTEGER;
  CREATE INDEX keys_deletion ON keys (deletion_date_ms) WHERE deletion_date_ms IS NOT NULL;`,
  `ALTER TABLE key_materials ADD COLUMN rotation_type TEXT CHECK (rotation_type IN ('AUTOMATIC', 'ON_DEMAND'));
  UPDATE key_materials SET rotation_type = 'ON_DEMAND' WHERE rotated_ms IS NOT NULL;`,
  // What waits for replicas is asked for again and again: a few keys among many.
  `CREATE INDEX keys_awaiting_replicas ON keys (key_id) WHERE key_state = 'PendingReplicaDeletion';
  CREATE INDEX key_materials_awaiting_replicas ON key_materials (key_id)
    WHERE material_state = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION';`,
  "CREATE INDEX keys_external ON keys (key_id) WHERE origin = 'EXTERNAL';",
];

const USAGES: readonly KeyUsage[] = ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT'];

const VERSION_STATES = [
  'CURRENT',
  'NON_CURRENT',
  'PENDING_ROTATION',
  'PENDING_MULTI_REGION_IMPORT_AND_ROTATION',
] as const satisfies readonly MaterialState[];
const ROTATION_TYPES: readonly RotationType[] = ['AUTOMATIC', 'ON_DEMAND'];
const EXPIRATION_MODELS = ['KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE'] as const;

const MATERIAL_COLUMNS = `material_id, key_id, rotation_index, material_state, key_materials.created_ms AS material_created_ms,
  rotated_ms, rotation_type, key_materials.description AS material_description, expiration_model, valid_to_ms, public_key,
  exported_key_token, domain_key_id, record_mac, key_spec, key_usage, data_suite, multi_region_type`;

/** Every version that keys know; for {@link versionFromRow}. */
export const VERSION_ROWS = `SELECT ${MATERIAL_COLUMNS} FROM key_materials JOIN keys USING (key_id)`;

/** Material that is here and belongs to its key for good: what cryptography may use; for {@link materialFromRow}. */
export const MATERIAL_ROWS = `${VERSION_ROWS}
  WHERE exported_key_token IS NOT NULL AND material_state IN ('CURRENT', 'NON_CURRENT')`;

const STATES: readonly KeyState[] = [
  'Creating',
  'Enabled',
  'Disabled',
  'PendingImport',
  'PendingDeletion',
  'PendingReplicaDeletion',
  'Updating',
];

/** A column that holds a text. */
export function text(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new Error(`column ${column} holds no text`);
  return value;
}

/** A column that may hold a text. */
export function textOrNull(row: SqlRow, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

/** A column that holds a whole number. */
export function integer(row: SqlRow, column: string): number {
  const value = row[column];
  if (!Number.isSafeInteger(value)) throw new Error(`column ${column} holds no integer`);
  return Number(value);
}

/** A column that may hold a whole number. */
export function integerOrNull(row: SqlRow, column: string): number | null {
  return row[column] === null ? null : integer(row, column);
}

/** A column that holds octets. */
export function octets(row: SqlRow, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new Error(`column ${column} holds no octets`);
  return value;
}

/** A column that may hold octets. */
export function octetsOrNull(row: SqlRow, column: string): Uint8Array | null {
  return row[column] === null ? null : octets(row, column);
}

/** A column that holds one of a set of texts. */
export function oneOf<Value extends string>(row: SqlRow, column: string, values: readonly Value[]): Value {
  const found = text(row, column);
  const value = values.find((candidate) => candidate === found);
  if (value === undefined) throw new Error(`column ${column} holds the unknown value ${found}`);
  return value;
}

function dataSuite(row: SqlRow): DataSuite | null {
  return row['data_suite'] === null ? null : oneOf(row, 'data_suite', DATA_SUITES);
}

/** Reads a row of `keys`. */
export function keyFromRow(row: SqlRow, arn: string, replicaRegions: readonly string[]): KeyFacts {
  const keyId = text(row, 'key_id');
  if (!isKeyId(keyId)) throw new Error(`the database holds the malformed key id ${keyId}`);
  const multiRegion: MultiRegionRecord | null =
    row['multi_region_type'] === null
      ? null
      : {
          type: oneOf(row, 'multi_region_type', ['PRIMARY', 'REPLICA'] as const),
          primaryRegion: text(row, 'primary_region'),
          replicaRegions,
          birthCertificate: text(row, 'birth_certificate'),
        };
  return {
    keyId,
    arn,
    account: text(row, 'account_id'),
    createdMs: integer(row, 'created_ms'),
    description: text(row, 'description'),
    keySpec: oneOf(row, 'key_spec', KEY_SPECS),
    keyUsage: oneOf(row, 'key_usage', USAGES),
    origin: oneOf(row, 'origin', ['AWS_KMS', 'EXTERNAL'] as const),
    state: oneOf(row, 'key_state', STATES),
    dataSuite: dataSuite(row),
    multiRegion,
    deletion:
      row['deletion_window_days'] === null
        ? null
        : {
            windowDays: integer(row, 'deletion_window_days'),
            dateMs: integerOrNull(row, 'deletion_date_ms'),
          },
  };
}

/** Reads a row of `key_materials` whose material is here, joined with its key. */
export function materialFromRow(row: SqlRow): MaterialRecord {
  return {
    material: materialOfRow(row),
    index: integer(row, 'rotation_index'),
    state: oneOf(row, 'material_state', ['CURRENT', 'NON_CURRENT'] as const),
    createdMs: integer(row, 'material_created_ms'),
  };
}

function materialOfRow(row: SqlRow): StoredMaterial {
  const binding: MaterialBinding = {
    keyId: text(row, 'key_id'),
    keySpec: oneOf(row, 'key_spec', KEY_SPECS),
    keyUsage: oneOf(row, 'key_usage', USAGES),
    multiRegion: row['multi_region_type'] !== null,
    dataSuite: dataSuite(row),
    materialId: text(row, 'material_id'),
  };
  return {
    binding,
    exportedKeyToken: octets(row, 'exported_key_token'),
    domainKeyId: text(row, 'domain_key_id'),
    publicKey: octetsOrNull(row, 'public_key'),
    recordMac: octets(row, 'record_mac'),
  };
}

/** Reads a row of `key_tags`. */
export function tagFromRow(row: SqlRow): Tag {
  return { TagKey: text(row, 'tag_key'), TagValue: text(row, 'tag_value') };
}

/** Reads a row of `key_replicas`. */
export function replicaFromRow(row: SqlRow): ReplicaRecord {
  return {
    region: text(row, 'region'),
    standing: oneOf(row, 'standing', ['REPLICATING', 'ACTIVE', 'FAILED'] as const),
    failure: textOrNull(row, 'failure'),
    description: text(row, 'description'),
    policy: text(row, 'policy'),
    tags: JSON.parse(text(row, 'tags')) as readonly Tag[],
  };
}

/** Reads a row of `key_materials` as a version, whether or not its material is here. */
export function versionFromRow(row: SqlRow): MaterialVersion {
  return {
    materialId: text(row, 'material_id'),
    index: integer(row, 'rotation_index'),
    state: oneOf(row, 'material_state', VERSION_STATES),
    createdMs: integer(row, 'material_created_ms'),
    rotatedMs: integerOrNull(row, 'rotated_ms'),
    rotationType: row['rotation_type'] === null ? null : oneOf(row, 'rotation_type', ROTATION_TYPES),
    description: textOrNull(row, 'material_description'),
    expirationModel: row['expiration_model'] === null ? null : oneOf(row, 'expiration_model', EXPIRATION_MODELS),
    validToMs: integerOrNull(row, 'valid_to_ms'),
    publicKey: octetsOrNull(row, 'public_key'),
    material: row['exported_key_token'] === null ? null : materialOfRow(row),
  };
}

/** What a key knows of its imported material, from all its versions; null where nothing was ever imported. */
export function importedFacts(versions: readonly MaterialVersion[]): ImportedMaterialFacts | null {
  const current = versions.find((version) => version.state === 'CURRENT');
  if (current === undefined) return null;
  const dates = versions.flatMap((version) => version.validToMs ?? []);
  return {
    currentMaterialId: current.materialId,
    publicKey: current.publicKey,
    expirationModel: dates.length > 0 ? 'KEY_MATERIAL_EXPIRES' : current.expirationModel,
    validToMs: dates.length > 0 ? Math.min(...dates) : null,
  };
}
