import type { Command } from 'commander';
import { restoreLab } from '../../lab/restore.js';
import { takeSnapshot, type SnapshotManifest } from '../../lab/snapshot.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';

interface LabOptions extends CommonOptions {
  readonly dir: string;
}

/** `keyferry snapshot`: saves a lab. */
export function snapshotCommand({ programs }: CommandContext): Command {
  const target = labCommand(
    'snapshot',
    'save the whole lab: databases, software tokens and their PINs, trails, clock, credentials; it may be running',
    'keyferry snapshot before-the-tests',
  ).argument('<snapshot>', 'directory that is made; who can read it has the keys of the lab');
  return act<LabOptions>(target, async ({ output, options, args }) => {
    const path = args[0] ?? '';
    const hold = await programs.holdDatabases();
    const manifest = await output.step('saving the lab', async () =>
      takeSnapshot(new StateDirectory(options.dir), path, hold),
    );
    output.result(summaryOf(manifest, path), () => describe(manifest, `saved in ${path}`));
  });
}

/** `keyferry restore`: brings a lab back. */
export function restoreCommand(_context: CommandContext): Command {
  const target = labCommand(
    'restore',
    'put a snapshot in the place of the lab, which must not be running; everything since then is lost',
    'keyferry down && keyferry restore before-the-tests && keyferry up --detach',
  ).argument('<snapshot>', 'directory that keyferry snapshot made');
  return act<LabOptions>(target, async ({ output, options, args }) => {
    const path = args[0] ?? '';
    const directory = new StateDirectory(options.dir);
    const manifest = await output.step('restoring the lab', async () => restoreLab(directory, path));
    output.result(summaryOf(manifest, path), () => describe(manifest, `restored in ${directory.root}`));
  });
}

function summaryOf(manifest: SnapshotManifest, snapshot: string): object {
  const { createdAt, partition, account, regions, ownTokens, files } = manifest;
  const octets = files.reduce((sum, file) => sum + file.octets, 0);
  return { snapshot, createdAt, partition, account, regions, ownTokens, files: files.length, octets };
}

function describe(manifest: SnapshotManifest, what: string): string {
  const { createdAt, regions, ownTokens, files } = manifest;
  return [
    `The lab of ${regions.join(', ')}, as it was at ${createdAt}, is ${what} (${files.length} files).`,
    ...ownTokens.map((name) => `The token of ${name} is your own: it is not in the snapshot, and has to be as it was.`),
  ].join('\n');
}
