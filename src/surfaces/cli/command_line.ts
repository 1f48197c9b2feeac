import { Command, CommanderError } from 'commander';
import { ConfigError, KeyferryError } from '../../errors.js';
import { EXIT_STATUS } from '../../lab/exit_status.js';
import { authorityCommand } from './authority.js';
import type { CommandContext } from './command_context.js';
import { downCommand } from './down.js';
import { envCommand } from './env.js';
import { frontDoorCommand } from './front_door.js';
import { Output } from './output.js';
import type { Programs } from './programs.js';
import { proxyCommand } from './proxy.js';
import { regionCommand } from './region.js';
import { statusCommand } from './status.js';
import { tokenCommand } from './token.js';
import { upCommand } from './up.js';

/**
 * Runs one command.
 *
 * @param argv - as `process.argv`
 * @returns the exit status, one of {@link EXIT_STATUS}
 */
export async function runCommandLine(argv: readonly string[], programs: Programs): Promise<number> {
  const isJson = argv.includes('--json');
  try {
    await buildCommandLine({ programs }).parseAsync([...argv]);
    return EXIT_STATUS.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_STATUS.ok : EXIT_STATUS.usage;
    new Output({ json: isJson }).failure(error);
    return exitStatusOf(error);
  }
}

/** The whole command line. */
export function buildCommandLine(context: CommandContext): Command {
  const program = new Command('keyferry')
    .description('A multi-Region key manager that answers the AWS KMS API and keeps its keys in PKCS#11 tokens')
    .addHelpText('after', '\nExample:\n  keyferry up --detach\n  eval "$(keyferry env)"\n  aws kms list-keys')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: true });
  const commands = [
    upCommand(context),
    statusCommand(context),
    downCommand(context),
    envCommand(context),
    tokenCommand(context),
    authorityCommand(context),
    regionCommand(context),
    proxyCommand(context),
    frontDoorCommand(context),
  ];
  for (const each of commands) program.addCommand(each);
  strict(program);
  return program;
}

/** Errors of the command line become exceptions, with the help of the command that was meant. */
function strict(target: Command): void {
  target.exitOverride().enablePositionalOptions().showHelpAfterError('(add --help for more)').showSuggestionAfterError();
  for (const each of target.commands) strict(each);
}

/** The exit status by which a supervisor learns whether starting again can help. */
export function exitStatusOf(error: unknown): number {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof KeyferryError && PIN_CODES.includes(cause.code)) return EXIT_STATUS.pinRefused;
  }
  return error instanceof ConfigError ? EXIT_STATUS.configuration : EXIT_STATUS.failed;
}

const PIN_CODES = ['ERR_TOKEN_PIN_REFUSED', 'ERR_TOKEN_PIN_LOCKED', 'ERR_TOKEN_PIN_NOT_SET', 'ERR_CONFIG_PIN'];
