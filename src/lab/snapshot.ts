import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../errors.js';
import { LabError } from './errors.js';
import { copyPrivateFile, lastingFiles, makeEmptyPrivateDirectory, sync, syncTree } from './lab_files.js';
import { writePrivateFile } from './private_files.js';
import { parseJsonFile, readRegionConfig } from './region_config.js';
import type { StateDirectory } from './state_directory.js';

/** Name of the file that says what a snapshot holds; written last. */
const MANIFEST = 'snapshot.json';
/** Directory of the files in a snapshot. */
const FILES = 'lab';
const FORMAT = 1;
/** Programs give up waiting for a database after five seconds, milliseconds. */
const HELD_MS_MAX = 3_000;

const path = z
  .string()
  .min(1)
  .refine((text) => !text.startsWith('/') && !text.split('/').includes('..'), 'a path leads out of the snapshot');

const manifestForm = z.strictObject({
  format: z.literal(FORMAT),
  createdAt: z.string(),
  /** The directory that the lab had: paths in its files begin with it. */
  root: z.string(),
  partition: z.string(),
  account: z.string(),
  regions: z.array(z.string()),
  /** Regions whose token is not one that Keyferry keeps: it is not in the snapshot. */
  ownTokens: z.array(z.string()),
  files: z.array(z.strictObject({ path, octets: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/u) })),
});

const labForm = z.object({ partition: z.string(), account: z.string() });

/** What a snapshot holds. */
export type SnapshotManifest = Readonly<z.infer<typeof manifestForm>>;

/** Keeps databases as they are while something is done. */
export type HoldDatabases = <Result>(paths: readonly string[], work: () => Result) => Result;

/**
 * Saves a whole lab. All its databases stand still at one moment, so that no region knows of what another one has forgotten; a lab that
 * runs goes on afterwards.
 *
 * @param target - directory of the snapshot, which must not be there; it appears when it is whole
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` where there is no lab, or the target is there; {@link LabError} `ERR_LAB_TIMEOUT`
 */
export function takeSnapshot(directory: StateDirectory, target: string, hold: HoldDatabases): SnapshotManifest {
  const { root } = directory;
  const wanted = resolve(target);
  if (!existsSync(directory.labFile)) throw refusal(`${root} holds no lab`, { directory: root });
  if (existsSync(wanted)) throw refusal(`${wanted} is there already; name another directory`, { directory: wanted });
  if (`${wanted}/`.startsWith(`${root}/`)) throw refusal(`${wanted} is inside the lab that it is to save`);
  // A lab that runs has the directory; one that does not must not start now.
  const unlock = directory.lockHolder() === undefined ? directory.lock() : () => undefined;
  const unfinished = `${wanted}.${process.pid}.unfinished`;
  try {
    makeEmptyPrivateDirectory(unfinished);
    const files = copyStanding(root, join(unfinished, FILES), hold);
    const { partition, account } = parseJsonFile(directory.labFile, labForm);
    const regions = [...regionsIn(files)];
    const manifest: SnapshotManifest = {
      format: FORMAT,
      createdAt: new Date().toISOString(),
      root,
      partition,
      account,
      regions,
      ownTokens: regions.filter((name) => readRegionConfig(directory.regionConfig(name)).token.managed === null),
      files: files.map((name) => ({ path: name, ...digestOf(join(unfinished, FILES, name)) })),
    };
    writePrivateFile(join(unfinished, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
    syncTree(unfinished);
    renameSync(unfinished, wanted);
    sync(dirname(wanted));
    return manifest;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    unlock();
  }
}

/** Copies everything that lasts while nobody can write to a database; the names of the files. */
function copyStanding(root: string, to: string, hold: HoldDatabases): readonly string[] {
  const databases = lastingFiles(root).filter((name) => name.endsWith('.db'));
  return hold(
    databases.map((name) => join(root, name)),
    () => {
      const startedMs = performance.now();
      const files = lastingFiles(root);
      for (const name of files) {
        copyPrivateFile(join(root, name), join(to, name));
        if (performance.now() - startedMs > HELD_MS_MAX) {
          throw new LabError('ERR_LAB_TIMEOUT', 'The lab is too large to be held while it is copied', {
            remedy: 'stop it first: keyferry down',
          });
        }
      }
      return files;
    },
  );
}

function regionsIn(files: readonly string[]): readonly string[] {
  return files.flatMap((name) => /^regions\/([^/]+)\/config\.json$/u.exec(name)?.[1] ?? []);
}

function digestOf(file: string): { readonly octets: number; readonly sha256: string } {
  const octets = readFileSync(file);
  return { octets: octets.length, sha256: createHash('sha256').update(octets).digest('hex') };
}

/**
 * Reads what a snapshot holds, and that every file of it is as it was saved.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` for what is no snapshot, or is not whole; `ERR_CONFIG_FILE`
 */
export function readSnapshot(target: string): { readonly manifest: SnapshotManifest; readonly files: string } {
  const manifestFile = join(target, MANIFEST);
  if (!existsSync(manifestFile)) throw refusal(`${target} is no snapshot: it has no ${MANIFEST}`);
  const manifest = parseJsonFile(manifestFile, manifestForm);
  const files = join(target, FILES);
  for (const { path: name, octets, sha256 } of manifest.files) {
    const file = join(files, name);
    const isThere = statSync(file, { throwIfNoEntry: false })?.isFile() === true;
    const found = isThere ? digestOf(file) : undefined;
    if (found?.octets !== octets || found.sha256 !== sha256) {
      throw refusal(`${file} is not as it was saved: the snapshot is not whole`, { file });
    }
  }
  return { manifest, files };
}

function refusal(message: string, details: Readonly<Record<string, string>> = {}): ConfigError {
  return new ConfigError('ERR_CONFIG_STATE', message, { details });
}
