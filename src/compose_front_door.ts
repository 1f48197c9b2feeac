import { closeServer, formatListenAddress, listenOn, type ListenAddress } from './listen.js';
import { createFrontDoor, type RegionUrls } from './surfaces/front_door/server.js';
import { readTlsAuthority, readTlsIdentity, type TlsFiles } from './tls_identity.js';

/** What a front door is started with. */
export interface FrontDoorConfig {
  readonly listen: ListenAddress;
  readonly regions: RegionUrls;
  /** What it proves itself with, and whom it trusts to be a region; it speaks HTTP to its clients without it. */
  readonly tls?: TlsFiles | undefined;
}

/**
 * Starts the front door.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY`; `ERR_CONFIG_FILE` for its certificate
 */
export async function startFrontDoor(
  config: FrontDoorConfig,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { tls } = config;
  const server = createFrontDoor(config.regions, {
    ...(tls !== undefined && { tls: readTlsIdentity(tls), ca: readTlsAuthority(tls) }),
  });
  const address = await listenOn(server, config.listen);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${formatListenAddress(address)}`,
    close: () => closeServer(server),
  };
}
