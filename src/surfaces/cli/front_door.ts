import { InvalidArgumentError, type Command } from 'commander';
import type { ListenAddress } from '../../listen.js';
import { act, command, listenAddress, type CommandContext, type CommonOptions } from './command_context.js';
import { runUntilStopped } from './long_running.js';

interface FrontDoorOptions extends CommonOptions {
  readonly listen: ListenAddress;
  readonly region: Readonly<Record<string, string>>;
}

/** `keyferry front-door`: one URL for all regions, by itself. */
export function frontDoorCommand({ programs }: CommandContext): Command {
  const target = command(
    'front-door',
    'serve all regions on one URL, by the region that each request is signed for',
    'keyferry front-door --listen 127.0.0.1:4599 --region us-east-1=http://10.0.1.5:4610 --region eu-west-1=http://10.0.2.5:4610',
  )
    .requiredOption('--listen <address>', 'HOST:PORT that clients use', listenAddress)
    .requiredOption('--region <name=url>', 'a region and where it answers; may be repeated', regionUrl);
  return act<FrontDoorOptions>(target, async ({ output, options }) => {
    await runUntilStopped(
      () => programs.startFrontDoor({ listen: options.listen, regions: options.region }),
      output,
      'front door',
    );
  });
}

function regionUrl(text: string, earlier: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, url] = /^([a-z0-9-]{1,32})=(http:\/\/.+)$/u.exec(text) ?? [];
  if (name === undefined || url === undefined || !URL.canParse(url)) {
    throw new InvalidArgumentError('A region is written NAME=http://HOST:PORT.');
  }
  return { ...earlier, [name]: url };
}
