import type { Command } from 'commander';
import { readLabReport } from '../../lab/lab_report.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { describeLab } from './status_text.js';

interface StatusOptions extends CommonOptions {
  readonly dir: string;
  readonly verbose?: boolean;
}

/** `keyferry status`: which programs run, what each region says of itself, and what is not as it should be. */
export function statusCommand(_context: CommandContext): Command {
  const target = labCommand(
    'status',
    'show the programs of the lab, its regions, their tokens, what waits at the proxy, and what is wrong',
    'keyferry status\nkeyferry status --verbose\nkeyferry status --json',
  ).option('-v, --verbose', 'everything that a region says, with whole ids');
  return act<StatusOptions>(target, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir);
    const state = directory.readState();
    if (state === undefined || directory.lockHolder() === undefined) {
      output.result(
        { running: false, directory: directory.root },
        () => `No lab is running in ${directory.root}. To start it: keyferry up`,
      );
      return;
    }
    const { report, problems } = await readLabReport(directory, state);
    const { endpoint, partition, account } = state;
    output.result(
      { running: true, directory: directory.root, endpoint, partition, account, ...report, problems },
      (colours) => describeLab({ state, report, problems, isVerbose: options.verbose === true }, colours),
    );
  });
}
