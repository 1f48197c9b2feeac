import type { Command } from 'commander';
import type { ListenAddress } from '../../listen.js';
import { makePrivateDirectory } from '../../lab/private_files.js';
import { act, command, listenAddress, type CommandContext, type CommonOptions } from './command_context.js';
import { runUntilStopped } from './long_running.js';

interface ProxyOptions extends CommonOptions {
  readonly listen: ListenAddress;
  readonly directory: string;
}

/** `keyferry proxy`: the relay between the regions, by itself. */
export function proxyCommand({ programs }: CommandContext): Command {
  const target = command(
    'proxy',
    'run the proxy that carries messages between regions; it holds no key and is trusted for nothing but delivery',
    'keyferry proxy --listen 0.0.0.0:4600 --directory /var/lib/keyferry-proxy',
  )
    .requiredOption('--listen <address>', 'HOST:PORT that regions dial', listenAddress)
    .requiredOption('--directory <directory>', 'where waiting messages are kept');
  return act<ProxyOptions>(target, async ({ output, options }) => {
    makePrivateDirectory(options.directory);
    await runUntilStopped(
      () => programs.startProxy({ listen: options.listen, directory: options.directory }),
      output,
      'proxy',
    );
  });
}
