import { decodeBase64Url } from '../wire/base64url.js';
import { toBase64Url } from '../bytes.js';
import { deletedKeyName } from '../wire/deleted_key.js';
import type {
  DestinationSession,
  Journal,
  KnownPrimary,
  ReplicationTask,
  SessionKeyEntry,
  SourceSession,
} from '../replication/journal.js';
import type { Database, Durability, SqlRow, SqlStatement } from './database.js';
import { RememberedRows } from './remembered_rows.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE replication_source_sessions (
     intent TEXT PRIMARY KEY, state TEXT NOT NULL, destination TEXT NOT NULL, epoch TEXT NOT NULL, keys TEXT NOT NULL,
     sid TEXT UNIQUE, offer TEXT, transfer TEXT, confirmation_hash TEXT, message TEXT, code TEXT, created_ms INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX replication_source_open ON replication_source_sessions (created_ms) WHERE state IN ('INTENT', 'SENT');
   CREATE TABLE replication_destination_sessions (
     sid TEXT PRIMARY KEY, state TEXT NOT NULL, source TEXT NOT NULL, intent TEXT NOT NULL, epoch TEXT NOT NULL, keys TEXT NOT NULL,
     offer TEXT, transfer TEXT, message TEXT, code TEXT, closed INTEGER NOT NULL, created_ms INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX replication_destination_intent ON replication_destination_sessions (intent);
   CREATE INDEX replication_destination_open ON replication_destination_sessions (created_ms)
     WHERE closed = 0 AND state IN ('OFFERED', 'UNWRAPPING', 'INSTALLED');
   CREATE TABLE replication_tasks (
     key_id TEXT NOT NULL, destination TEXT NOT NULL, generation TEXT NOT NULL, wanted INTEGER NOT NULL, intent TEXT,
     attempts INTEGER NOT NULL, failure TEXT, PRIMARY KEY (key_id, destination)
   ) STRICT;
   CREATE INDEX replication_tasks_open ON replication_tasks (key_id) WHERE wanted = 1 OR intent IS NOT NULL;
   CREATE TABLE replication_high_water (
     key_id TEXT NOT NULL, source TEXT NOT NULL, generation TEXT NOT NULL, PRIMARY KEY (key_id, source)
   ) STRICT;
   CREATE TABLE replication_primaries (
     key_id TEXT PRIMARY KEY, region TEXT NOT NULL, generation TEXT NOT NULL, frozen INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE replication_once (value TEXT PRIMARY KEY) STRICT;
   CREATE TABLE replication_rosters (epoch TEXT PRIMARY KEY, compact TEXT NOT NULL) STRICT;`,
  `ALTER TABLE replication_once ADD COLUMN noted_ms INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX replication_once_age ON replication_once (noted_ms);`,
  `ALTER TABLE replication_primaries ADD COLUMN path TEXT NOT NULL DEFAULT '[]';
   CREATE INDEX replication_primaries_frozen ON replication_primaries (key_id) WHERE frozen = 1;`,
];

function text(row: SqlRow, column: string): string {
  return String(row[column]);
}

function textOrNull(row: SqlRow, column: string): string | null {
  const value = row[column];
  return value === null || value === undefined ? null : String(value);
}

function encodeKeys(keys: readonly (SessionKeyEntry & { readonly context?: Uint8Array })[]): string {
  return JSON.stringify(
    keys.map((key) => ({
      keyId: key.keyId,
      generation: key.generation.toString(),
      materialIds: key.materialIds,
      ...(key.context === undefined ? {} : { context: toBase64Url(key.context) }),
    })),
  );
}

/** Rows are this program's own, so that their shape is trusted. */
function decodeKeys(json: string): readonly (SessionKeyEntry & { readonly context: Uint8Array })[] {
  const entries = JSON.parse(json) as readonly {
    readonly keyId: string;
    readonly generation: string;
    readonly materialIds: readonly string[];
    readonly context?: string;
  }[];
  return entries.map((entry) => ({
    keyId: entry.keyId,
    generation: BigInt(entry.generation),
    materialIds: entry.materialIds,
    context: decodeBase64Url(entry.context ?? '') ?? new Uint8Array(),
  }));
}

function toSource(row: SqlRow): SourceSession {
  return {
    intent: text(row, 'intent'),
    state: text(row, 'state') as SourceSession['state'],
    destination: text(row, 'destination'),
    epoch: BigInt(text(row, 'epoch')),
    keys: decodeKeys(text(row, 'keys')),
    sid: textOrNull(row, 'sid'),
    offer: textOrNull(row, 'offer'),
    transfer: textOrNull(row, 'transfer'),
    confirmationHash: textOrNull(row, 'confirmation_hash'),
    message: textOrNull(row, 'message'),
    code: textOrNull(row, 'code'),
    createdMs: Number(row['created_ms']),
  };
}

function toDestination(row: SqlRow): DestinationSession {
  return {
    sid: text(row, 'sid'),
    state: text(row, 'state') as DestinationSession['state'],
    source: text(row, 'source'),
    intent: text(row, 'intent'),
    epoch: BigInt(text(row, 'epoch')),
    keys: decodeKeys(text(row, 'keys')).map(({ keyId, generation, materialIds }) => ({
      keyId,
      generation,
      materialIds,
    })),
    offer: textOrNull(row, 'offer'),
    transfer: textOrNull(row, 'transfer'),
    message: textOrNull(row, 'message'),
    code: textOrNull(row, 'code'),
    closed: Number(row['closed']) === 1,
    createdMs: Number(row['created_ms']),
  };
}

function toTask(row: SqlRow): ReplicationTask {
  return {
    keyId: text(row, 'key_id'),
    destination: text(row, 'destination'),
    generation: BigInt(text(row, 'generation')),
    wanted: Number(row['wanted']) === 1,
    intent: textOrNull(row, 'intent'),
    attempts: Number(row['attempts']),
    failure: textOrNull(row, 'failure'),
  };
}

/** {@link Journal} in a region's database. Sessions that are under way are answered from memory: one process at a time may change the database. */
export class SqliteJournal implements Journal {
  readonly #database: Database;
  readonly #statements = new Map<string, SqlStatement>();
  readonly #rows = new RememberedRows();

  constructor(database: Database) {
    database.migrate('replication', MIGRATIONS);
    this.#database = database;
    database.onRollback(() => this.#rows.forget());
  }

  #sql(sql: string): SqlStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  transaction<Result>(work: () => Result, durability?: Durability): Result {
    return this.#database.transaction(work, durability);
  }

  sourceSession(intent: string): SourceSession | undefined {
    const remembered = this.#rows.source(intent);
    if (remembered !== undefined) return remembered;
    const row = this.#sql('SELECT * FROM replication_source_sessions WHERE intent = ?').get(intent);
    return row === undefined ? undefined : toSource(row);
  }

  sourceSessionBySid(sid: string): SourceSession | undefined {
    const remembered = this.#rows.sourceBySid(sid);
    if (remembered !== undefined) return remembered;
    const row = this.#sql('SELECT * FROM replication_source_sessions WHERE sid = ?').get(sid);
    return row === undefined ? undefined : toSource(row);
  }

  putSourceSession(session: SourceSession): void {
    this.#sql(
      `INSERT INTO replication_source_sessions
         (intent, state, destination, epoch, keys, sid, offer, transfer, confirmation_hash, message, code, created_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (intent) DO UPDATE SET state = excluded.state, sid = excluded.sid, offer = excluded.offer, transfer = excluded.transfer,
         confirmation_hash = excluded.confirmation_hash, message = excluded.message, code = excluded.code`,
    ).run(
      session.intent,
      session.state,
      session.destination,
      session.epoch.toString(),
      encodeKeys(session.keys),
      session.sid,
      session.offer,
      session.transfer,
      session.confirmationHash,
      session.message,
      session.code,
      session.createdMs,
    );
    this.#rows.putSource(session);
  }

  openSourceSessions(): readonly SourceSession[] {
    return this.#sql(
      `SELECT * FROM replication_source_sessions WHERE state IN ('INTENT', 'SENT') ORDER BY created_ms, rowid`,
    )
      .all()
      .map(toSource);
  }

  destinationSession(sid: string): DestinationSession | undefined {
    const remembered = this.#rows.destination(sid);
    if (remembered !== undefined) return remembered;
    const row = this.#sql('SELECT * FROM replication_destination_sessions WHERE sid = ?').get(sid);
    return row === undefined ? undefined : toDestination(row);
  }

  destinationSessionByIntent(intent: string): DestinationSession | undefined {
    const row = this.#sql(
      'SELECT * FROM replication_destination_sessions WHERE intent = ? ORDER BY rowid DESC LIMIT 1',
    ).get(intent);
    return row === undefined ? undefined : toDestination(row);
  }

  putDestinationSession(session: DestinationSession): void {
    this.#sql(
      `INSERT INTO replication_destination_sessions
         (sid, state, source, intent, epoch, keys, offer, transfer, message, code, closed, created_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (sid) DO UPDATE SET state = excluded.state, transfer = excluded.transfer, message = excluded.message,
         code = excluded.code, closed = excluded.closed`,
    ).run(
      session.sid,
      session.state,
      session.source,
      session.intent,
      session.epoch.toString(),
      encodeKeys(session.keys),
      session.offer,
      session.transfer,
      session.message,
      session.code,
      session.closed ? 1 : 0,
      session.createdMs,
    );
    this.#rows.putDestination(session);
  }

  openDestinationSessions(): readonly DestinationSession[] {
    return this.#sql(
      `SELECT * FROM replication_destination_sessions
       WHERE closed = 0 AND state IN ('OFFERED', 'UNWRAPPING', 'INSTALLED') ORDER BY created_ms, rowid`,
    )
      .all()
      .map(toDestination);
  }

  task(keyId: string, destination: string): ReplicationTask | undefined {
    const row = this.#sql('SELECT * FROM replication_tasks WHERE key_id = ? AND destination = ?').get(
      keyId,
      destination,
    );
    return row === undefined ? undefined : toTask(row);
  }

  putTask(task: ReplicationTask): void {
    this.#sql(
      `INSERT INTO replication_tasks (key_id, destination, generation, wanted, intent, attempts, failure) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (key_id, destination) DO UPDATE SET generation = excluded.generation, wanted = excluded.wanted,
         intent = excluded.intent, attempts = excluded.attempts, failure = excluded.failure`,
    ).run(
      task.keyId,
      task.destination,
      task.generation.toString(),
      task.wanted ? 1 : 0,
      task.intent,
      task.attempts,
      task.failure,
    );
    this.#rows.forgetOpenTasks();
  }

  openTasks(): readonly ReplicationTask[] {
    const sql = 'SELECT * FROM replication_tasks WHERE wanted = 1 OR intent IS NOT NULL ORDER BY rowid';
    return this.#rows.openTasks(() => this.#sql(sql).all().map(toTask));
  }

  highWater(keyId: string, source: string): bigint {
    return this.#highWaterOf(keyId, source) ?? this.#highWaterOf(deletedKeyName(keyId), source) ?? -1n;
  }

  #highWaterOf(name: string, source: string): bigint | undefined {
    const row = this.#sql('SELECT generation FROM replication_high_water WHERE key_id = ? AND source = ?').get(
      name,
      source,
    );
    return row === undefined ? undefined : BigInt(text(row, 'generation'));
  }

  raiseHighWater(keyId: string, source: string, generation: bigint): void {
    if (generation <= this.highWater(keyId, source)) return;
    // A key that is replicated anew after its deletion goes on under the name that it has had since.
    const deleted = deletedKeyName(keyId);
    this.#putHighWater(this.#highWaterOf(deleted, source) === undefined ? keyId : deleted, source, generation);
  }

  #putHighWater(name: string, source: string, generation: bigint): void {
    this.#sql(
      `INSERT INTO replication_high_water (key_id, source, generation) VALUES (?, ?, ?)
       ON CONFLICT (key_id, source) DO UPDATE SET generation = excluded.generation`,
    ).run(name, source, generation.toString());
  }

  primary(keyId: string): KnownPrimary | undefined {
    return this.#primaryOf(keyId) ?? this.#primaryOf(deletedKeyName(keyId));
  }

  #primaryOf(name: string): KnownPrimary | undefined {
    const row = this.#sql('SELECT * FROM replication_primaries WHERE key_id = ?').get(name);
    if (row === undefined) return undefined;
    return {
      region: text(row, 'region'),
      generation: BigInt(text(row, 'generation')),
      frozen: Number(row['frozen']) === 1,
      path: JSON.parse(text(row, 'path')) as readonly string[],
    };
  }

  putPrimary(keyId: string, primary: KnownPrimary): void {
    const deleted = deletedKeyName(keyId);
    const name = this.#primaryOf(deleted) === undefined ? keyId : deleted;
    this.#sql(
      `INSERT INTO replication_primaries (key_id, region, generation, frozen, path) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key_id) DO UPDATE SET region = excluded.region, generation = excluded.generation, frozen = excluded.frozen,
         path = excluded.path`,
    ).run(name, primary.region, primary.generation.toString(), primary.frozen ? 1 : 0, JSON.stringify(primary.path));
  }

  frozenKeys(): readonly string[] {
    return this.#sql(
      "SELECT key_id FROM replication_primaries WHERE frozen = 1 AND key_id LIKE 'mrk-%' ORDER BY key_id",
    )
      .all()
      .map((row) => text(row, 'key_id'));
  }

  noteOnce(value: string, atMs: number): boolean {
    const sql = 'INSERT OR IGNORE INTO replication_once (value, noted_ms) VALUES (?, ?)';
    return this.#sql(sql).run(value, atMs).changes === 1;
  }

  rosters(): readonly string[] {
    return this.#sql('SELECT compact FROM replication_rosters ORDER BY length(epoch), epoch')
      .all()
      .map((row) => text(row, 'compact'));
  }

  putRoster(epoch: bigint, compact: string): void {
    this.#sql('INSERT INTO replication_rosters (epoch, compact) VALUES (?, ?)').run(epoch.toString(), compact);
  }

  forgetKey(keyId: string): void {
    this.#rows.forget();
    this.transaction(() => {
      // A session names its keys in JSON; the octets of its messages are in the same row.
      const named = `"${keyId}"`;
      this.#sql('DELETE FROM replication_source_sessions WHERE instr(keys, ?) > 0').run(named);
      this.#sql('DELETE FROM replication_destination_sessions WHERE instr(keys, ?) > 0').run(named);
      this.#sql('DELETE FROM replication_tasks WHERE key_id = ?').run(keyId);
      this.#retire(keyId);
    });
  }

  /** What must be remembered of a deleted key goes over to its other name; a later value that is there already stays. */
  #retire(keyId: string): void {
    const name = deletedKeyName(keyId);
    const marks = this.#sql('SELECT source, generation FROM replication_high_water WHERE key_id = ?').all(keyId);
    for (const row of marks) {
      const source = text(row, 'source');
      const generation = BigInt(text(row, 'generation'));
      if (generation > (this.#highWaterOf(name, source) ?? -1n)) this.#putHighWater(name, source, generation);
    }
    this.#sql('DELETE FROM replication_high_water WHERE key_id = ?').run(keyId);
    this.#sql('UPDATE OR IGNORE replication_primaries SET key_id = ? WHERE key_id = ?').run(name, keyId);
    this.#sql('DELETE FROM replication_primaries WHERE key_id = ?').run(keyId);
  }

  prune(beforeMs: number): void {
    this.#rows.forget();
    this.transaction(() => {
      this.#sql('DELETE FROM replication_once WHERE noted_ms < ?').run(beforeMs);
      this.#sql(`DELETE FROM replication_source_sessions WHERE state IN ('DONE', 'ABORTED') AND created_ms < ?`).run(
        beforeMs,
      );
      this.#sql(
        `DELETE FROM replication_destination_sessions WHERE created_ms < ? AND (state = 'ABORTED' OR (state = 'INSTALLED' AND closed = 1))`,
      ).run(beforeMs);
    });
  }
}
