import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/database.js';
import type { JournalState } from './crash_points.js';

/** What lies in a region's database for one key. */
export interface StoredKey {
  readonly keyState: string;
  readonly type: string;
  readonly materialIds: readonly string[];
}

/**
 * Looks at a copy of a region's database, so that its process, dead or alive, finds its own files as it left them.
 *
 * The write-ahead log is copied first: what a checkpoint moves into the database in the meantime is then in both.
 */
export function readDatabaseCopy<Result>(regionDirectory: string, read: (database: Database) => Result): Result {
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-evidence-'));
  try {
    for (const name of ['region.db-wal', 'region.db']) {
      if (existsSync(join(regionDirectory, name))) copyFileSync(join(regionDirectory, name), join(directory, name));
    }
    const database = Database.open(join(directory, 'region.db'));
    try {
      return read(database);
    } finally {
      database.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** State of the newest session about a key in the journal of a region. */
export function journalState(regionDirectory: string, role: 'source' | 'destination', keyId: string): JournalState {
  return readDatabaseCopy(regionDirectory, (database) => {
    const row = database
      .prepare(
        `SELECT * FROM replication_${role}_sessions WHERE keys LIKE '%' || ? || '%' ORDER BY created_ms DESC, rowid DESC`,
      )
      .get(keyId);
    if (row === undefined) return 'none';
    return (row['closed'] === 1 ? 'CLOSED' : String(row['state'])) as JournalState;
  });
}

/** States of all sessions about each key in the journal of a region, in order of the alphabet. */
export function sessionStates(
  regionDirectory: string,
  role: 'source' | 'destination',
): ReadonlyMap<string, readonly string[]> {
  return readDatabaseCopy(regionDirectory, (database) => {
    const states = new Map<string, string[]>();
    for (const row of database.prepare(`SELECT state, keys FROM replication_${role}_sessions ORDER BY state`).all()) {
      for (const { keyId } of JSON.parse(String(row['keys'])) as readonly { keyId: string }[]) {
        states.set(keyId, [...(states.get(keyId) ?? []), String(row['state'])]);
      }
    }
    return states;
  });
}

/** Every key in a region's database. */
export function storedKeys(regionDirectory: string): ReadonlyMap<string, StoredKey> {
  return readDatabaseCopy(regionDirectory, (database) => {
    const materials = database.prepare('SELECT material_id FROM key_materials WHERE key_id = ? ORDER BY material_id');
    return new Map(
      database
        .prepare('SELECT key_id, key_state, multi_region_type FROM keys')
        .all()
        .map((row) => [
          String(row['key_id']),
          {
            keyState: String(row['key_state']),
            type: String(row['multi_region_type']),
            materialIds: materials.all(String(row['key_id'])).map((material) => String(material['material_id'])),
          },
        ]),
    );
  });
}

/** Objects that lie in a region's token, counted in its files: session objects are in none of them. */
export function tokenObjectCount(regionDirectory: string): number {
  const nss = join(regionDirectory, 'token', 'database');
  if (!existsSync(nss)) {
    const files = readdirSync(join(regionDirectory, 'token', 'tokens'), { recursive: true }) as string[];
    return files.filter((name) => name.endsWith('.object') && !name.endsWith('token.object')).length;
  }
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-evidence-'));
  try {
    return [
      ['key4.db', 'nssPrivate'],
      ['cert9.db', 'nssPublic'],
    ].reduce((sum, [file = '', table = '']) => {
      copyFileSync(join(nss, file), join(directory, file));
      const database = Database.open(join(directory, file));
      const count = Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count']);
      database.close();
      return sum + count;
    }, 0);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
