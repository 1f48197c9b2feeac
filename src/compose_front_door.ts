import { closeServer, formatListenAddress, listenOn, type ListenAddress } from './listen.js';
import { createFrontDoor, type RegionUrls } from './surfaces/front_door/server.js';

/** What a front door is started with. */
export interface FrontDoorConfig {
  readonly listen: ListenAddress;
  readonly regions: RegionUrls;
}

/**
 * Starts the front door.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY`
 */
export async function startFrontDoor(
  config: FrontDoorConfig,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createFrontDoor(config.regions);
  const address = await listenOn(server, config.listen);
  return { url: `http://${formatListenAddress(address)}`, close: () => closeServer(server) };
}
