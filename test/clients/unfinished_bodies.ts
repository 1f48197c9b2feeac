import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { LIMITS } from '../../src/limits.js';
import { untilTrue } from '../support/replication_client.js';

/** Octets that are missing at the end of each body: all together fewer than a long body has. */
const MISSING = 16;

/**
 * Sends bodies that do not end until a region has no room for one more long body beside them.
 *
 * @returns what closes their connections, and gives the room back
 */
export async function fillWithUnfinishedBodies(url: string): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const count = LIMITS.awsBodiesBytesMax / LIMITS.awsBodyBytesMax;
  const head = `POST / HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${LIMITS.awsBodyBytesMax}\r\n\r\n`;
  const piece = Buffer.alloc(LIMITS.awsBodyBytesMax - MISSING, ' ');
  const sockets = await Promise.all(
    Array.from({ length: count }, async (): Promise<Socket> => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(head);
      if (!socket.write(piece)) await once(socket, 'drain');
      return socket;
    }),
  );
  await untilTrue('a long body is refused', async () => {
    const probe = await fetch(url, { method: 'POST', body: ' '.repeat(LIMITS.awsSmallBodyBytesMax + 1) });
    return (await probe.text()).includes('ThrottlingException');
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
