import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from '../errors.js';
import { copyPrivateFile, foreignEntries, makeEmptyPrivateDirectory, sync, syncTree } from './lab_files.js';
import { writePrivateFile } from './private_files.js';
import { readSnapshot, type SnapshotManifest } from './snapshot.js';
import { placesOf, settleRestore } from './restore_settlement.js';
import { StateDirectory } from './state_directory.js';

/** Files that name where the lab is. */
const WITH_PATHS = /^(?:authority\/authority|regions\/[^/]+\/config)\.json$/u;

/**
 * Puts a snapshot in the place of a lab. Whatever happens meanwhile, the lab is the old one or the new one, and whole.
 *
 * @param snapshot - directory that {@link takeSnapshot} made
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` where a lab runs in the directory, it holds files of somebody else, or the snapshot is
 * not whole
 */
export function restoreLab(directory: StateDirectory, snapshot: string): SnapshotManifest {
  const { root } = directory;
  settleRestore(root);
  const { manifest, files } = readSnapshot(snapshot);
  // Held by this process until all is over: the old directory now, the new one from the moment at which it can be seen.
  if (existsSync(root)) lockOwn(directory);
  const { unfinished, restored, replaced } = placesOf(root);
  try {
    makeEmptyPrivateDirectory(unfinished);
    for (const { path } of manifest.files) {
      copyPrivateFile(join(files, path), join(unfinished, path));
      if (WITH_PATHS.test(path)) moveRoot(join(unfinished, path), { from: manifest.root, to: root });
    }
    new StateDirectory(unfinished).lock();
    syncTree(unfinished);
    renameSync(unfinished, restored);
    if (existsSync(root)) renameSync(root, replaced);
    settleRestore(root);
    sync(dirname(root));
    return manifest;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    rmSync(directory.lockFile, { force: true });
  }
}

/** Takes a lab's directory, which is about to be replaced with everything that is in it. */
function lockOwn(directory: StateDirectory): void {
  const { root } = directory;
  const [foreign] = foreignEntries(root);
  if (foreign !== undefined) {
    throw new ConfigError(
      'ERR_CONFIG_STATE',
      `${join(root, foreign)} is not of a lab, and would be lost; move it away`,
      {
        details: { directory: root, entry: foreign },
      },
    );
  }
  directory.lock();
}

/** Brings the paths in a file to the directory where the lab is now. */
function moveRoot(file: string, { from, to }: { readonly from: string; readonly to: string }): void {
  const text = JSON.stringify(
    JSON.parse(readFileSync(file, 'utf8')),
    (_name, value: unknown) =>
      typeof value === 'string' && (value === from || value.startsWith(`${from}/`))
        ? to + value.slice(from.length)
        : value,
    2,
  );
  writePrivateFile(file, `${text}\n`);
}
