import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { closeServer, formatListenAddress, listenOn, type ListenAddress } from '../../listen.js';
import { EXPOSITION_TYPE } from '../../metrics/exposition.js';

/** Where metrics are. */
export const METRICS_PATH = '/metrics';
/** Time that an answer may take to be fetched, milliseconds. */
const REQUEST_MS = 10_000;
const CONNECTIONS_MAX = 16;

/** What a scraper is given. @returns text format 0.0.4 */
export type MetricsText = () => string;

/**
 * Whether a request for metrics comes from this machine. A front door hands on signed requests only, so that one that is signed may come
 * from anywhere; and a page in a browser of this machine, which may be anybody's, is no scraper.
 */
export function isLocalScrape({ method, url, headers, socket }: IncomingMessage): boolean {
  if (method !== 'GET' || url !== METRICS_PATH || headers.authorization !== undefined) return false;
  return headers.origin === undefined && isLoopback(socket.remoteAddress) && namesAddress(headers.host);
}

/** Answers with metrics. */
export function sendMetrics(response: ServerResponse, text: string): void {
  const body = Buffer.from(text, 'utf8');
  response.writeHead(200, {
    'content-type': EXPOSITION_TYPE,
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
}

/**
 * Serves metrics on an address of their own, to whoever reaches it.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` where the address cannot be had
 */
export async function serveMetrics(
  text: MetricsText,
  listen: ListenAddress,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    request.resume();
    if (request.method === 'GET' && request.url === METRICS_PATH) return sendMetrics(response, text());
    response.writeHead(404).end();
  });
  server.maxConnections = CONNECTIONS_MAX;
  const address = await listenOn(server, listen);
  return { url: `http://${formatListenAddress(address)}${METRICS_PATH}`, close: () => closeServer(server, 100) };
}

function isLoopback(address = ''): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./u.test(address);
}

/** Names that somebody's DNS gives this machine are not its own. */
function namesAddress(host = ''): boolean {
  const name = host.replace(/:\d+$/u, '').replace(/^\[|\]$/gu, '');
  return name === 'localhost' || isIP(name) !== 0;
}
