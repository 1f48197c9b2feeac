import type { ExpiryInterval, ExpiryStore } from '../monitoring/expiry_store.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, integerOrNull, text } from './key_rows.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE expiry_intervals (
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER,
    valid_to_ms INTEGER NOT NULL,
    PRIMARY KEY (key_id, from_ms)
  ) STRICT;
  CREATE INDEX expiry_intervals_end ON expiry_intervals (until_ms);
  CREATE TABLE clock_moves (at_ms INTEGER PRIMARY KEY) STRICT;`,
  // What expires is asked for each minute, among as many keys as there are: the answer is in this index alone, in its order.
  `CREATE INDEX key_materials_expiring ON key_materials (key_id, valid_to_ms)
    WHERE exported_key_token IS NOT NULL AND valid_to_ms IS NOT NULL;`,
];

/** Moves of the clock that are remembered at the same time. */
const MOVES_MAX = 2000;

/** When keys had expiring material, in a region's SQLite database beside its keys. */
export class SqliteExpiryStore implements ExpiryStore {
  readonly #database: Database;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, SqlStatement>>;

  /** @param database - with the tables of the key store, whose expiring materials get an index */
  constructor(database: Database) {
    database.migrate('expiry', MIGRATIONS);
    this.#database = database;
    this.#sql = prepareAll(database, STATEMENTS);
  }

  open(): readonly ExpiryInterval[] {
    return this.#sql.open.all().map(intervalFromRow);
  }

  of(keyId: string): readonly ExpiryInterval[] {
    return this.#sql.of.all(keyId).map(intervalFromRow);
  }

  keysSince(sinceMs: number): readonly string[] {
    return this.#sql.keysSince.all(sinceMs).map((row) => text(row, 'key_id'));
  }

  change({ ended, begun }: Parameters<ExpiryStore['change']>[0]): void {
    this.#database.transaction(() => {
      for (const { keyId, untilMs } of ended) this.#sql.end.run(untilMs, keyId);
      for (const { keyId, fromMs, validToMs } of begun) {
        this.#sql.begin.run(keyId, fromMs, validToMs);
      }
    }, 'ordered');
  }

  moves({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): readonly number[] {
    return this.#sql.moves.all(fromMs, toMs).map((row) => integer(row, 'at_ms'));
  }

  putMove(atMs: number): void {
    this.#database.transaction(() => {
      this.#sql.putMove.run(atMs);
      this.#sql.limitMoves.run(MOVES_MAX);
    }, 'ordered');
  }

  prune({ beforeMs, nowMs }: { readonly beforeMs: number; readonly nowMs: number }): void {
    this.#database.transaction(() => {
      this.#sql.pruneIntervals.run(beforeMs, nowMs);
      this.#sql.restart.run(nowMs, nowMs);
      this.#sql.shorten.run(nowMs, nowMs);
      this.#sql.pruneMoves.run(beforeMs, nowMs);
    }, 'ordered');
  }
}

const COLUMNS = 'key_id, from_ms, until_ms, valid_to_ms';

const STATEMENTS = {
  open: `SELECT ${COLUMNS} FROM expiry_intervals WHERE until_ms IS NULL`,
  of: `SELECT ${COLUMNS} FROM expiry_intervals WHERE key_id = ? ORDER BY from_ms`,
  keysSince: `SELECT key_id FROM expiry_intervals WHERE until_ms IS NULL
    UNION SELECT key_id FROM expiry_intervals WHERE until_ms >= ? ORDER BY key_id`,
  end: 'UPDATE expiry_intervals SET until_ms = ? WHERE key_id = ? AND until_ms IS NULL',
  // Two that begin in the same millisecond: the later one is what holds.
  begin: `INSERT INTO expiry_intervals (key_id, from_ms, until_ms, valid_to_ms)
    SELECT key_id, ?2, NULL, ?3 FROM keys WHERE key_id = ?1
    ON CONFLICT (key_id, from_ms) DO UPDATE SET until_ms = NULL, valid_to_ms = excluded.valid_to_ms`,
  moves: 'SELECT at_ms FROM clock_moves WHERE at_ms >= ? AND at_ms < ? ORDER BY at_ms',
  putMove: 'INSERT OR IGNORE INTO clock_moves (at_ms) VALUES (?)',
  limitMoves: `DELETE FROM clock_moves WHERE at_ms NOT IN
    (SELECT at_ms FROM clock_moves ORDER BY at_ms DESC LIMIT ?)`,
  pruneIntervals: 'DELETE FROM expiry_intervals WHERE until_ms < ?1 OR (until_ms > ?2 AND from_ms > ?2)',
  restart: 'UPDATE expiry_intervals SET from_ms = ? WHERE until_ms IS NULL AND from_ms > ?',
  shorten: 'UPDATE expiry_intervals SET until_ms = ? WHERE until_ms > ?',
  pruneMoves: 'DELETE FROM clock_moves WHERE at_ms < ? OR at_ms > ?',
} as const;

function intervalFromRow(row: SqlRow): ExpiryInterval {
  return {
    keyId: text(row, 'key_id'),
    fromMs: integer(row, 'from_ms'),
    untilMs: integerOrNull(row, 'until_ms'),
    validToMs: integer(row, 'valid_to_ms'),
  };
}
