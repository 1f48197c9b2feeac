import type {
  DestinationSession,
  Journal,
  KnownPrimary,
  ReplicationTask,
  SourceSession,
} from '../../src/replication/journal.js';

/** Tables in memory with transactions; what is not committed is undone. */
export class MemoryDatabase {
  #undo: (() => void)[] | null = null;

  /** Runs `work`; a throw undoes everything, as a crash would. */
  transaction<Result>(work: () => Result): Result {
    if (this.#undo !== null) return work();
    this.#undo = [];
    try {
      return work();
    } catch (error) {
      for (const undo of this.#undo.reverse()) undo();
      throw error;
    } finally {
      this.#undo = null;
    }
  }

  set<Key, Value>(table: Map<Key, Value>, key: Key, value: Value): void {
    const had = table.has(key);
    const before = table.get(key);
    this.#undo?.push(() => (had ? table.set(key, before as Value) : table.delete(key)));
    table.set(key, value);
  }

  delete<Key, Value>(table: Map<Key, Value>, key: Key): void {
    const before = table.get(key);
    if (before === undefined) return;
    this.#undo?.push(() => table.set(key, before));
    table.delete(key);
  }
}

/** {@link Journal} in memory; runs the same contract suite as the one in SQLite. */
export class MemoryJournal implements Journal {
  readonly database: MemoryDatabase;
  readonly #source = new Map<string, SourceSession>();
  readonly #destination = new Map<string, DestinationSession>();
  readonly #tasks = new Map<string, ReplicationTask>();
  readonly #highWater = new Map<string, bigint>();
  readonly #forgotten = new Map<string, true>();
  readonly #primaries = new Map<string, KnownPrimary>();
  readonly #once = new Map<string, number>();
  readonly #rosters = new Map<bigint, string>();

  constructor(database = new MemoryDatabase()) {
    this.database = database;
  }

  transaction<Result>(work: () => Result): Result {
    return this.database.transaction(work);
  }

  sourceSession(intent: string): SourceSession | undefined {
    return this.#source.get(intent);
  }

  sourceSessionBySid(sid: string): SourceSession | undefined {
    return [...this.#source.values()].find((session) => session.sid === sid);
  }

  putSourceSession(session: SourceSession): void {
    this.database.set(this.#source, session.intent, session);
  }

  openSourceSessions(): readonly SourceSession[] {
    return [...this.#source.values()].filter(({ state }) => state === 'INTENT' || state === 'SENT');
  }

  allSourceSessions(): readonly SourceSession[] {
    return [...this.#source.values()];
  }

  destinationSession(sid: string): DestinationSession | undefined {
    return this.#destination.get(sid);
  }

  destinationSessionByIntent(intent: string): DestinationSession | undefined {
    return [...this.#destination.values()].reverse().find((session) => session.intent === intent);
  }

  putDestinationSession(session: DestinationSession): void {
    this.database.set(this.#destination, session.sid, session);
  }

  openDestinationSessions(): readonly DestinationSession[] {
    return [...this.#destination.values()].filter(({ state, closed }) => state !== 'ABORTED' && !closed);
  }

  allDestinationSessions(): readonly DestinationSession[] {
    return [...this.#destination.values()];
  }

  task(keyId: string, destination: string): ReplicationTask | undefined {
    return this.#tasks.get(`${keyId} ${destination}`);
  }

  putTask(task: ReplicationTask): void {
    this.database.set(this.#tasks, `${task.keyId} ${task.destination}`, task);
  }

  openTasks(): readonly ReplicationTask[] {
    return [...this.#tasks.values()].filter(({ wanted, intent }) => wanted || intent !== null);
  }

  highWater(keyId: string, source: string): bigint {
    return this.#highWater.get(`${keyId} ${source}`) ?? -1n;
  }

  raiseHighWater(keyId: string, source: string, generation: bigint): void {
    if (generation > this.highWater(keyId, source))
      this.database.set(this.#highWater, `${keyId} ${source}`, generation);
  }

  primary(keyId: string): KnownPrimary | undefined {
    return this.#primaries.get(keyId);
  }

  putPrimary(keyId: string, primary: KnownPrimary): void {
    this.database.set(this.#primaries, keyId, primary);
  }

  frozenKeys(): readonly string[] {
    const frozen = [...this.#primaries].flatMap(([keyId, primary]) => (primary.frozen ? [keyId] : []));
    return frozen.filter((keyId) => !this.#forgotten.has(keyId)).sort();
  }

  noteOnce(value: string, atMs: number): boolean {
    if (this.#once.has(value)) return false;
    this.database.set(this.#once, value, atMs);
    return true;
  }

  rosters(): readonly string[] {
    return [...this.#rosters.keys()].sort((a, b) => (a < b ? -1 : 1)).map((epoch) => this.#rosters.get(epoch) ?? '');
  }

  putRoster(epoch: bigint, compact: string): void {
    if (this.#rosters.has(epoch)) throw new Error(`a roster of epoch ${epoch} is there already`);
    this.database.set(this.#rosters, epoch, compact);
  }

  /** The marks stay as they are: nobody reads this memory but its owner. */
  forgetKey(keyId: string): void {
    this.database.set(this.#forgotten, keyId, true);
    const names = (session: SourceSession | DestinationSession) => session.keys.some((key) => key.keyId === keyId);
    for (const [intent, session] of this.#source) if (names(session)) this.database.delete(this.#source, intent);
    for (const [sid, session] of this.#destination) if (names(session)) this.database.delete(this.#destination, sid);
    for (const [name, task] of this.#tasks) if (task.keyId === keyId) this.database.delete(this.#tasks, name);
  }

  prune(beforeMs: number): void {
    for (const [value, atMs] of this.#once) if (atMs < beforeMs) this.database.delete(this.#once, value);
    for (const session of this.#source.values()) {
      if ((session.state === 'DONE' || session.state === 'ABORTED') && session.createdMs < beforeMs) {
        this.database.delete(this.#source, session.intent);
      }
    }
    for (const session of this.#destination.values()) {
      const finished = session.state === 'ABORTED' || (session.state === 'INSTALLED' && session.closed);
      if (finished && session.createdMs < beforeMs) this.database.delete(this.#destination, session.sid);
    }
  }
}
