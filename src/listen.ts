import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { connect, type AddressInfo, type Server as NetServer } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { ConfigError } from './errors.js';

/** Where a server listens; port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const ADDRESS = /^(?:\[(?<ipv6>[0-9a-fA-F:]+)\]|(?<host>[A-Za-z0-9.-]+)):(?<port>\d{1,5})$/u;

/** `127.0.0.1:4610`, `localhost:0` or `[::1]:4610`; undefined for anything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const groups = ADDRESS.exec(text)?.groups;
  const port = Number(groups?.['port']);
  const host = groups?.['ipv6'] ?? groups?.['host'];
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** The address as it is written in a file or a URL. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Starts listening.
 *
 * @returns the address in use, with the port that the system chose where 0 was asked for
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` where another program has the port, or the address is not of this machine
 */
export async function listenOn(server: NetServer, address: ListenAddress): Promise<ListenAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(busy(address, error)));
    server.listen(address.port, address.host, resolve);
  });
  return { host: address.host, port: (server.address() as AddressInfo).port };
}

/** Whether {@link listenOn} was refused because another program has the port. */
export function isTaken(error: unknown): boolean {
  const cause = error instanceof ConfigError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
}

/** The refusal of an address that cannot be listened on. */
export function busy(address: ListenAddress, error: NodeJS.ErrnoException): ConfigError {
  const where = formatListenAddress(address);
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `${where} is in use by another program; stop it, or choose another port`,
    EACCES: `${where} may not be listened on by this user; choose a port above 1023`,
    EADDRNOTAVAIL: `${where} is no address of this machine`,
  };
  return new ConfigError(
    'ERR_CONFIG_PORT_BUSY',
    why[error.code ?? ''] ?? `${where} cannot be listened on: ${error.message}`,
    {
      details: { address: where },
      cause: error,
    },
  );
}

/**
 * Starts listening on a Unix socket that only this user may use. A socket that a dead process left is replaced.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` where another process answers on it
 */
export async function listenOnSocket(server: NetServer, path: string): Promise<void> {
  if (existsSync(path)) {
    if (await answers(path)) {
      throw new ConfigError('ERR_CONFIG_STATE', `Another process is using ${path}; stop it first`, {
        details: { path },
      });
    }
    unlinkSync(path);
  }
  // The mask is the process's own: nothing else is made between these two lines.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
}

/** Ends a server: no new connections, and the open ones are closed as soon as their answer is out, or at the latest after `graceMs`. */
export async function closeServer(server: HttpServer | HttpsServer, graceMs = 1_000): Promise<void> {
  if (!server.listening) return;
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // A connection becomes idle when its last answer is out; the server does not look again by itself.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const end = setTimeout(() => server.closeAllConnections(), graceMs);
  await ended;
  clearInterval(sweep);
  clearTimeout(end);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
