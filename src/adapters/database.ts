import Libsql from 'libsql';

/** A value that SQLite stores. Blobs come back as `Buffer`s, which own their octets. */
export type SqlValue = string | number | bigint | Uint8Array | null;

/** One row by column name. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** A prepared statement; it lives as long as its database. */
export interface SqlStatement {
  run(...values: readonly SqlValue[]): { readonly changes: number };
  get(...values: readonly SqlValue[]): SqlRow | undefined;
  all(...values: readonly SqlValue[]): readonly SqlRow[];
}

/**
 * When a transaction survives a power cut: `durable`, before it returns; `ordered`, with the next durable one, so that a power cut may undo
 * it but nothing that came before it. The end of the process undoes neither.
 */
export type Durability = 'durable' | 'ordered';

/**
 * A region's database: one SQLite file, one connection, synchronous.
 *
 * WAL with `synchronous=FULL`: a transaction that has returned survives a power cut.
 *
 * @source https://www.sqlite.org/pragma.html#pragma_synchronous
 */
export class Database {
  readonly #connection: Libsql.Database;
  #depth = 0;
  #doomed = false;
  readonly #rollbackListeners: (() => void)[] = [];
  readonly #totalChanges: Libsql.Statement;

  private constructor(connection: Libsql.Database) {
    this.#connection = connection;
    this.#totalChanges = connection.prepare('SELECT total_changes() AS count');
  }

  /**
   * Opens the file, makes it where it is missing, and sets what durability needs.
   *
   * @param path - file, or `:memory:`
   */
  static open(path: string): Database {
    const connection = new Libsql(path, { timeout: 5000 });
    connection.pragma('journal_mode = WAL');
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    // What is deleted is overwritten: an exported key token is as good as the domain key that opens it.
    connection.pragma('secure_delete = ON');
    connection.exec(
      'CREATE TABLE IF NOT EXISTS migrations (component TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (component, version)) STRICT',
    );
    return new Database(connection);
  }

  /**
   * Brings one component's tables to the newest version, step by step, all in one transaction.
   *
   * @param component - owner of the tables, for example `keys`
   * @param steps - SQL of version 1, 2, …; steps that were released are never changed
   */
  migrate(component: string, steps: readonly string[]): void {
    this.transaction(() => {
      const done = new Set(
        this.prepare('SELECT version FROM migrations WHERE component = ?')
          .all(component)
          .map((row) => row['version']),
      );
      const record = this.prepare('INSERT INTO migrations (component, version) VALUES (?, ?)');
      for (const [index, sql] of steps.entries()) {
        if (done.has(index + 1)) continue;
        this.#connection.exec(sql);
        record.run(component, index + 1);
      }
    });
  }

  prepare(sql: string): SqlStatement {
    const statement = this.#connection.prepare(sql);
    // The values go down as one array: libsql takes a single object argument for named parameters.
    return {
      run: (...values) => statement.run(values),
      get: (...values) => statement.get(values) as SqlRow | undefined,
      all: (...values) => (statement.all(values) as Record<string, unknown>[]).map(withBuffers),
    };
  }

  /**
   * Runs `work` in a transaction that is durable when this returns, or ordered; a call inside another transaction joins it.
   * Whatever `work` throws rolls everything back and is thrown again.
   */
  transaction<Result>(work: () => Result, durability: Durability = 'durable'): Result {
    if (this.#depth > 0) return this.#nested(work);
    if (durability === 'durable') return this.#outermost(work);
    // In WAL mode NORMAL leaves out the wait for the disk at the end of a transaction, and nothing else.
    this.#connection.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.#outermost(work);
    } finally {
      this.#connection.exec('PRAGMA synchronous = FULL');
    }
  }

  #outermost<Result>(work: () => Result): Result {
    this.#connection.exec('BEGIN IMMEDIATE');
    this.#doomed = false;
    const changesBefore = this.#changeCount();
    try {
      const result = this.#nested(work);
      if (this.#doomed)
        throw new Error('a part of this transaction failed and its failure was caught inside: nothing is committed');
      this.#connection.exec('COMMIT');
      return result;
    } catch (error) {
      const hasChanged = this.#changeCount() !== changesBefore;
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
      if (hasChanged) for (const listener of this.#rollbackListeners) listener();
      throw error;
    }
  }

  /**
   * Calls `listener` after each rollback of a transaction that had changed something: caches of rows that were never committed are dropped
   * there. A request that is refused after it has looked around takes nothing from them.
   */
  onRollback(listener: () => void): void {
    this.#rollbackListeners.push(listener);
  }

  /**
   * Overwrites on disk what transactions that are over have removed: the write-ahead log is taken over and emptied. Does nothing
   * inside a transaction.
   */
  scrub(): void {
    if (this.#depth === 0) this.#connection.pragma('wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    this.#connection.close();
  }

  /** Rows that this connection has changed so far, those that were rolled back included. */
  #changeCount(): unknown {
    return (this.#totalChanges.get([]) as SqlRow | undefined)?.['count'];
  }

  #nested<Result>(work: () => Result): Result {
    this.#depth += 1;
    try {
      return work();
    } catch (error) {
      this.#doomed = true;
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }
}

/** Prepares statements, each under its name. */
export function prepareAll<Name extends string>(
  database: Pick<Database, 'prepare'>,
  statements: Readonly<Record<Name, string>>,
): Readonly<Record<Name, SqlStatement>> {
  const prepared = {} as Record<Name, SqlStatement>;
  for (const name of Object.keys(statements) as Name[]) prepared[name] = database.prepare(statements[name]);
  return prepared;
}

/** libsql gives blobs as `Buffer`s where it reads one row, and as `ArrayBuffer`s where it reads many. */
function withBuffers(row: Record<string, unknown>): SqlRow {
  for (const [column, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) row[column] = Buffer.from(value);
  }
  return row;
}
