import type { Command } from 'commander';
import { awsEnvironment } from '../../lab/aws_files.js';
import { LabError } from '../../lab/errors.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';

interface EnvOptions extends CommonOptions {
  readonly dir: string;
  readonly region?: string;
}

/** `keyferry env`: what a shell needs so that AWS clients use the lab. */
export function envCommand(_context: CommandContext): Command {
  const target = labCommand(
    'env',
    'print the variables that point AWS clients at the lab',
    'eval "$(keyferry env --region eu-west-1)"',
  ).option('--region <name>', 'region that is used where a command names none (default: the first of the lab)');
  return act<EnvOptions>(target, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir);
    const state = directory.readState();
    if (state === undefined) {
      throw new LabError('ERR_LAB_NOT_RUNNING', `No lab has run in ${directory.root}`, {
        remedy: 'start one with: keyferry up',
      });
    }
    const region = options.region ?? state.regions[0] ?? '';
    if (!state.regions.includes(region)) {
      throw new LabError('ERR_LAB_NOT_RUNNING', `The lab has no region ${region}`, {
        remedy: `choose one of ${state.regions.join(', ')}`,
      });
    }
    const variables = awsEnvironment(directory, { endpoint: state.endpoint, caFile: state.caFile, region });
    output.result(variables, () =>
      Object.entries(variables)
        .map(([name, value]) => `export ${name}=${quoted(value)}`)
        .join('\n'),
    );
  });
}

/** A word of the shell that means exactly this text. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
