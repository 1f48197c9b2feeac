import type { AliasRecord, AliasStore } from '../kms/alias_store.js';
import { isKeyId, type KeyId } from '../kms/key_id.js';
import type { KeyStore } from '../kms/key_store.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, text } from './key_rows.js';
import { remember } from './remember.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE aliases (
    name TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX aliases_of_key ON aliases (key_id, name);`,
];

/**
 * A region's aliases in its SQLite database, beside its keys. What is remembered of them is dropped with the key that they name, and
 * by every rollback.
 */
export class SqliteAliasStore implements AliasStore {
  readonly #database: Database;
  readonly #byName = new Map<string, AliasRecord>();
  readonly #byKey = new Map<string, readonly AliasRecord[]>();
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;

  /** @param keys - the key store over the same database, already migrated */
  constructor(database: Database, keys: Pick<KeyStore, 'onDelete'>) {
    database.migrate('aliases', MIGRATIONS);
    this.#database = database;
    this.#sql = prepareAll(database, STATEMENTS);
    // The rows go with their key; a replica that is made again later has the same key id.
    keys.onDelete(() => this.#forget());
    database.onRollback(() => this.#forget());
  }

  alias(name: string): AliasRecord | undefined {
    const remembered = this.#byName.get(name);
    if (remembered !== undefined) return remembered;
    const row = this.#sql.alias.get(name);
    if (row === undefined) return undefined;
    const alias = aliasFromRow(row);
    remember(this.#byName, name, alias);
    return alias;
  }

  aliasesOf(keyId: KeyId): readonly AliasRecord[] {
    let aliases = this.#byKey.get(keyId);
    if (aliases === undefined) {
      aliases = this.#sql.aliasesOf.all(keyId).map(aliasFromRow);
      remember(this.#byKey, keyId, aliases);
    }
    return aliases;
  }

  aliases(page: { readonly after: string; readonly limit: number }): readonly AliasRecord[] {
    return this.#sql.aliases.all(page.after, page.limit).map(aliasFromRow);
  }

  putAlias({ name, keyId, createdMs, updatedMs }: AliasRecord): void {
    const before = this.alias(name);
    this.#database.transaction(() => this.#sql.putAlias.run(name, keyId, createdMs, updatedMs));
    this.#forgetAlias(name, before?.keyId, keyId);
  }

  removeAlias(name: string): void {
    const before = this.alias(name);
    this.#database.transaction(() => this.#sql.removeAlias.run(name));
    this.#forgetAlias(name, before?.keyId);
  }

  #forgetAlias(name: string, ...keys: readonly (KeyId | undefined)[]): void {
    this.#byName.delete(name);
    for (const keyId of keys) if (keyId !== undefined) this.#byKey.delete(keyId);
  }

  #forget(): void {
    this.#byName.clear();
    this.#byKey.clear();
  }
}

const STATEMENTS = {
  alias: 'SELECT * FROM aliases WHERE name = ?',
  aliasesOf: 'SELECT * FROM aliases WHERE key_id = ? ORDER BY name',
  aliases: 'SELECT * FROM aliases WHERE name > ? ORDER BY name LIMIT ?',
  putAlias: `INSERT INTO aliases (name, key_id, created_ms, updated_ms) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, updated_ms = excluded.updated_ms`,
  removeAlias: 'DELETE FROM aliases WHERE name = ?',
} as const;
type StatementName = keyof typeof STATEMENTS;

function aliasFromRow(row: SqlRow): AliasRecord {
  const keyId = text(row, 'key_id');
  if (!isKeyId(keyId)) throw new Error(`the database holds the malformed key id ${keyId}`);
  return Object.freeze({
    name: text(row, 'name'),
    keyId,
    createdMs: integer(row, 'created_ms'),
    updatedMs: integer(row, 'updated_ms'),
  });
}
