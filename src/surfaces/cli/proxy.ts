import type { Command } from 'commander';
import type { ListenAddress } from '../../listen.js';
import { makePrivateDirectory } from '../../lab/private_files.js';
import { act, command, listenAddress, type CommandContext, type CommonOptions } from './command_context.js';
import { runUntilStopped } from './long_running.js';
import { conductCommand } from './proxy_conduct.js';

interface ProxyOptions extends CommonOptions {
  /** Not of the commands below this one, so that commander cannot demand them. */
  readonly listen?: ListenAddress;
  readonly directory?: string;
}

/** `keyferry proxy`: the relay between the regions, by itself; below it, what the one of a lab does. */
export function proxyCommand({ programs }: CommandContext): Command {
  const target = command(
    'proxy',
    'run the proxy that carries messages between regions; it holds no key and is trusted for nothing but delivery',
    'keyferry proxy --listen 0.0.0.0:4600 --directory /var/lib/keyferry-proxy',
  )
    .option('--listen <address>', 'HOST:PORT that regions dial; required', listenAddress)
    .option('--directory <directory>', 'where waiting messages are kept; required');
  target.addCommand(conductCommand());
  return act<ProxyOptions>(target, async ({ output, options: { listen, directory } }) => {
    if (listen === undefined || directory === undefined) {
      const missing = listen === undefined ? '--listen <address>' : '--directory <directory>';
      return target.error(`error: required option '${missing}' not specified`);
    }
    makePrivateDirectory(directory);
    await runUntilStopped(() => programs.startProxy({ listen, directory }), output, 'proxy');
  });
}
