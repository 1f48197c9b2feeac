import { expect } from 'chai';
import { readdirSync } from 'node:fs';
import { Database, type SqlStatement } from '../../../src/adapters/database.js';
import { SqliteKeyStore } from '../../../src/adapters/key_store_sqlite.js';
import { SqliteMaterialStore } from '../../../src/adapters/material_store_sqlite.js';
import { SqliteAlarmStore } from '../../../src/adapters/alarm_store_sqlite.js';
import { SqliteAliasStore } from '../../../src/adapters/alias_store_sqlite.js';
import { SqliteExpiryStore } from '../../../src/adapters/expiry_store_sqlite.js';
import { SqliteGrantStore } from '../../../src/adapters/grant_store_sqlite.js';
import { SqliteLastUsageStore } from '../../../src/adapters/last_usage_store_sqlite.js';
import { SqliteMetricStore } from '../../../src/adapters/metric_store_sqlite.js';
import { SqlitePrimaryChangeStore } from '../../../src/adapters/primary_change_store_sqlite.js';
import { SqliteRegionCounts } from '../../../src/adapters/region_counts_sqlite.js';
import { SqliteRotationStore } from '../../../src/adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from '../../../src/adapters/synchronization_store_sqlite.js';
import { SqliteJournal } from '../../../src/adapters/replication_store_sqlite.js';

const HOME = { partition: 'aws', region: 'us-east-1', account: '111122223333' };

/** Tables that have a row, or more, for each key: nobody may read one of them whole while a caller waits. */
const TABLES_OF_KEYS = [
  'keys',
  'key_materials',
  'key_tags',
  'key_replicas',
  'key_rotations',
  'synchronizations',
  'aliases',
  'grants',
  'key_last_usages',
  'key_handovers',
  'expiry_intervals',
  'deleted_replicas',
];

/** Reads of a whole table that are meant, by the start of the statement, with the reason. */
const WHOLE_TABLE_READS: readonly (readonly [string, string])[] = [
  [
    'SELECT key_name FROM deleted_replicas WHERE key_name NOT LIKE',
    'once at the start, of what an earlier version wrote',
  ],
  ['SELECT key_id FROM key_handovers JOIN keys', 'at the start and with a roster, of the keys that were handed over'],
];

/** Every statement that a region's stores prepare. */
function preparedStatements(): { readonly database: Database; readonly statements: readonly string[] } {
  const database = Database.open(':memory:');
  const statements: string[] = [];
  const recording = new Proxy(database, {
    get(target, name) {
      if (name === 'prepare') {
        return (sql: string): SqlStatement => {
          statements.push(sql);
          return target.prepare(sql);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const keys = new SqliteKeyStore(recording, HOME);
  const stores = [
    keys,
    new SqliteMaterialStore(recording, keys),
    new SqliteJournal(recording),
    new SqliteRotationStore(recording),
    new SqliteSynchronizationStore(recording),
    new SqliteRegionCounts(recording),
    new SqliteAliasStore(recording, keys),
    new SqliteGrantStore(recording, keys),
    new SqliteLastUsageStore(recording),
    new SqlitePrimaryChangeStore(recording),
    new SqliteExpiryStore(recording),
    new SqliteMetricStore(recording),
    new SqliteAlarmStore(recording),
  ];
  // A store that is added to the folder is added here.
  const adapters = readdirSync('src/adapters').filter((name) => /_store_sqlite\.ts$|_counts_sqlite\.ts$/u.test(name));
  expect(stores).to.have.length(adapters.length);
  return { database, statements };
}

/** Tables that a statement reads from the first row to the last, by SQLite's own plan. */
function scannedTables(database: Database, sql: string): readonly string[] {
  const parameters = Array.from({ length: sql.split('?').length - 1 }, () => null);
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters);
  return steps.flatMap((step) => {
    const found = /^SCAN (\w+)(?<index> USING (?:COVERING )?INDEX \w+)?/u.exec(String(step['detail']));
    // A partial index holds only the rows that wait for something; a page is read along the primary key.
    return found?.[1] !== undefined && found.groups?.['index'] === undefined ? [found[1]] : [];
  });
}

describe('SQL of a region', () => {
  it('reads no table of keys from its first row to its last', () => {
    const { database, statements } = preparedStatements();
    expect(statements.length).to.be.greaterThan(100);
    const whole = statements.filter(
      (sql) =>
        !WHOLE_TABLE_READS.some(([start]) => sql.startsWith(start)) &&
        scannedTables(database, sql).some((table) => TABLES_OF_KEYS.includes(table)),
    );
    database.close();
    expect(whole).to.deep.equal([]);
  });

  it('would notice a read of a whole table', () => {
    const { database } = preparedStatements();
    expect(scannedTables(database, 'SELECT key_id FROM keys WHERE description = ?')).to.deep.equal(['keys']);
    database.close();
  });
});
