import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readBody, sendJson } from '../http_exchange.js';
import { closeServer, listenOnSocket } from '../listen.js';
import type { ConsolePrincipal } from './console_lab.js';
import type { ConsoleSessions } from './sessions.js';

/** What login links are made from. */
export interface LoginLinkParts {
  /** The first one is taken where nobody is named. */
  readonly principals: readonly ConsolePrincipal[];
  readonly sessions: ConsoleSessions;
  /** URL of the console. */
  readonly url: string;
}

/**
 * Gives out login links on a Unix socket that only the lab's user may use: `POST /login` `{"principal": NAME or null}` answers
 * `{"url", "principal"}`. The secret is behind the `#`, so that it reaches no server by itself and no log.
 */
export async function serveLoginLinks(parts: LoginLinkParts, socketPath: string): Promise<{ close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(parts, request, response).catch(() => refuse(response, 400, 'The body is {"principal": NAME or null}'));
  });
  await listenOnSocket(server, socketPath);
  return { close: () => closeServer(server, 100) };
}

async function answer(parts: LoginLinkParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST' || request.url !== '/login') return refuse(response, 404, 'No such resource');
  const text = Buffer.from(await readBody(request, { octetsMax: 4096 })).toString('utf8');
  const { principal: name } = JSON.parse(text) as { readonly principal?: unknown };
  const principal = typeof name === 'string' ? findPrincipal(parts.principals, name) : parts.principals[0];
  if (principal === undefined) {
    const known = parts.principals.map(({ arn }) => arn).join(', ');
    return refuse(response, 404, `The lab has no principal ${String(name)}; it has ${known}`);
  }
  const secret = parts.sessions.issueLogin(principal.arn);
  sendJson(response, 200, { url: `${parts.url}/login#${secret}`, principal: principal.arn });
}

/** By ARN, by access key id, or by what is at the end of the ARN: `user/alice` or `alice`. */
function findPrincipal(principals: readonly ConsolePrincipal[], name: string): ConsolePrincipal | undefined {
  return (
    principals.find(({ arn, key }) => arn === name || key.accessKeyId === name) ??
    principals.find(({ arn }) => arn.endsWith(`:${name}`) || arn.endsWith(`/${name}`))
  );
}

function refuse(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { code: 'ERR_CONSOLE_REQUEST', message });
}
