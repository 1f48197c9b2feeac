import Database from 'libsql';
import type { Delivery } from './delivery_mode.js';
import { PROXY_LIMITS } from './limits.js';

/** A message that waits for its receiver. */
export interface QueuedMessage {
  /** Place in the queue: rises with every delivery of this proxy, never used twice. */
  readonly id: number;
  readonly messageId: number;
  readonly octets: Uint8Array;
}

/** What happened at the proxy. `accepted` carries the message as it came, `altered` as it was sent on instead. */
export type LogEvent =
  'accepted' | 'altered' | 'lost' | 'repeated' | 'held' | 'released' | 'acknowledged' | 'mode' | 'conduct';

/** One line of the log of what the proxy saw. */
export interface LogEntry {
  readonly id: number;
  /** Milliseconds since the Unix epoch by the proxy's clock. */
  readonly atMs: number;
  readonly event: LogEvent;
  readonly messageId: number | null;
  readonly destination: string | null;
  /** The message, where the event carries one. */
  readonly octets: Uint8Array | null;
  readonly detail: string | null;
}

/** When a message is due that waits for somebody to let it go, milliseconds since the Unix epoch: never. @source ECMA-262, the last time of a Date */
const NEVER_MS = 8_640_000_000_000_000;

type NewLogEntry = Omit<LogEntry, 'id'>;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS identity (queue_id TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS message_number (next INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS queue (
  id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, message_id INTEGER NOT NULL, octets BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS queue_by_destination ON queue (destination, id);
CREATE TABLE IF NOT EXISTS held (
  id INTEGER PRIMARY KEY AUTOINCREMENT, due_ms INTEGER NOT NULL, destination TEXT NOT NULL, message_id INTEGER NOT NULL,
  octets BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS held_by_due ON held (due_ms, id);
CREATE TABLE IF NOT EXISTS log (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, event TEXT NOT NULL, message_id INTEGER, destination TEXT,
  octets BLOB, detail TEXT) STRICT;
`;

interface QueueRow {
  id: number;
  message_id: number;
  octets: ArrayBuffer;
}

interface HeldRow extends QueueRow {
  destination: string;
}

interface LogRow {
  id: number;
  at_ms: number;
  event: LogEvent;
  message_id: number | null;
  destination: string | null;
  octets: ArrayBuffer | null;
  detail: string | null;
}

/** Queues, held messages and log of the proxy, in one SQLite file. A write is on the disk when its call returns. */
export class ProxyStore {
  /** Made once with the file: tells receivers that a queue with other numbers has taken this one's place. */
  readonly queueId: string;
  readonly #database: Database.Database;
  readonly #statements;
  #logOctets: number;

  /**
   * Opens or makes the file.
   *
   * @param path - the SQLite file; its directory exists
   * @param newQueueId - identity of the queue where the file is new
   */
  constructor(path: string, newQueueId: string) {
    const database = new Database(path);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec(SCHEMA);
    if (database.prepare('SELECT queue_id FROM identity').get([]) === undefined) {
      database.transaction(() => {
        database.prepare('INSERT INTO identity VALUES (?)').run([newQueueId]);
        database.prepare('INSERT INTO message_number VALUES (1)').run([]);
      })();
    }
    this.#database = database;
    this.queueId = (database.prepare('SELECT queue_id FROM identity').get([]) as { queue_id: string }).queue_id;
    this.#statements = {
      number: database.prepare('UPDATE message_number SET next = next + 1 RETURNING next - 1 AS number'),
      enqueue: database.prepare('INSERT INTO queue (destination, message_id, octets) VALUES (?, ?, ?)'),
      hold: database.prepare('INSERT INTO held (due_ms, destination, message_id, octets) VALUES (?, ?, ?, ?)'),
      waiting: database.prepare(
        'SELECT id, message_id, octets FROM queue WHERE destination = ? AND id > ? ORDER BY id LIMIT ?',
      ),
      remove: database.prepare(
        'DELETE FROM queue WHERE destination = ? AND id = ? RETURNING message_id, length(octets) AS octets',
      ),
      due: database.prepare(
        'SELECT id, destination, message_id, octets FROM held WHERE due_ms <= ? ORDER BY due_ms, id LIMIT 256',
      ),
      nextDue: database.prepare(`SELECT min(due_ms) AS due_ms FROM held WHERE due_ms < ${NEVER_MS}`),
      heldFor: database.prepare(
        `SELECT id, destination, message_id, octets FROM held WHERE destination = ? AND due_ms = ${NEVER_MS} ORDER BY id`,
      ),
      heldCounts: database.prepare(
        `SELECT destination, count(*) AS messages FROM held WHERE due_ms = ${NEVER_MS} GROUP BY destination`,
      ),
      unhold: database.prepare('DELETE FROM held WHERE id = ?'),
      append: database.prepare(
        'INSERT INTO log (at_ms, event, message_id, destination, octets, detail) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
      ),
      log: database.prepare('SELECT * FROM log WHERE id > ? ORDER BY id LIMIT ?'),
      trimByCount: database.prepare('DELETE FROM log WHERE id <= ? RETURNING length(octets) AS octets'),
      trimOldest: database.prepare(
        'DELETE FROM log WHERE id IN (SELECT id FROM log ORDER BY id LIMIT 256) RETURNING length(octets) AS octets',
      ),
    };
    this.#logOctets = (
      database.prepare('SELECT coalesce(sum(length(octets)), 0) AS octets FROM log').get([]) as { octets: number }
    ).octets;
  }

  /** What waits for each destination, held messages included. */
  loads(): ReadonlyMap<string, { readonly messages: number; readonly octets: number }> {
    const rows = this.#database
      .prepare(
        `SELECT destination, count(*) AS messages, sum(length(octets)) AS octets
         FROM (SELECT destination, octets FROM queue UNION ALL SELECT destination, octets FROM held) GROUP BY destination`,
      )
      .all([]) as { destination: string; messages: number; octets: number }[];
    return new Map(rows.map(({ destination, messages, octets }) => [destination, { messages, octets }]));
  }

  /** Runs several writes as one. */
  transaction<T>(work: () => T): T {
    return this.#database.transaction(work).immediate();
  }

  /** A number for the next message; call inside {@link transaction}. */
  nextMessageId(): number {
    return (this.#statements.number.get([]) as { number: number }).number;
  }

  /** Stores one delivery: in the queue, or held until it is due. */
  store(messageId: number, delivery: Delivery, nowMs: number): void {
    const { destination, octets, delayMs } = delivery;
    if (delivery.isHeld === true) this.#statements.hold.run([NEVER_MS, destination, messageId, octets]);
    else if (delayMs > 0) this.#statements.hold.run([nowMs + delayMs, destination, messageId, octets]);
    else this.#statements.enqueue.run([destination, messageId, octets]);
  }

  /** Moves what is due from the held messages to the queues; the destinations that got something. */
  releaseDue(nowMs: number): ReadonlySet<string> {
    const rows = this.#statements.due.all([nowMs]) as HeldRow[];
    if (rows.length > 0) this.transaction(() => this.#moveToQueue(rows));
    return new Set(rows.map((row) => row.destination));
  }

  /**
   * Lets go what was held for a destination; call inside {@link transaction}.
   *
   * @param isMeant - which of them, by their numbers
   * @returns numbers of those that went, the oldest first
   */
  release(destination: string, isMeant: (messageId: number) => boolean): readonly number[] {
    const held = this.#statements.heldFor.all([destination]) as HeldRow[];
    const rows = held.filter((row) => isMeant(row.message_id));
    this.#moveToQueue(rows);
    return rows.map((row) => row.message_id);
  }

  /** How many messages are held until somebody lets them go, by destination. */
  heldCounts(): Readonly<Record<string, number>> {
    const rows = this.#statements.heldCounts.all([]) as { destination: string; messages: number }[];
    return Object.fromEntries(rows.map(({ destination, messages }) => [destination, messages]));
  }

  #moveToQueue(rows: readonly HeldRow[]): void {
    for (const row of rows) {
      this.#statements.enqueue.run([row.destination, row.message_id, new Uint8Array(row.octets)]);
      this.#statements.unhold.run([row.id]);
    }
  }

  /** When the next held message is due, milliseconds since the Unix epoch. */
  nextDueMs(): number | undefined {
    return (this.#statements.nextDue.get([]) as { due_ms: number | null }).due_ms ?? undefined;
  }

  /** Messages behind `after`, the oldest first, bounded in number and octets; at least one where there is one. */
  waiting(destination: string, after: number, messagesMax: number): readonly QueuedMessage[] {
    const found: QueuedMessage[] = [];
    let octets = 0;
    for (const row of this.#statements.waiting.iterate([destination, after, messagesMax]) as Iterable<QueueRow>) {
      octets += row.octets.byteLength;
      if (found.length > 0 && octets > PROXY_LIMITS.batchOctetsMax) break;
      found.push({ id: row.id, messageId: row.message_id, octets: new Uint8Array(row.octets) });
    }
    return found;
  }

  /** Forgets a message that its receiver has; undefined where it was gone already. */
  remove(destination: string, id: number): { readonly messageId: number; readonly octets: number } | undefined {
    const row = this.#statements.remove.get([destination, id]) as { message_id: number; octets: number } | undefined;
    return row === undefined ? undefined : { messageId: row.message_id, octets: row.octets };
  }

  /** Adds a line to the log and drops the oldest ones beyond its bounds. */
  appendLog(entry: NewLogEntry): void {
    const { id } = this.#statements.append.get([
      entry.atMs,
      entry.event,
      entry.messageId,
      entry.destination,
      entry.octets,
      entry.detail,
    ]) as { id: number };
    this.#logOctets += entry.octets?.length ?? 0;
    if (id % 256 === 0 && id > PROXY_LIMITS.logEntriesMax) {
      this.#forget(this.#statements.trimByCount.all([id - PROXY_LIMITS.logEntriesMax]));
    }
    while (this.#logOctets > PROXY_LIMITS.logOctetsMax) {
      if (this.#forget(this.#statements.trimOldest.all([])) === 0) break;
    }
  }

  /** Lines of the log behind `after`, the oldest first. */
  log(after: number, entriesMax: number): readonly LogEntry[] {
    return (this.#statements.log.all([after, entriesMax]) as LogRow[]).map((row) => ({
      id: row.id,
      atMs: row.at_ms,
      event: row.event,
      messageId: row.message_id,
      destination: row.destination,
      octets: row.octets === null ? null : new Uint8Array(row.octets),
      detail: row.detail,
    }));
  }

  #forget(rows: unknown[]): number {
    for (const { octets } of rows as { octets: number | null }[]) this.#logOctets -= octets ?? 0;
    return rows.length;
  }

  /** Closes the file; nothing may be called afterwards. */
  close(): void {
    this.#database.close();
  }
}
