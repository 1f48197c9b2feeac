import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConfigError } from '../errors.js';
import { identityOf } from './process_identity.js';
import { StateDirectory } from './state_directory.js';

/** Directories beside a lab's own while another lab takes its place. */
export interface RestorePlaces {
  /** What is being copied. */
  readonly unfinished: string;
  /** The lab that is to be there, whole. */
  readonly restored: string;
  /** The lab that made way for it. */
  readonly replaced: string;
}

/** Where a restore by this process works. */
export function placesOf(root: string): RestorePlaces {
  return {
    unfinished: `${root}.${process.pid}.unfinished`,
    restored: `${root}.restore-new`,
    replaced: `${root}.restore-old`,
  };
}

/**
 * Ends a restore that was interrupted: a restored lab takes a place that is empty, and what is left over goes. A restore that another
 * process is at is left alone.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` where another process is about to put a lab in this place, which is empty
 */
export function settleRestore(root: string): void {
  const { restored, replaced } = placesOf(root);
  removeUnfinished(root);
  const holder = [restored, replaced]
    .map((path) => new StateDirectory(path).lockHolder())
    .find((pid) => pid !== undefined);
  if (holder !== undefined && holder !== process.pid) {
    // Whoever wants the lab that is there finds it locked.
    if (existsSync(root)) return;
    throw new ConfigError('ERR_CONFIG_STATE', `A lab is being restored in ${root} (process ${holder})`, {
      details: { directory: root, pid: holder },
    });
  }
  if (!existsSync(root)) {
    const whole = [restored, replaced].find((path) => existsSync(path));
    if (whole === undefined) return;
    renameSync(whole, root);
  }
  for (const path of [restored, replaced]) rmSync(path, { recursive: true, force: true });
}

/** Copies that a process has not finished and never will: they hold keys. */
function removeUnfinished(root: string): void {
  if (!existsSync(dirname(root))) return;
  const beginning = `${basename(root)}.`;
  for (const name of readdirSync(dirname(root))) {
    const [, pid] = name.startsWith(beginning) ? (/^(\d+)\.unfinished$/u.exec(name.slice(beginning.length)) ?? []) : [];
    if (pid !== undefined && identityOf(Number(pid)) === undefined) {
      rmSync(join(dirname(root), name), { recursive: true, force: true });
    }
  }
}
