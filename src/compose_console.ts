import { performance } from 'node:perf_hooks';
import { ownHosts } from './console/guard.js';
import { LabInDirectory } from './console/lab_in_directory.js';
import { serveLoginLinks } from './console/login_links.js';
import { createConsoleServer } from './console/server.js';
import { ConsoleSessions } from './console/sessions.js';
import { ConfigError } from './errors.js';
import { makePrivateDirectory } from './lab/private_files.js';
import { StateDirectory } from './lab/state_directory.js';
import { closeServer, formatListenAddress, listenOn, type ListenAddress } from './listen.js';
import { dirname } from 'node:path';

/** What a console is started with. */
export interface ConsoleConfig {
  /** An address of the loopback interface. */
  readonly listen: ListenAddress;
  /** Directory of the lab that it shows. */
  readonly directory: string;
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/u;

/**
 * Starts the console of a lab.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY`; `ERR_CONFIG_STATE` for an address that others can reach, or where a console runs
 */
export async function startConsole(config: ConsoleConfig): Promise<{ readonly url: string; close(): Promise<void> }> {
  if (!LOOPBACK.test(config.listen.host)) {
    const message = `The console answers this machine only, and not on ${config.listen.host}: choose 127.0.0.1`;
    throw new ConfigError('ERR_CONFIG_STATE', message, { details: { host: config.listen.host } });
  }
  const directory = new StateDirectory(config.directory);
  const lab = new LabInDirectory(directory);
  const sessions = new ConsoleSessions(() => performance.now());
  let hosts: ReadonlySet<string> = new Set();
  const server = createConsoleServer({
    lab,
    sessions,
    hosts: () => hosts,
    report: (failure) => process.stderr.write(`${new Date().toISOString()} ${describe(failure)}\n`),
  });
  const address = await listenOn(server, config.listen);
  hosts = ownHosts(address);
  const url = `http://${formatListenAddress(address)}`;
  try {
    makePrivateDirectory(dirname(directory.consoleSocket));
    const links = await serveLoginLinks({ principals: lab.principals, sessions, url }, directory.consoleSocket);
    return {
      url,
      close: async () => {
        // Streams end with their sessions.
        sessions.close();
        await Promise.all([closeServer(server), links.close()]);
      },
    };
  } catch (error) {
    await closeServer(server);
    throw error;
  }
}

function describe(failure: unknown): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}
