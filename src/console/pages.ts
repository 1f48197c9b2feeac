import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { ConsoleError } from './errors.js';

/** Files of the page, as scripts/build_console.mjs makes them. */
const DIRECTORY = new URL('../../console/', import.meta.url);

/** What anybody gets: it holds nothing of the lab. */
const ASSETS: Readonly<Record<string, string>> = {
  'console.js': 'text/javascript; charset=utf-8',
  'console.css': 'text/css; charset=utf-8',
  'login.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/** Sends a script, a style sheet or a picture. @throws {@link ConsoleError} `ERR_CONSOLE_NOT_FOUND` */
export async function sendAsset(response: ServerResponse, name: string): Promise<void> {
  const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined;
  if (type === undefined) throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', 'No such file');
  send(response, { status: 200, type, body: await read(name) });
}

/**
 * Sends a page that somebody else has made, for a frame of the console's: it runs no script, loads nothing, leads nowhere and is of no
 * origin, whatever is in it.
 */
export function sendReport(response: ServerResponse, page: Buffer): void {
  response.setHeader(
    'content-security-policy',
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox",
  );
  response.setHeader('x-frame-options', 'SAMEORIGIN');
  send(response, { status: 200, type: 'text/html; charset=utf-8', body: page });
}

/** Sends the page, or the one at which one logs in. */
export async function sendPage(response: ServerResponse, page: 'index' | 'login', status: number): Promise<void> {
  send(response, { status, type: 'text/html; charset=utf-8', body: await read(`${page}.html`) });
}

async function read(name: string): Promise<Buffer> {
  try {
    return await readFile(new URL(name, DIRECTORY));
  } catch (cause) {
    throw new ConsoleError('ERR_CONSOLE_UNAVAILABLE', 'The console is not built yet: run `make build`', { cause });
  }
}

function send(
  response: ServerResponse,
  answer: { readonly status: number; readonly type: string; readonly body: Buffer },
): void {
  response.writeHead(answer.status, { 'content-type': answer.type, 'content-length': answer.body.length });
  response.end(answer.body);
}
