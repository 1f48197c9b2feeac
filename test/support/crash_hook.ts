import { readFileSync } from 'node:fs';
import Libsql from 'libsql';
import { RegionImports } from '../../src/hsm/import_region.js';
import type { CommitFault } from './lab_process.js';

/**
 * Loaded into a region's process before its own code: kills the process, as `kill -9` does, right before or after the commit that
 * the file in KEYFERRY_TEST_COMMIT_FAULT describes. Nothing of it is in the product.
 *
 * Pairs for imports are not made ahead: the tests kill at a call by its number, and nobody knows when a pair would come in between.
 */
RegionImports.prototype.expectImports = () => undefined;

const faultFile = process.env['KEYFERRY_TEST_COMMIT_FAULT'];
const execute = Libsql.prototype.exec;

Libsql.prototype.exec = function exec(this: Libsql.Database, sql: string) {
  const fault = sql === 'COMMIT' ? readFault() : null;
  // Inside the transaction: the query sees what is about to be committed.
  const isMeant = fault !== null && this.prepare(fault.query).get() !== undefined;
  if (isMeant && fault.when === 'before') process.kill(process.pid, 'SIGKILL');
  const result = execute.call(this, sql);
  if (isMeant) process.kill(process.pid, 'SIGKILL');
  return result;
};

function readFault(): CommitFault | null {
  if (faultFile === undefined) return null;
  try {
    const text = readFileSync(faultFile, 'utf8');
    return text === '' ? null : (JSON.parse(text) as CommitFault);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
