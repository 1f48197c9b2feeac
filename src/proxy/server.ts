import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { BodyTooLargeError, goneSignal, readBody, sendJson, wholeNumber } from '../http_exchange.js';
import { parseConduct } from './conduct.js';
import { hostileMode, honestMode, type HostileModeSettings } from './delivery_mode.js';
import { ProxyError, type ProxyErrorCode } from './errors.js';
import { PROXY_LIMITS } from './limits.js';
import { tooLarge, type Relay } from './relay.js';

const STATUS_OF: Readonly<Record<ProxyErrorCode, number>> = {
  ERR_PROXY_SYNTAX: 400,
  ERR_PROXY_TOO_LARGE: 413,
  ERR_PROXY_QUEUE_FULL: 429,
  ERR_PROXY_DESTINATIONS: 403,
  ERR_PROXY_CLOSED: 503,
};

/** Octets of the largest acknowledgement: 1,000 ids of 16 digits. */
const ACKNOWLEDGEMENT_OCTETS_MAX = 32 * 1024;
/** Time in which a whole request has to have come, milliseconds. */
const REQUEST_MS_MAX = 30_000;

/**
 * The proxy's network side, the only one that regions see:
 *
 * - `POST /v1/regions/R/messages` with the octets of one message; 201 `{"messageId"}` once it is stored;
 * - `GET /v1/regions/R/messages?after=ID&queue=QUEUEID&wait=MS&max=N`: 200 `{"queueId", "messages": [{"id", "messageId", "octets": base64}]}`;
 * - `POST /v1/regions/R/acknowledgements` `{"ids": […]}`: 204;
 * - `GET /healthz`.
 */
export function createProxyServer(relay: Relay): Server {
  return hardened(
    createServer((request, response) => {
      void answer(request, response, async (url) => {
        if (request.method === 'GET' && url.pathname === '/healthz')
          return sendJson(response, 200, { ok: true, role: 'proxy' });
        const route = /^\/v1\/regions\/([^/]+)\/(messages|acknowledgements)$/u.exec(url.pathname);
        const [, region = '', collection] = route ?? [];
        if (collection === 'messages' && request.method === 'POST')
          return acceptMessage(relay, { request, response, region });
        if (collection === 'messages' && request.method === 'GET')
          return takeMessages(relay, { url, response, region });
        if (collection === 'acknowledgements' && request.method === 'POST') {
          return acknowledge(relay, { request, response, region });
        }
        return sendJson(response, 404, { code: 'ERR_PROXY_SYNTAX', message: 'No such resource' });
      });
    }),
  );
}

/**
 * The proxy's own side, for whoever runs it (a Unix socket): `GET /status`, `GET /log?after=ID&wait=MS&max=N`, and `PUT /mode` with
 * `{"mode": "honest"}` or `{"mode": "hostile", "seed": 1, "drop": 0.1, …}`; `PUT /conduct` with `{"hold": ["eu-west-1"], "next":
 * [{"action": "tamper", "destination": "us-east-1"}]}`: what is done by hand, before the mode is asked; what is left out is not done.
 */
export function createProxyAdminServer(relay: Relay): Server {
  return hardened(
    createServer((request, response) => {
      void answer(request, response, async (url) => {
        const resource = `${request.method ?? ''} ${url.pathname}`;
        if (resource === 'GET /status') return sendJson(response, 200, relay.status());
        if (resource === 'GET /log') return sendLog(relay, url, response);
        if (resource === 'PUT /mode') return switchMode(relay, request, response);
        if (resource === 'PUT /conduct') {
          relay.setConduct(parseConduct(await readJson(request, ACKNOWLEDGEMENT_OCTETS_MAX)));
          return sendJson(response, 200, relay.status());
        }
        return sendJson(response, 404, { code: 'ERR_PROXY_SYNTAX', message: 'No such resource' });
      });
    }),
  );
}

interface Exchange {
  readonly response: ServerResponse;
  readonly region: string;
}

async function acceptMessage(
  relay: Relay,
  { request, response, region }: Exchange & { request: IncomingMessage },
): Promise<void> {
  const octets = await readBody(request, { octetsMax: PROXY_LIMITS.messageOctetsMax });
  sendJson(response, 201, { messageId: relay.accept(region, octets) });
}

async function takeMessages(relay: Relay, { url, response, region }: Exchange & { url: URL }): Promise<void> {
  const range = pageOf(url, PROXY_LIMITS.batchMessagesMax);
  const { queueId, messages } = await relay.take(region, {
    // An id of another queue says nothing about this one: such a receiver starts from the beginning.
    after: (url.searchParams.get('queue') ?? relay.queueId) === relay.queueId ? range.after : 0,
    messagesMax: range.max,
    waitMs: range.waitMs,
    signal: goneSignal(response),
  });
  sendJson(response, 200, {
    queueId,
    messages: messages.map(({ id, messageId, octets }) => ({ id, messageId, octets: base64(octets) })),
  });
}

