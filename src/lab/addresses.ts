import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { isTaken, listenOn, type ListenAddress } from '../listen.js';
import type { Lab } from './lab_file.js';

/**
 * Where ports are chosen, first and last: systems give none of these to the connections that programs open, so that a port is still free
 * when its program takes it, a moment later or after a restart.
 *
 * @source RFC 6335 section 6 (dynamic ports from 49,152); `net.ipv4.ip_local_port_range` of Linux (from 32,768)
 */
const CHOSEN_PORTS = [10_000, 32_767] as const;
/** Ports that are tried before none is said to be free. */
const TRIES_MAX = 100;

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
 * @param choosePort - the port that is tried next
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` for the first one that is not
 */
export async function claimAddresses(lab: Lab, choosePort: () => number = anyChosenPort): Promise<LabAddresses> {
  const held: Server[] = [];
  const claimPort = async (address: ListenAddress): Promise<ListenAddress> => {
    const server = createServer();
    held.push(server);
    return listenOn(server, address);
  };
  const claim = async (address: ListenAddress): Promise<ListenAddress> => {
    if (address.port !== 0) return claimPort(address);
    for (let tries = 1; ; tries += 1) {
      try {
        return await claimPort({ host: address.host, port: choosePort() });
      } catch (error) {
        if (tries === TRIES_MAX || !isTaken(error)) throw error;
      }
    }
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

function anyChosenPort(): number {
  return randomInt(CHOSEN_PORTS[0], CHOSEN_PORTS[1] + 1);
}
