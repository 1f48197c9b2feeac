import type { KeyId } from '../kms/key_id.js';
import { TRACKED_OPERATIONS, type LastUsage, type LastUsageStore } from '../kms/last_usage_store.js';
import { prepareAll, type Database, type SqlStatement } from './database.js';
import { integer, oneOf, text } from './key_rows.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE key_last_usages (
    key_id TEXT PRIMARY KEY REFERENCES keys (key_id) ON DELETE CASCADE,
    operation TEXT NOT NULL,
    used_ms INTEGER NOT NULL,
    trail_event_id TEXT NOT NULL,
    request_id TEXT NOT NULL
  ) STRICT;
  CREATE TABLE usage_tracking (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    start_ms INTEGER NOT NULL
  ) STRICT;`,
];

/** When a region's keys were last used, in its SQLite database. */
export class SqliteLastUsageStore implements LastUsageStore {
  readonly #database: Database;
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;

  /** @param database - with the tables of its keys */
  constructor(database: Database) {
    database.migrate('last_usages', MIGRATIONS);
    this.#database = database;
    this.#sql = prepareAll(database, STATEMENTS);
  }

  trackingStartMs(nowMs: number): number {
    this.#sql.putStart.run(nowMs);
    return integer(this.#sql.start.get() ?? {}, 'start_ms');
  }

  lastUsage(keyId: KeyId): LastUsage | undefined {
    const row = this.#sql.lastUsage.get(keyId);
    if (row === undefined) return undefined;
    return {
      operation: oneOf(row, 'operation', TRACKED_OPERATIONS),
      atMs: integer(row, 'used_ms'),
      trailEventId: text(row, 'trail_event_id'),
      requestId: text(row, 'request_id'),
    };
  }

  putLastUsages(usages: readonly (readonly [KeyId, LastUsage])[]): void {
    this.#database.transaction(() => {
      for (const [keyId, { operation, atMs, trailEventId, requestId }] of usages) {
        this.#sql.putLastUsage.run(operation, atMs, trailEventId, requestId, keyId);
      }
    }, 'ordered');
  }
}

const STATEMENTS = {
  putStart: 'INSERT OR IGNORE INTO usage_tracking (only_row, start_ms) VALUES (1, ?)',
  start: 'SELECT start_ms FROM usage_tracking',
  lastUsage: 'SELECT * FROM key_last_usages WHERE key_id = ?',
  // A key may have gone since it was used.
  putLastUsage: `INSERT INTO key_last_usages (key_id, operation, used_ms, trail_event_id, request_id)
    SELECT key_id, ?, ?, ?, ? FROM keys WHERE key_id = ?
    ON CONFLICT (key_id) DO UPDATE SET operation = excluded.operation, used_ms = excluded.used_ms,
    trail_event_id = excluded.trail_event_id, request_id = excluded.request_id`,
} as const;
type StatementName = keyof typeof STATEMENTS;
