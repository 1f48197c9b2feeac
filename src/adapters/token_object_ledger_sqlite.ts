import type { TokenObjectLedger } from '../hsm/token_object.js';
import { domainKeyIdOfObject } from '../hsm/material.js';
import type { Database, SqlStatement } from './database.js';
import { integer, text } from './key_rows.js';

const MIGRATIONS: readonly string[] = [
  'CREATE TABLE token_objects (object_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;',
];

/** Which token objects a region has made for keys, in its SQLite database, beside the records that use them. */
export class SqliteTokenObjectLedger implements TokenObjectLedger {
  readonly #database: Database;
  readonly #note: SqlStatement;
  readonly #forget: SqlStatement;
  readonly #count: SqlStatement;

  constructor(database: Database) {
    database.migrate('token_objects', MIGRATIONS);
    this.#database = database;
    this.#note = database.prepare('INSERT INTO token_objects (object_id) VALUES (?)');
    this.#forget = database.prepare('DELETE FROM token_objects WHERE object_id = ?');
    this.#count = database.prepare('SELECT count(*) AS count FROM token_objects');
  }

  note(objectId: string): void {
    this.#database.transaction(() => this.#note.run(objectId));
  }

  forget(objectId: string): void {
    this.#database.transaction(() => this.#forget.run(objectId));
  }

  unused(): readonly string[] {
    if (this.count() === 0) return [];
    // The tables of the keys are made after this ledger is opened, and before anybody asks.
    return this.#database
      .prepare(
        `SELECT object_id FROM token_objects WHERE '${domainKeyIdOfObject('')}' || object_id NOT IN
          (SELECT domain_key_id FROM key_materials WHERE domain_key_id IS NOT NULL)`,
      )
      .all()
      .map((row) => text(row, 'object_id'));
  }

  count(): number {
    return integer(this.#count.get() ?? {}, 'count');
  }
}
