import type { DestinationSession, ReplicationTask, SourceSession } from '../replication/journal.js';

/** Rows that are remembered of each kind; a session of one key takes a few kilobytes. */
const REMEMBERED_SESSIONS_MAX = 256;

/**
 * What a journal has written lately, so that a session reads its own row without the database. Its owner drops everything where a
 * transaction is rolled back or rows are deleted.
 */
export class RememberedRows {
  readonly #sources = new Map<string, SourceSession>();
  readonly #intentOfSid = new Map<string, string>();
  readonly #destinations = new Map<string, DestinationSession>();
  #openTasks: readonly ReplicationTask[] | undefined;

  source(intent: string): SourceSession | undefined {
    return this.#sources.get(intent);
  }

  sourceBySid(sid: string): SourceSession | undefined {
    return this.#sources.get(this.#intentOfSid.get(sid) ?? '');
  }

  destination(sid: string): DestinationSession | undefined {
    return this.#destinations.get(sid);
  }

  putSource(session: SourceSession): void {
    const oldest = makeRoom(this.#sources, session.intent);
    if (oldest !== undefined && oldest.sid !== null) this.#intentOfSid.delete(oldest.sid);
    this.#sources.set(session.intent, session);
    if (session.sid !== null) this.#intentOfSid.set(session.sid, session.intent);
  }

  putDestination(session: DestinationSession): void {
    makeRoom(this.#destinations, session.sid);
    this.#destinations.set(session.sid, session);
  }

  /** The tasks with work, read once until {@link forgetOpenTasks}. */
  openTasks(read: () => readonly ReplicationTask[]): readonly ReplicationTask[] {
    this.#openTasks ??= read();
    return this.#openTasks;
  }

  forgetOpenTasks(): void {
    this.#openTasks = undefined;
  }

  forget(): void {
    this.#sources.clear();
    this.#intentOfSid.clear();
    this.#destinations.clear();
    this.#openTasks = undefined;
  }
}

/** Takes the row out that is written now, so that it becomes the newest; otherwise the oldest one where there is no room. */
function makeRoom<Row>(rows: Map<string, Row>, key: string): Row | undefined {
  if (rows.delete(key) || rows.size < REMEMBERED_SESSIONS_MAX) return undefined;
  const oldest = rows.entries().next();
  if (oldest.done === true) return undefined;
  const [name, row] = oldest.value;
  rows.delete(name);
  return row;
}
