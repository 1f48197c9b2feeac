import { Command, InvalidArgumentError } from 'commander';
import { parseListenAddress, type ListenAddress } from '../../listen.js';
import { Output } from './output.js';
import type { Programs } from './programs.js';

/** What every command is built with. */
export interface CommandContext {
  readonly programs: Programs;
}

/** Where a lab is kept if nobody says otherwise. */
export const DEFAULT_DIRECTORY = '.keyferry';

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
}

/** A command with `--json`, and an example at the end of its help. */
export function command(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print JSON only')
    .addHelpText('after', `\nExample:\n  ${example.replaceAll('\n', '\n  ')}`);
}

/** A command that works on a lab's directory. */
export function labCommand(name: string, description: string, example: string): Command {
  return command(name, description, example).option('--dir <directory>', 'directory of the lab', DEFAULT_DIRECTORY);
}

/** Gives a command what it does; `--json` has decided what its output is. */
export function act<Options extends CommonOptions>(
  target: Command,
  work: (call: {
    readonly output: Output;
    readonly options: Options;
    readonly args: readonly string[];
  }) => Promise<void>,
): Command {
  return target.action(async () => {
    const options = target.opts<Options>();
    await work({ output: new Output({ json: options.json === true }), options, args: target.args });
  });
}

/** Parser of an option that is an address. */
export function listenAddress(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined) throw new InvalidArgumentError('An address is written HOST:PORT.');
  return address;
}

/** Parser of an option that is a whole number. */
export function wholeNumberOption(text: string): number {
  if (!/^\d{1,15}$/u.test(text)) throw new InvalidArgumentError('Not a whole number.');
  return Number(text);
}

/** Collects an option that may be given several times. */
export function repeated(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}
