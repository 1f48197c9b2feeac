import { createServer, type Server } from 'node:net';
import { listenOn, type ListenAddress } from '../listen.js';
import type { Lab } from './lab_file.js';

/** Where each program of a lab listens; every port is a real one. */
export interface LabAddresses {
  readonly endpoint: ListenAddress;
  readonly proxy: ListenAddress;
  /** Undefined where there is none. */
  readonly console?: ListenAddress;
  readonly regions: Readonly<Record<string, ListenAddress>>;
}

/**
 * Looks whether every address of a lab is free, all at the same time, and chooses ports where the lab leaves that open.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` for the first one that is not
 */
export async function claimAddresses(lab: Lab): Promise<LabAddresses> {
  const held: Server[] = [];
  const claim = async (address: ListenAddress): Promise<ListenAddress> => {
    const server = createServer();
    held.push(server);
    return listenOn(server, address);
  };
  try {
    const regions: Record<string, ListenAddress> = {};
    const endpoint = await claim(lab.endpoint);
    const proxy = await claim(lab.proxy.listen);
    const console = lab.console === undefined ? undefined : await claim(lab.console.listen);
    for (const [name, region] of Object.entries(lab.regions)) regions[name] = await claim(region.listen);
    return { endpoint, proxy, ...(console !== undefined && { console }), regions };
  } finally {
    await Promise.all(held.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  }
}