async function acknowledge(
  relay: Relay,
  { request, response, region }: Exchange & { request: IncomingMessage },
): Promise<void> {
  const { ids } = await readJson(request, ACKNOWLEDGEMENT_OCTETS_MAX);
  const valid =
    Array.isArray(ids) &&
    ids.length <= PROXY_LIMITS.acknowledgementIdsMax &&
    ids.every((id): id is number => Number.isSafeInteger(id) && id > 0);
  if (!valid) throw new ProxyError('ERR_PROXY_SYNTAX', 'ids is a list of up to 1,000 positive whole numbers');
  relay.acknowledge(region, ids);
  response.writeHead(204).end();
}

async function sendLog(relay: Relay, url: URL, response: ServerResponse): Promise<void> {
  const range = pageOf(url, PROXY_LIMITS.logBatchMax);
  const entries = await relay.log({
    after: range.after,
    entriesMax: range.max,
    waitMs: range.waitMs,
    signal: goneSignal(response),
  });
  sendJson(response, 200, {
    entries: entries.map((entry) => ({ ...entry, octets: entry.octets === null ? null : base64(entry.octets) })),
  });
}

async function switchMode(relay: Relay, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { mode, ...settings } = await readJson(request, ACKNOWLEDGEMENT_OCTETS_MAX);
  if (mode === 'honest' && Object.keys(settings).length === 0) relay.setMode(honestMode, 'honest');
  else if (mode === 'hostile')
    relay.setMode(hostileMode(parseHostileSettings(settings)), `hostile ${JSON.stringify(settings)}`);
  else throw new ProxyError('ERR_PROXY_SYNTAX', 'mode is honest or hostile');
  sendJson(response, 200, relay.status());
}

/**
 * Settings of a hostile mode from JSON.
 *
 * @throws {@link ProxyError} `ERR_PROXY_SYNTAX` for an unknown member, a probability outside [0, 1] or a bad seed or delay
 */
export function parseHostileSettings(settings: Readonly<Record<string, unknown>>): HostileModeSettings {
  const bounds: Readonly<Record<string, number>> = {
    seed: 4_294_967_295,
    drop: 1,
    duplicate: 1,
    tamper: 1,
    reorder: 1,
    replay: 1,
    delayMsMax: PROXY_LIMITS.delayMsMax,
  };
  for (const [name, value] of Object.entries(settings)) {
    const max = bounds[name];
    if (max === undefined)
      throw new ProxyError('ERR_PROXY_SYNTAX', `A hostile mode has no setting ${JSON.stringify(name)}`);
    if (typeof value !== 'number' || !(value >= 0 && value <= max)) {
      throw new ProxyError('ERR_PROXY_SYNTAX', `${name} is a number between 0 and ${max}`);
    }
  }
  return { seed: 1, ...settings };
}

/** Runs one request: refusals become their status, anything else a 500 without its text. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  work: (url: URL) => Promise<void> | void,
): Promise<void> {
  try {
    await work(new URL(request.url ?? '/', 'http://proxy.invalid'));
  } catch (error) {
    const refusal = error instanceof BodyTooLargeError ? tooLarge(error.octetsMax + 1) : error;
    if (response.headersSent) return void response.destroy();
    // The rest of a refused body is not read: the connection cannot be used again.
    if (!request.complete) response.setHeader('connection', 'close');
    if (refusal instanceof ProxyError) {
      return sendJson(response, STATUS_OF[refusal.code], { code: refusal.code, message: refusal.message });
    }
    process.stderr.write(`proxy: ${refusal instanceof Error ? (refusal.stack ?? refusal.message) : String(refusal)}\n`);
    sendJson(response, 500, { code: 'ERR_PROXY_INTERNAL', message: 'The proxy failed; its log says why' });
  }
}

async function readJson(request: IncomingMessage, octetsMax: number): Promise<Record<string, unknown>> {
  const text = Buffer.from(await readBody(request, { octetsMax })).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new ProxyError('ERR_PROXY_SYNTAX', 'The body is not JSON', { cause: error });
  }
  throw new ProxyError('ERR_PROXY_SYNTAX', 'The body is not a JSON object');
}

function pageOf(url: URL, countMax: number): { readonly after: number; readonly waitMs: number; readonly max: number } {
  const query = url.searchParams;
  const after = wholeNumber(query.get('after'), { min: 0, max: Number.MAX_SAFE_INTEGER, absent: 0 });
  const waitMs = wholeNumber(query.get('wait'), { min: 0, max: PROXY_LIMITS.waitMsMax, absent: 0 });
  const max = wholeNumber(query.get('max'), { min: 1, max: countMax, absent: countMax });
  if (after === undefined || waitMs === undefined || max === undefined) {
    throw new ProxyError(
      'ERR_PROXY_SYNTAX',
      `after, wait (up to ${PROXY_LIMITS.waitMsMax}) and max (up to ${countMax}) are whole numbers`,
    );
  }
  return { after, waitMs, max };
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64');
}

function hardened(server: Server): Server {
  server.maxConnections = PROXY_LIMITS.connectionsMax;
  server.requestTimeout = REQUEST_MS_MAX;
  server.headersTimeout = REQUEST_MS_MAX;
  // Longer than the longest wait of a receiver, so that an idle receiver keeps its connection.
  server.keepAliveTimeout = PROXY_LIMITS.waitMsMax + 5_000;
  return server;
}
