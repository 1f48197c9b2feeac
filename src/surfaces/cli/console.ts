import type { Command } from 'commander';
import type { ListenAddress } from '../../listen.js';
import { consoleLink } from '../../lab/console_link.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, listenAddress, type CommandContext, type CommonOptions } from './command_context.js';
import { runUntilStopped } from './long_running.js';

interface ConsoleOptions extends CommonOptions {
  readonly dir: string;
  readonly listen: ListenAddress;
  readonly login?: boolean;
  readonly principal?: string;
}

const DEFAULT_LISTEN = '127.0.0.1:4598';

/** `keyferry console`: the lab in a browser. */
export function consoleCommand({ programs }: CommandContext): Command {
  const target = labCommand(
    'console',
    'show the lab in a browser; `keyferry up` starts it, this makes a link to log in, or runs it by itself',
    'keyferry console --login\nkeyferry console --login --principal user/alice\nkeyferry console --listen 127.0.0.1:4598',
  )
    .option('--login', 'print a link that logs in to the running console, once, within ten minutes')
    .option('--principal <name>', 'as whom: an ARN, its end, or an access key id (default: the account’s root)')
    .option('--listen <address>', 'HOST:PORT on this machine', listenAddress, listenAddress(DEFAULT_LISTEN));
  return act<ConsoleOptions>(target, async ({ output, options }) => {
    if (options.login === true || options.principal !== undefined) {
      const link = await consoleLink(new StateDirectory(options.dir), options.principal ?? null);
      output.result(link, () => link.url);
      return;
    }
    const config = { listen: options.listen, directory: options.dir };
    await runUntilStopped(() => programs.startConsole(config), output, 'console');
  });
}
