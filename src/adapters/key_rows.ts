import type { MaterialBinding } from '../hsm/material.js';
import { isKeyId } from '../kms/key_id.js';
import type { KeyRecord, MaterialRecord, MultiRegionRecord } from '../kms/key_record.js';
import type { ReplicaRecord } from '../kms/key_store.js';
import type { KeyState } from '../kms/key_state.js';
import type { Tag } from '../kms/tag.js';
import { DATA_SUITES, type DataSuite } from '../wire/ciphertext_blob.js';
import type { SqlRow } from './database.js';

/**
 * Tables of a region's keys, version by version. A step that was released is never changed.
 *
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
];

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

function textOrNull(row: SqlRow, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

function integer(row: SqlRow, column: string): number {
  const value = row[column];
  if (!Number.isSafeInteger(value)) throw new Error(`column ${column} holds no integer`);
  return Number(value);
}

function octets(row: SqlRow, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new Error(`column ${column} holds no octets`);
  return value;
}

function oneOf<Value extends string>(row: SqlRow, column: string, values: readonly Value[]): Value {
  const found = text(row, column);
  const value = values.find((candidate) => candidate === found);
  if (value === undefined) throw new Error(`column ${column} holds the unknown value ${found}`);
  return value;
}

function dataSuite(row: SqlRow): DataSuite | null {
  return row['data_suite'] === null ? null : oneOf(row, 'data_suite', DATA_SUITES);
}

/** Reads a row of `keys`. */
export function keyFromRow(
  row: SqlRow,
  arn: string,
  replicaRegions: readonly string[],
): Omit<KeyRecord, 'currentMaterial'> {
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
    keySpec: oneOf(row, 'key_spec', ['SYMMETRIC_DEFAULT'] as const),
    keyUsage: oneOf(row, 'key_usage', ['ENCRYPT_DECRYPT'] as const),
    origin: oneOf(row, 'origin', ['AWS_KMS'] as const),
    state: oneOf(row, 'key_state', STATES),
    dataSuite: dataSuite(row),
    multiRegion,
  };
}

/** Reads a row of `key_materials` joined with its key. */
export function materialFromRow(row: SqlRow): MaterialRecord {
  const suite = dataSuite(row);
  if (suite === null) throw new Error('a key with material has no data suite');
  const binding: MaterialBinding = {
    keyId: text(row, 'key_id'),
    keySpec: oneOf(row, 'key_spec', ['SYMMETRIC_DEFAULT'] as const),
    keyUsage: oneOf(row, 'key_usage', ['ENCRYPT_DECRYPT'] as const),
    multiRegion: row['multi_region_type'] !== null,
    dataSuite: suite,
    materialId: text(row, 'material_id'),
  };
  return {
    material: {
      binding,
      exportedKeyToken: octets(row, 'exported_key_token'),
      domainKeyId: text(row, 'domain_key_id'),
      recordMac: octets(row, 'record_mac'),
    },
    index: integer(row, 'rotation_index'),
    state: oneOf(row, 'material_state', ['CURRENT', 'NON_CURRENT'] as const),
    createdMs: integer(row, 'material_created_ms'),
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
