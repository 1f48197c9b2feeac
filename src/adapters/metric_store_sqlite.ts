import { metricKey, UNITS, type MetricIdentity } from '../monitoring/metric.js';
import type { MetricStore, StoredMetric, StoredSample } from '../monitoring/metric_store.js';
import type { Sample } from '../monitoring/statistic.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, oneOf, text } from './key_rows.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE metrics (
    metric_id INTEGER PRIMARY KEY,
    metric_key TEXT NOT NULL UNIQUE,
    metric TEXT NOT NULL,
    key_id TEXT REFERENCES keys (key_id) ON DELETE CASCADE,
    last_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX metrics_of_key ON metrics (key_id);
  CREATE INDEX metrics_last ON metrics (last_ms);
  CREATE TABLE metric_samples (
    metric_id INTEGER NOT NULL REFERENCES metrics (metric_id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    unit TEXT NOT NULL,
    sample_count REAL NOT NULL,
    sum REAL NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    PRIMARY KEY (metric_id, at_ms, unit)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX metric_samples_time ON metric_samples (at_ms);`,
  `ALTER TABLE metrics ADD COLUMN other_key_id TEXT REFERENCES keys (key_id) ON DELETE CASCADE;
  CREATE INDEX metrics_of_other_key ON metrics (other_key_id);`,
];

/** Samples that were put or counted, in a region's SQLite database beside its keys. */
export class SqliteMetricStore implements MetricStore {
  readonly #database: Database;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, SqlStatement>>;

  /** @param database - with the tables of the key store */
  constructor(database: Database) {
    database.migrate('metrics', MIGRATIONS);
    this.#database = database;
    this.#sql = prepareAll(database, STATEMENTS);
  }

  put(
    samples: readonly StoredSample[],
    options: { readonly metricsMax: number; readonly durability: 'durable' | 'ordered' },
  ): number {
    return this.#database.transaction(() => {
      const known = new Map<string, number>();
      const fresh = new Set<string>();
      const keys = samples.map(({ metric }) => metricKey(metric));
      for (const key of new Set(keys)) {
        const row = this.#sql.metricId.get(key);
        if (row === undefined) fresh.add(key);
        else known.set(key, integer(row, 'metric_id'));
      }
      let room = options.metricsMax - integer(this.#sql.countMetrics.get() ?? {}, 'count');
      if (options.durability === 'durable' && fresh.size > room) {
        return keys.filter((key) => fresh.has(key)).length;
      }
      let leftOut = 0;
      for (const [index, { metric, sample, keyIds = [] }] of samples.entries()) {
        const key = keys[index] ?? '';
        if (fresh.has(key) && !known.has(key) && room > 0) {
          // A key that is gone meanwhile has no metrics any more.
          if (keyIds.every((keyId) => this.#sql.keyExists.get(keyId) !== undefined)) {
            const [keyId = null, otherKeyId = null] = keyIds;
            this.#sql.insertMetric.run(key, JSON.stringify(metric), keyId, otherKeyId, sample.atMs);
            known.set(key, integer(this.#sql.metricId.get(key) ?? {}, 'metric_id'));
            room -= 1;
          }
        }
        const metricId = known.get(key);
        if (metricId === undefined) {
          leftOut += 1;
          continue;
        }
        const { atMs, unit, sampleCount, sum, minimum, maximum } = sample;
        this.#sql.addSample.run(metricId, atMs, unit, sampleCount, sum, minimum, maximum);
        this.#sql.touchMetric.run(atMs, metricId);
      }
      return leftOut;
    }, options.durability);
  }

  samples(
    metric: MetricIdentity,
    range: { readonly fromMs: number; readonly toMs: number; readonly limit: number },
  ): readonly Sample[] {
    return this.#sql.samples.all(metricKey(metric), range.fromMs, range.toMs, range.limit).map(sampleFromRow);
  }

  metrics(sinceMs: number): readonly StoredMetric[] {
    return this.#sql.metrics.all(sinceMs).map((row) => ({
      metric: JSON.parse(text(row, 'metric')) as MetricIdentity,
      lastMs: integer(row, 'last_ms'),
    }));
  }

  prune({ beforeMs, afterMs, samplesMax }: Parameters<MetricStore['prune']>[0]): void {
    this.#database.transaction(() => {
      this.#sql.pruneSamples.run(beforeMs, afterMs);
      const surplus = integer(this.#sql.countSamples.get() ?? {}, 'count') - samplesMax;
      if (surplus > 0) this.#sql.pruneOldest.run(surplus);
      this.#sql.pruneMetrics.run();
      this.#sql.settleMetrics.run(afterMs);
    }, 'ordered');
  }
}

const STATEMENTS = {
  metricId: 'SELECT metric_id FROM metrics WHERE metric_key = ?',
  countMetrics: 'SELECT count(*) AS count FROM metrics',
  keyExists: 'SELECT 1 AS found FROM keys WHERE key_id = ?',
  insertMetric: 'INSERT INTO metrics (metric_key, metric, key_id, other_key_id, last_ms) VALUES (?, ?, ?, ?, ?)',
  touchMetric: 'UPDATE metrics SET last_ms = max(last_ms, ?) WHERE metric_id = ?',
  addSample: `INSERT INTO metric_samples (metric_id, at_ms, unit, sample_count, sum, minimum, maximum) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (metric_id, at_ms, unit) DO UPDATE SET sample_count = sample_count + excluded.sample_count,
    sum = sum + excluded.sum, minimum = min(minimum, excluded.minimum), maximum = max(maximum, excluded.maximum)`,
  samples: `SELECT at_ms, unit, sample_count, sum, minimum, maximum FROM metric_samples
    WHERE metric_id = (SELECT metric_id FROM metrics WHERE metric_key = ?) AND at_ms >= ? AND at_ms < ?
    ORDER BY at_ms LIMIT ?`,
  metrics: 'SELECT metric, last_ms FROM metrics WHERE last_ms >= ? ORDER BY metric_key',
  pruneSamples: 'DELETE FROM metric_samples WHERE at_ms < ? OR at_ms > ?',
  countSamples: 'SELECT count(*) AS count FROM metric_samples',
  pruneOldest: `DELETE FROM metric_samples WHERE (metric_id, at_ms, unit) IN
    (SELECT metric_id, at_ms, unit FROM metric_samples ORDER BY at_ms LIMIT ?)`,
  pruneMetrics: `DELETE FROM metrics WHERE NOT EXISTS
    (SELECT 1 FROM metric_samples WHERE metric_samples.metric_id = metrics.metric_id)`,
  settleMetrics: `UPDATE metrics SET last_ms =
    (SELECT max(at_ms) FROM metric_samples WHERE metric_samples.metric_id = metrics.metric_id) WHERE last_ms > ?`,
} as const;

function sampleFromRow(row: SqlRow): Sample {
  return {
    atMs: integer(row, 'at_ms'),
    unit: oneOf(row, 'unit', UNITS),
    sampleCount: real(row, 'sample_count'),
    sum: real(row, 'sum'),
    minimum: real(row, 'minimum'),
    maximum: real(row, 'maximum'),
  };
}

function real(row: SqlRow, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new Error(`column ${column} holds no number`);
  return value;
}
