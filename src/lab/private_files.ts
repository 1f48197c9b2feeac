import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { ConfigError } from '../errors.js';

/** Rights of a directory that only its user can enter. */
const PRIVATE_DIRECTORY = 0o700;
/** Rights of a file that only its user can read. */
export const PRIVATE_FILE = 0o600;

/** Makes a directory that only this user can enter, also where it was there with other rights. */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: PRIVATE_DIRECTORY });
    chmodSync(path, PRIVATE_DIRECTORY);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError('ERR_CONFIG_STATE', `${path} cannot be made: ${reason}`, { details: { path }, cause: error });
  }
}

/** Writes a file that only this user can read; a reader sees the old or the new content and nothing between. */
export function writePrivateFile(path: string, content: string): void {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  const file = openSync(fresh, 'wx', PRIVATE_FILE);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}
