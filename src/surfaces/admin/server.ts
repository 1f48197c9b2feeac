import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { KeyferryError } from '../../errors.js';
import { BodyTooLargeError, goneSignal, readBody, sendJson, wholeNumber } from '../../http_exchange.js';
import { closeServer, listenOnSocket } from '../../listen.js';
import { chosenKeyForm } from './chosen_key.js';
import { EventStream } from './event_stream.js';
import type { RegionAdmin } from './region_admin.js';

/** Octets of a request: a hundred rosters of the largest kind. */
const BODY_OCTETS_MAX = 8 * 1024 * 1024;
/** Longest wait for the next event, milliseconds. */
const WAIT_MS_MAX = 25_000;
/** Events in one answer. */
const EVENTS_MAX = 500;

const rosters = z.strictObject({ rosters: z.array(z.string()).min(1).max(10_000) });
const challenge = z.strictObject({ challenge: z.string().regex(/^[\w-]{43}$/u) });
const advance = z.strictObject({
  milliseconds: z
    .int()
    .positive()
    .max(100 * 365 * 86_400_000),
});

/** A request to the admin socket that is not of the agreed form. */
class FormError extends Error {}

/**
 * Serves a region's administration on a Unix socket that only its user may use:
 *
 * - `GET /status`; `GET /events?after=N&wait=MS&max=N`: `{"events": [{"number", "event"}]}`;
 * - `POST /roster` `{"rosters": [JWS, …]}`: `{"epoch"}`; `POST /rsk` `{"challenge"}`: `{"kid", "enrolment"}`; `DELETE /rsk/KID`;
 * - `POST /keys` `{"keyId", "birthCertificate", "request"}` (a key whose id is chosen): what CreateKey answers;
 * - `GET /key-events`: see {@link EventStream};
 * - `GET /metrics`: values by metric and key;
 * - `GET /clock`, `POST /clock` `{"milliseconds"}` (moves it forward), `DELETE /clock` (takes every move back): `{"now", "offsetMs"}`.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` where another process answers on the socket
 */
export async function serveAdmin(admin: RegionAdmin, socketPath: string): Promise<{ close(): Promise<void> }> {
  const stream = new EventStream(admin.keyEvents);
  const server: Server = createServer((request, response) => {
    void answer({ admin, stream }, request, response);
  });
  server.keepAliveTimeout = WAIT_MS_MAX;
  await listenOnSocket(server, socketPath);
  return { close: () => closeServer(server, 100) };
}

interface Answering {
  readonly admin: RegionAdmin;
  readonly stream: EventStream;
}

async function answer({ admin, stream }: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://admin.invalid');
    const [, resource = '', item] = url.pathname.split('/');
    switch (`${request.method ?? ''} /${resource}`) {
      case 'GET /status':
        return sendJson(response, 200, await admin.status());
      case 'GET /events':
        return sendJson(response, 200, { events: await readEvents(admin, url, goneSignal(response)) });
      case 'GET /key-events':
        return await stream.serve(request, response, url.searchParams);
      case 'POST /roster':
        return sendJson(response, 200, await admin.takeRosters((await readForm(request, rosters)).rosters));
      case 'POST /rsk':
        return sendJson(response, 201, await admin.makeSigningKey((await readForm(request, challenge)).challenge));
      case 'DELETE /rsk':
        await admin.destroySigningKey(item ?? '');
        return sendJson(response, 200, {});
      case 'POST /keys':
        return sendJson(response, 201, await admin.createKey(await readForm(request, chosenKeyForm)));
      case 'GET /metrics':
        return sendJson(response, 200, admin.metrics());
      case 'GET /clock':
        return sendJson(response, 200, admin.time.read());
      case 'POST /clock':
        return sendJson(response, 200, await admin.time.advance((await readForm(request, advance)).milliseconds));
      case 'DELETE /clock':
        return sendJson(response, 200, await admin.time.reset());
      default:
        return sendJson(response, 404, { code: 'ERR_ADMIN_FORM', message: 'No such resource' });
    }
  } catch (error) {
    refuse(request, response, error);
  }
}

async function readEvents(admin: RegionAdmin, url: URL, signal: AbortSignal): Promise<unknown> {
  const query = url.searchParams;
  const after = wholeNumber(query.get('after'), { min: 0, max: Number.MAX_SAFE_INTEGER, absent: 0 });
  const waitMs = wholeNumber(query.get('wait'), { min: 0, max: WAIT_MS_MAX, absent: 0 });
  const max = wholeNumber(query.get('max'), { min: 1, max: EVENTS_MAX, absent: EVENTS_MAX });
  if (after === undefined || waitMs === undefined || max === undefined)
    throw new FormError('after, wait and max are whole numbers');
  return admin.events.read({ after, waitMs, max, signal });
}

async function readForm<Value>(request: IncomingMessage, form: z.ZodType<Value>): Promise<Value> {
  const text = Buffer.from(await readBody(request, { octetsMax: BODY_OCTETS_MAX })).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FormError('the body is not JSON');
  }
  const result = form.safeParse(value);
  if (!result.success) throw new FormError(result.error.issues.map((issue) => issue.message).join('; '));
  return result.data;
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  if (!request.complete) response.setHeader('connection', 'close');
  if (error instanceof FormError || error instanceof BodyTooLargeError) {
    return sendJson(response, 400, { code: 'ERR_ADMIN_FORM', message: error.message });
  }
  if (error instanceof KeyferryError) {
    return sendJson(response, 409, { code: error.code, message: error.message, details: error.details });
  }
  // The socket is its owner's own, but a stack belongs into the log.
  process.stderr.write(`admin: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  sendJson(response, 500, { code: 'ERR_ADMIN_INTERNAL', message: 'The region failed; its log says why' });
}
