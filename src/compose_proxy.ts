import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { closeServer, formatListenAddress, listenOn, listenOnSocket, type ListenAddress } from './listen.js';
import { Relay } from './proxy/relay.js';
import { createProxyAdminServer, createProxyServer } from './proxy/server.js';
import { ProxyStore } from './proxy/store.js';

/** What a proxy is started with. */
export interface ProxyConfig {
  readonly listen: ListenAddress;
  /** Directory of its own, which exists: `proxy.db` and `admin.sock`. */
  readonly directory: string;
}

/** A proxy that listens. */
export interface RunningProxy {
  readonly url: string;
  /** For tests and experiments: switches the mode, reads the log. */
  readonly relay: Relay;
  close(): Promise<void>;
}

/**
 * Starts the proxy.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY`, or `ERR_CONFIG_STATE` where another proxy has the directory
 */
export async function startProxy(config: ProxyConfig): Promise<RunningProxy> {
  const relay = new Relay(new ProxyStore(join(config.directory, 'proxy.db'), randomUUID()), () => Date.now());
  const admin = createProxyAdminServer(relay);
  const server = createProxyServer(relay);
  const close = async (): Promise<void> => {
    relay.close();
    await Promise.all([closeServer(server), closeServer(admin)]);
  };
  try {
    await listenOnSocket(admin, join(config.directory, 'admin.sock'));
    const address = await listenOn(server, config.listen);
    return { url: `http://${formatListenAddress(address)}`, relay, close };
  } catch (error) {
    await close();
    throw error;
  }
}
