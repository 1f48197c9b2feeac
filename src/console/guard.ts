import type { IncomingMessage, ServerResponse } from 'node:http';
import { formatListenAddress, type ListenAddress } from '../listen.js';
import { ConsoleError } from './errors.js';

/** The page sends it with every request that is not a navigation; a form or a picture of another site cannot. */
export const CONSOLE_HEADER = 'x-keyferry-console';

/** Headers of every answer: nothing is loaded but from here, nothing is framed, kept or told to others. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-src 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** Sets the headers that every answer has. */
export function setSecurityHeaders(response: ServerResponse): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
}

/** Names under which a server on this address may be asked: its own, and those of the loopback interface. */
export function ownHosts(address: ListenAddress): ReadonlySet<string> {
  return new Set(
    ['127.0.0.1', 'localhost', '::1', address.host].map((host) => formatListenAddress({ ...address, host })),
  );
}

/**
 * Refuses a request under another name: a page of another site whose name was pointed at this machine.
 *
 * @returns the name under which it was asked
 * @throws {@link ConsoleError} `ERR_CONSOLE_HOST`
 */
export function requireOwnHost({ headers }: IncomingMessage, hosts: ReadonlySet<string>): string {
  const host = headers.host?.toLowerCase() ?? '';
  if (hosts.has(host)) return host;
  throw new ConsoleError('ERR_CONSOLE_HOST', `The console does not answer as ${JSON.stringify(host)}`);
}

/**
 * Refuses what a page of another origin sends. A page of another port of this machine is another origin too, although its requests carry
 * the cookie of this one.
 *
 * @param host - as {@link requireOwnHost} returned it
 * @throws {@link ConsoleError} `ERR_CONSOLE_CROSS_SITE`
 * @source W3C Fetch Metadata; RFC 6454
 */
export function requireSameOrigin({ headers, method }: IncomingMessage, host: string): void {
  const site = headers['sec-fetch-site'];
  const { origin } = headers;
  const isReading = method === 'GET' || method === 'HEAD';
  const isOwn =
    (site === undefined || site === 'same-origin') &&
    (origin === `http://${host}` || (isReading && origin === undefined)) &&
    (isReading || headers[CONSOLE_HEADER] === '1');
  if (!isOwn) throw new ConsoleError('ERR_CONSOLE_CROSS_SITE', 'The console takes requests of its own pages only');
}

/** A cookie by its name; undefined where the request has none of that name. */
export function readCookie({ headers }: IncomingMessage, name: string): string | undefined {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
