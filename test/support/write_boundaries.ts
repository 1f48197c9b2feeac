import Libsql from 'libsql';

/** What stands for the end of a process at a boundary. */
export class ProcessEnd extends Error {}

let left = Number.POSITIVE_INFINITY;
let end: () => void = () => undefined;
let isWatched = false;

function pass(): void {
  left -= 1;
  if (left === 0) end();
}

/** Calls `action` at the n-th boundary from now; at none where `boundary` is infinite. */
export function atBoundary(boundary: number, action: () => void = () => undefined): void {
  left = boundary;
  end = action;
}

/** Lets every statement that writes, and both sides of every commit, be a boundary; for databases that are opened after it. */
export function watchBoundaries(): void {
  if (isWatched) return;
  isWatched = true;
  const execute = Libsql.prototype.exec;
  Libsql.prototype.exec = function exec(this: Libsql.Database, sql: string) {
    if (sql === 'COMMIT') pass();
    const result = execute.call(this, sql);
    if (sql === 'COMMIT') pass();
    return result;
  };
  type Prepare = (this: Libsql.Database, sql: string) => { run: (values: readonly unknown[]) => unknown };
  const prepare = Libsql.prototype.prepare as unknown as Prepare;
  const prepareWatched: Prepare = function prepareWatched(sql) {
    const statement = prepare.call(this, sql);
    if (!/^\s*(INSERT|UPDATE|DELETE)/.test(sql)) return statement;
    const run = statement.run.bind(statement);
    statement.run = (values) => {
      pass();
      return run(values);
    };
    return statement;
  };
  Object.assign(Libsql.prototype, { prepare: prepareWatched });
}

/**
 * Runs work that ends at the n-th boundary from now.
 *
 * @returns whether it ended there; false where it came to its own end before
 */
export async function endedAt(boundary: number, work: () => unknown): Promise<boolean> {
  atBoundary(boundary, () => {
    throw new ProcessEnd('the process ended here');
  });
  try {
    await work();
    return left <= 0;
  } catch (error) {
    if (left <= 0) return true;
    throw error;
  } finally {
    atBoundary(Number.POSITIVE_INFINITY);
  }
}
