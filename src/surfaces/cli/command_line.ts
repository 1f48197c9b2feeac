import { Command, CommanderError } from 'commander';
import { KeyferryError } from '../../errors.js';
import { LabError } from '../../lab/errors.js';
import { EXIT_STATUS } from '../../lab/exit_status.js';
import type { CommandContext } from './command_context.js';
import { Output } from './output.js';
import type { Programs } from './programs.js';

/** Every command, loaded when it is needed: what one program does not use does not slow its start. */
const COMMANDS: Readonly<Record<string, (context: CommandContext) => Promise<Command>>> = {
  up: async (context) => (await import('./up.js')).upCommand(context),
  status: async (context) => (await import('./status.js')).statusCommand(context),
  down: async (context) => (await import('./down.js')).downCommand(context),
  snapshot: async (context) => (await import('./snapshot.js')).snapshotCommand(context),
  restore: async (context) => (await import('./snapshot.js')).restoreCommand(context),
  console: async (context) => (await import('./console.js')).consoleCommand(context),
  env: async (context) => (await import('./env.js')).envCommand(context),
  demo: async (context) => (await import('./demo.js')).demoCommand(context),
  trace: async (context) => (await import('./trace.js')).traceCommand(context),
  audit: async (context) => (await import('./audit.js')).auditCommand(context),
  events: async (context) => (await import('./events.js')).eventsCommand(context),
  clock: async (context) => (await import('./clock.js')).clockCommand(context),
  import: async (context) => (await import('./import.js')).importCommand(context),
  token: async (context) => (await import('./token.js')).tokenCommand(context),
  validate: async () => (await import('./validate.js')).validateCommand(),
  authority: async (context) => (await import('./authority.js')).authorityCommand(context),
  region: async (context) => (await import('./region.js')).regionCommand(context),
  proxy: async (context) => (await import('./proxy.js')).proxyCommand(context),
  'front-door': async (context) => (await import('./front_door.js')).frontDoorCommand(context),
};

/**
 * Runs one command.
 *
 * @param argv - as `process.argv`
 * @returns the exit status, one of {@link EXIT_STATUS}
 */
export async function runCommandLine(argv: readonly string[], programs: Programs): Promise<number> {
  const isJson = argv.includes('--json');
  try {
    const program = await buildCommandLine({ programs }, argv[2]);
    await program.parseAsync([...argv]);
    return EXIT_STATUS.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_STATUS.ok : EXIT_STATUS.usage;
    new Output({ json: isJson }).failure(error);
    return exitStatusOf(error);
  }
}

/**
 * The command line.
 *
 * @param only - the one command that is wanted; all of them where that is none, for help and for suggestions
 */
export async function buildCommandLine(context: CommandContext, only?: string): Promise<Command> {
  const program = new Command('keyferry')
    .description('A multi-Region key manager that answers the AWS KMS API and keeps its keys in PKCS#11 tokens')
    .addHelpText('after', '\nExample:\n  keyferry up --detach\n  eval "$(keyferry env)"\n  aws kms list-keys');
  const wanted = only !== undefined && Object.hasOwn(COMMANDS, only) ? [only] : Object.keys(COMMANDS);
  for (const name of wanted) {
    const target = await COMMANDS[name]?.(context);
    if (target !== undefined) program.addCommand(target);
  }
  strict(program);
  return program;
}

/** Errors of the command line become exceptions, with the help of the command that was meant. */
function strict(target: Command): void {
  target
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for more)')
    .showSuggestionAfterError();
  for (const each of target.commands) strict(each);
}

/** The exit status by which a supervisor, or a script, learns whether starting again can help. */
export function exitStatusOf(error: unknown): number {
  const codes = codesOf(error);
  if (codes.some((code) => PIN_CODES.includes(code))) return EXIT_STATUS.pinRefused;
  if (codes.includes('ERR_LAB_INTERRUPTED') || codes.includes('ERR_VALIDATION_INTERRUPTED')) {
    return EXIT_STATUS.interrupted;
  }
  // A validation that could not run is told from one that found something, which a pipeline has to know.
  if (codes.some((code) => NOTHING_VALIDATED.includes(code))) return EXIT_STATUS.usage;
  return codes.some((code) => code.startsWith('ERR_CONFIG_')) ? EXIT_STATUS.configuration : EXIT_STATUS.failed;
}

const NOTHING_VALIDATED = ['ERR_VALIDATION_START', 'ERR_VALIDATION_REQUEST', 'ERR_VALIDATION_REPORT'];
const PIN_CODES = ['ERR_TOKEN_PIN_REFUSED', 'ERR_TOKEN_PIN_LOCKED', 'ERR_TOKEN_PIN_NOT_SET', 'ERR_CONFIG_PIN'];

/** The codes of an error and of what caused it, also where that was in another program, which named its code. */
function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (!(cause instanceof KeyferryError)) continue;
    codes.push(cause.code);
    if (cause instanceof LabError && typeof cause.details['code'] === 'string') codes.push(cause.details['code']);
  }
  return codes;
}
