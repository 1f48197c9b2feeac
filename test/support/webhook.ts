import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A notification as it came. */
export interface ReceivedNotification {
  readonly headers: IncomingHttpHeaders;
  readonly envelope: Readonly<Record<string, string>>;
  /** What is in the envelope. */
  readonly message: Readonly<Record<string, unknown>>;
}

/** Something that alarms post to. */
export interface Webhook {
  readonly url: string;
  readonly received: readonly ReceivedNotification[];
  /** Statuses that the next notifications are answered with, the first of them first; then 200. */
  readonly statuses: number[];
  /** Resolves when that many notifications have come. */
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Listens on a free port of the loopback address, or on `port`. */
export async function startWebhook(port = 0): Promise<Webhook> {
  const received: ReceivedNotification[] = [];
  const statuses: number[] = [];
  const arrivals = new Set<() => void>();
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      text += part;
    });
    request.on('end', () => {
      const status = statuses.shift() ?? 200;
      response.writeHead(status).end('an answer that nobody reads');
      if (status !== 200) return;
      const envelope = JSON.parse(text) as Record<string, string>;
      const message = JSON.parse(envelope['Message'] ?? '{}') as Record<string, unknown>;
      received.push({ headers: request.headers, envelope, message });
      for (const arrive of arrivals) arrive();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alarms`,
    received,
    statuses,
    waitFor: (count) =>
      new Promise((resolve) => {
        const arrive = (): void => {
          if (received.length < count) return;
          arrivals.delete(arrive);
          resolve();
        };
        arrivals.add(arrive);
        arrive();
      }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
