import Libsql from 'libsql';

/** How long somebody who writes to a database is waited for, milliseconds. */
const WAIT_MS_MAX = 5_000;

/**
 * Keeps every database of a list as it is while something is done: whoever wants to write to one of them waits.
 *
 * HAZARD: their programs wait without doing anything else, and give up after five seconds.
 *
 * @param paths - SQLite files, each there
 * @param work - what is done with the files; their `-wal` files belong to them
 */
export function holdDatabases<Result>(paths: readonly string[], work: () => Result): Result {
  const connections: Libsql.Database[] = [];
  try {
    for (const path of paths) {
      const connection = new Libsql(path, { timeout: WAIT_MS_MAX });
      connections.push(connection);
      // Only one connection can be about to write: while that is this one, no file of the database changes.
      connection.exec('BEGIN IMMEDIATE');
    }
    return work();
  } finally {
    for (const connection of connections.toReversed()) {
      if (connection.inTransaction) connection.exec('ROLLBACK');
      connection.close();
    }
  }
}
