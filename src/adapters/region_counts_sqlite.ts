import type { RegionCounts } from '../metrics/region_metrics.js';
import type { Database, SqlRow, SqlStatement } from './database.js';

/** Keys are counted when they change: counting 100,000 of them would hold up every caller for tens of milliseconds. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE key_state_counts (key_state TEXT PRIMARY KEY, keys INTEGER NOT NULL) STRICT;
  INSERT INTO key_state_counts SELECT key_state, count(*) FROM keys GROUP BY key_state;
  CREATE TRIGGER key_state_counts_insert AFTER INSERT ON keys BEGIN
    INSERT INTO key_state_counts VALUES (new.key_state, 1) ON CONFLICT (key_state) DO UPDATE SET keys = keys + 1;
  END;
  CREATE TRIGGER key_state_counts_update AFTER UPDATE OF key_state ON keys WHEN old.key_state <> new.key_state BEGIN
    UPDATE key_state_counts SET keys = keys - 1 WHERE key_state = old.key_state;
    INSERT INTO key_state_counts VALUES (new.key_state, 1) ON CONFLICT (key_state) DO UPDATE SET keys = keys + 1;
  END;
  CREATE TRIGGER key_state_counts_delete AFTER DELETE ON keys BEGIN
    UPDATE key_state_counts SET keys = keys - 1 WHERE key_state = old.key_state;
  END;`,
];

/** Counts what is in the tables of keys and of replication, which have to be there. */
export class SqliteRegionCounts implements RegionCounts {
  readonly #keys: SqlStatement;
  readonly #replications: SqlStatement;
  readonly #expiries: SqlStatement;

  constructor(database: Database) {
    database.migrate('region_counts', MIGRATIONS);
    this.#keys = database.prepare(SQL.keys);
    this.#replications = database.prepare(SQL.replications);
    this.#expiries = database.prepare(SQL.expiries);
  }

  /** {@inheritDoc RegionCounts.keys} */
  keys(): ReadonlyMap<string, number> {
    return countsOf(this.#keys.all());
  }

  /** {@inheritDoc RegionCounts.replications} */
  replications(): ReadonlyMap<string, number> {
    return countsOf(this.#replications.all());
  }

  /** {@inheritDoc RegionCounts.expiries} */
  expiries(max: number): ReadonlyMap<string, number> {
    const expiries = new Map<string, number>();
    for (const row of this.#expiries.all(max)) {
      const keyId = String(row['key_id']);
      // The first of a key is its earliest.
      if (!expiries.has(keyId)) expiries.set(keyId, Number(row['valid_to_ms']));
    }
    return expiries;
  }
}

function countsOf(rows: readonly SqlRow[]): ReadonlyMap<string, number> {
  return new Map(rows.map((row) => [String(row['state']), Number(row['count'])]));
}

// The conditions are those of the partial indexes: nothing else is read.
const SQL = {
  keys: 'SELECT key_state AS state, keys AS count FROM key_state_counts ORDER BY key_state',
  replications: `SELECT state, count(*) AS count FROM replication_source_sessions
      WHERE state IN ('INTENT', 'SENT') GROUP BY state
    UNION ALL SELECT state, count(*) FROM replication_destination_sessions
      WHERE closed = 0 AND state IN ('OFFERED', 'UNWRAPPING', 'INSTALLED') AND state <> 'INSTALLED' GROUP BY state
    UNION ALL SELECT 'WAITING', count(*) FROM replication_tasks
      WHERE (wanted = 1 OR intent IS NOT NULL) AND intent IS NULL
    UNION ALL SELECT 'FROZEN', count(*) FROM replication_primaries WHERE frozen = 1`,
  expiries: `SELECT key_id, valid_to_ms FROM key_materials
    WHERE exported_key_token IS NOT NULL AND valid_to_ms IS NOT NULL ORDER BY valid_to_ms LIMIT ?`,
} as const;
