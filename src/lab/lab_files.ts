import {
  closeSync,
  constants,
  copyFileSync,
  chmodSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  lstatSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makePrivateDirectory, PRIVATE_FILE } from './private_files.js';

/** What a lab's directory holds that lasts. */
const LASTING = ['authority', 'aws', 'lab.json', 'proxy', 'regions', 'seed.json'] as const;
/** What belongs to a lab while it runs, or tells how it ran. */
const PASSING = /^(?:console|lock(?:\.\d+)?|logs|state\.json(?:\.new)?|seed\.json\.new|lab\.json\.new)$/u;
/** Files that are never saved: sockets, the memory that programs share over a database, and what was about to become a file. */
const UNSAVED = /(?:\.sock|-shm|\.new)$/u;

/** Files of a lab that last, relative to its directory, in order. */
export function lastingFiles(root: string): readonly string[] {
  const files: string[] = [];
  const walk = (path: string): void => {
    const status = lstatSync(join(root, path));
    if (status.isDirectory()) {
      for (const name of readdirSync(join(root, path)).toSorted()) walk(join(path, name));
    } else if (status.isFile() && !UNSAVED.test(path)) {
      files.push(path);
    }
  };
  for (const name of LASTING) if (existsSync(join(root, name))) walk(name);
  return files;
}

/** What is in a lab's directory and is none of the lab's. */
export function foreignEntries(root: string): readonly string[] {
  return readdirSync(root).filter((name) => !PASSING.test(name) && !(LASTING as readonly string[]).includes(name));
}

/** Copies a file, with the directories above it, so that only its owner can read it. */
export function copyPrivateFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  // Some file systems make the copy without copying.
  copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  chmodSync(to, PRIVATE_FILE);
}

/** Waits until everything in a directory, and the directory, is on the disk. */
export function syncTree(root: string): void {
  for (const name of readdirSync(root, { withFileTypes: true })) {
    const path = join(root, name.name);
    if (name.isDirectory()) syncTree(path);
    else sync(path);
  }
  sync(root);
}

/** Waits until a file, or the names in a directory, are on the disk. */
export function sync(path: string): void {
  const opened = openSync(path, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

/** Makes a directory for its owner only, whose parents may be anybody's. */
export function makeEmptyPrivateDirectory(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(path, { mode: 0o700 });
  makePrivateDirectory(path);
}
