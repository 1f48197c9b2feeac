import { InvalidArgumentError, type Command } from 'commander';
import type { ListenAddress } from '../../listen.js';
import type { TlsFiles } from '../../tls_identity.js';
import { act, command, listenAddress, type CommandContext, type CommonOptions } from './command_context.js';
import { runUntilStopped } from './long_running.js';

interface FrontDoorOptions extends CommonOptions {
  readonly listen: ListenAddress;
  readonly region: Readonly<Record<string, string>>;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly tlsAuthority?: string;
}

/** `keyferry front-door`: one URL for all regions, by itself. */
export function frontDoorCommand({ programs }: CommandContext): Command {
  const target = command(
    'front-door',
    'serve all regions on one URL, by the region that each request is signed for',
    'keyferry front-door --listen 127.0.0.1:4599 --region us-east-1=http://10.0.1.5:4610 --region eu-west-1=http://10.0.2.5:4610',
  )
    .requiredOption('--listen <address>', 'HOST:PORT that clients use', listenAddress)
    .requiredOption('--region <name=url>', 'a region and where it answers; may be repeated', regionUrl)
    .option('--tls-certificate <file>', 'speak TLS, with this certificate (PEM, the chain behind it)')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--tls-authority <file>', 'root certificates of regions that speak TLS (default: the certificate itself)');
  return act<FrontDoorOptions>(target, async ({ output, options }) => {
    await runUntilStopped(
      () => programs.startFrontDoor({ listen: options.listen, regions: options.region, tls: tlsFilesOf(options) }),
      output,
      'front door',
    );
  });
}

function tlsFilesOf({ tlsCertificate, tlsKey, tlsAuthority }: FrontDoorOptions): TlsFiles | undefined {
  if (tlsCertificate !== undefined && tlsKey !== undefined) {
    return { certificate: tlsCertificate, key: tlsKey, authority: tlsAuthority };
  }
  if (tlsCertificate === undefined && tlsKey === undefined && tlsAuthority === undefined) return undefined;
  throw new InvalidArgumentError('TLS needs both --tls-certificate and --tls-key.');
}

function regionUrl(text: string, earlier: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, url] = /^([a-z0-9-]{1,32})=(https?:\/\/.+)$/u.exec(text) ?? [];
  if (name === undefined || url === undefined || !URL.canParse(url)) {
    throw new InvalidArgumentError('A region is written NAME=http://HOST:PORT or NAME=https://HOST:PORT.');
  }
  return { ...earlier, [name]: url };
}
