import { isKeyId, type KeyId } from '../kms/key_id.js';
import type { PrimaryChangeStore } from '../kms/primary_change_store.js';
import type { Handover } from '../replication/handover.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, text, textOrNull } from './key_rows.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE key_handovers (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    primary_generation INTEGER NOT NULL,
    certificate TEXT NOT NULL,
    PRIMARY KEY (key_id, primary_generation)
  ) STRICT;
  CREATE TABLE primary_changes (
    key_id TEXT PRIMARY KEY REFERENCES keys (key_id) ON DELETE CASCADE,
    destination TEXT NOT NULL,
    primary_generation TEXT NOT NULL,
    certificate TEXT,
    is_released INTEGER NOT NULL
  ) STRICT;`,
];

/** Changes of primary Regions in a region's SQLite database, beside its keys. */
export class SqlitePrimaryChangeStore implements PrimaryChangeStore {
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;

  /** @param database - the key store has migrated it already */
  constructor(database: Database) {
    database.migrate('primary_changes', MIGRATIONS);
    this.#sql = prepareAll(database, STATEMENTS);
  }

  handovers(keyId: KeyId): readonly string[] {
    return this.#sql.handovers.all(keyId).map((row) => text(row, 'certificate'));
  }

  putHandovers(keyId: KeyId, certificates: readonly string[]): void {
    this.#sql.removeHandovers.run(keyId);
    for (const [index, certificate] of certificates.entries()) {
      this.#sql.insertHandover.run(keyId, index + 1, certificate);
    }
  }

  handedOver(): readonly KeyId[] {
    return this.#sql.handedOver.all().map(keyIdOf);
  }

  change(keyId: KeyId): Handover | undefined {
    const row = this.#sql.change.get(keyId);
    return row === undefined ? undefined : changeFromRow(row);
  }

  putChange({ keyId, destination, primaryGeneration, certificate, isReleased }: Handover): void {
    this.#sql.putChange.run(keyId, destination, primaryGeneration.toString(), certificate, isReleased ? 1 : 0);
  }

  removeChange(keyId: KeyId): void {
    this.#sql.removeChange.run(keyId);
  }

  changes(): readonly Handover[] {
    return this.#sql.changes.all().map(changeFromRow);
  }
}

function keyIdOf(row: SqlRow): KeyId {
  const keyId = text(row, 'key_id');
  if (!isKeyId(keyId)) throw new Error(`the database holds the malformed key id ${keyId}`);
  return keyId;
}

function changeFromRow(row: SqlRow): Handover {
  return {
    keyId: text(row, 'key_id'),
    destination: text(row, 'destination'),
    primaryGeneration: BigInt(text(row, 'primary_generation')),
    certificate: textOrNull(row, 'certificate'),
    isReleased: integer(row, 'is_released') === 1,
  };
}

const STATEMENTS = {
  handovers: 'SELECT certificate FROM key_handovers WHERE key_id = ? ORDER BY primary_generation',
  handedOver: `SELECT key_id FROM key_handovers JOIN keys USING (key_id)
    WHERE primary_generation = 1 AND multi_region_type = 'PRIMARY'`,
  insertHandover: 'INSERT INTO key_handovers (key_id, primary_generation, certificate) VALUES (?, ?, ?)',
  removeHandovers: 'DELETE FROM key_handovers WHERE key_id = ?',
  change: 'SELECT * FROM primary_changes WHERE key_id = ?',
  changes: 'SELECT * FROM primary_changes ORDER BY rowid',
  putChange: `INSERT INTO primary_changes (key_id, destination, primary_generation, certificate, is_released)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (key_id) DO UPDATE SET destination = excluded.destination,
    primary_generation = excluded.primary_generation, certificate = excluded.certificate, is_released = excluded.is_released`,
  removeChange: 'DELETE FROM primary_changes WHERE key_id = ?',
} as const;
type StatementName = keyof typeof STATEMENTS;
