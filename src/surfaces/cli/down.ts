import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { LabError } from '../../lab/errors.js';
import { isRunning } from '../../lab/process_identity.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';

/** A lab that has not stopped by then is reported; nothing is killed by force from here. */
const STOP_MS_MAX = 30_000;

/** `keyferry down`: stops a lab. */
export function downCommand(_context: CommandContext): Command {
  const target = labCommand('down', 'stop the lab; keys, tokens and messages stay where they are', 'keyferry down');
  return act<CommonOptions & { readonly dir: string }>(target, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir);
    const stopped = await output.step(`stopping the lab in ${directory.root}`, () => stopLab(directory));
    output.result({ stopped }, () =>
      stopped ? `The lab in ${directory.root} has stopped.` : `No lab is running in ${directory.root}.`,
    );
  });
}

/**
 * Asks the lab's supervisor to stop everything, and waits for that. Programs that outlived a supervisor are asked themselves.
 *
 * @returns whether there was anything to stop
 * @throws {@link LabError} `ERR_LAB_TIMEOUT`
 */
export async function stopLab(directory: StateDirectory): Promise<boolean> {
  const supervisor = directory.lockHolder();
  const programs = Object.values(directory.readState()?.programs ?? {});
  const alive = (): number[] =>
    programs.flatMap(({ process: found }) => (found !== null && isRunning(found) ? [found.pid] : []));
  const asked = supervisor === undefined ? alive() : [supervisor];
  if (asked.length === 0) return false;
  for (const pid of asked) process.kill(pid, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < STOP_MS_MAX; waitedMs += 25) {
    if (directory.lockHolder() === undefined && alive().length === 0) return true;
    await sleep(25);
  }
  throw new LabError(
    'ERR_LAB_TIMEOUT',
    `Process ${[...asked, ...alive()].join(', ')} has not stopped in ${STOP_MS_MAX / 1000} seconds`,
    {
      remedy: `read the logs in ${directory.log('x').replace(/x\.log$/u, '')}`,
    },
  );
}
