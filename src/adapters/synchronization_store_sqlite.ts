import type { KeyId } from '../kms/key_id.js';
import type { SynchronizationStore } from '../kms/synchronization_store.js';
import type { Database, SqlStatement } from './database.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE synchronizations (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    region TEXT NOT NULL,
    context_hash TEXT NOT NULL,
    PRIMARY KEY (key_id, region)
  ) STRICT;`,
];

/** What primaries brought to their replicas, in a region's SQLite database. */
export class SqliteSynchronizationStore implements SynchronizationStore {
  readonly #note: SqlStatement;

  /** @param database - the key store has migrated it already */
  constructor(database: Database) {
    database.migrate('synchronizations', MIGRATIONS);
    this.#note = database.prepare(`INSERT INTO synchronizations (key_id, region, context_hash) VALUES (?, ?, ?)
      ON CONFLICT (key_id, region) DO UPDATE SET context_hash = excluded.context_hash
      WHERE context_hash <> excluded.context_hash`);
  }

  note(keyId: KeyId, region: string, contextHash: string): boolean {
    return this.#note.run(keyId, region, contextHash).changes > 0;
  }
}
