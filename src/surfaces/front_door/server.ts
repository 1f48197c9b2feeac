import { randomUUID } from 'node:crypto';
import {
  Agent as HttpAgent,
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import {
  Agent as HttpsAgent,
  createServer as createHttpsServer,
  request as httpsRequest,
  type Server as HttpsServer,
} from 'node:https';
import { sendJson } from '../../http_exchange.js';
import { TLS_MIN_VERSION, type TlsIdentity } from '../../tls_identity.js';
import { regionOfRequest } from './credential_scope.js';
import { FRONT_DOOR_LIMITS } from './limits.js';

/** Where the regions answer: base URL by name. */
export type RegionUrls = Readonly<Record<string, string>>;

/** Headers that belong to one connection and not to the request. @source RFC 9110 section 7.6.1 */
const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade']);

/**
 * One URL for all regions: each request goes to the region in its credential scope, with its method, path, headers (`Host` included)
 * and body as they came, because the signature covers them.
 *
 * @param options.tls - what it proves itself with; it speaks HTTP without it
 * @param options.ca - whom it trusts to be a region, where regions speak TLS; the system's authorities where it is absent
 */
export function createFrontDoor(
  regions: RegionUrls,
  options: { readonly tls?: TlsIdentity; readonly ca?: Buffer } = {},
): HttpServer | HttpsServer {
  const pool = { keepAlive: true, maxSockets: FRONT_DOOR_LIMITS.regionSocketsMax, scheduling: 'fifo' } as const;
  const agents = {
    http: new HttpAgent(pool),
    https: new HttpsAgent({
      ...pool,
      minVersion: TLS_MIN_VERSION,
      ...(options.ca !== undefined && { ca: options.ca }),
    }),
  };
  const urls = new Map(Object.entries(regions).map(([name, url]) => [name, new URL(url)]));
  const server = createServer(
    options.tls,
    {
      maxHeaderSize: FRONT_DOOR_LIMITS.headerOctetsMax,
      headersTimeout: FRONT_DOOR_LIMITS.headersMs,
      requestTimeout: FRONT_DOOR_LIMITS.requestMs,
      keepAliveTimeout: FRONT_DOOR_LIMITS.keepAliveMs,
      connectionsCheckingInterval: FRONT_DOOR_LIMITS.slownessCheckMs,
      noDelay: true,
      keepAlive: true,
    },
    (request, response) => {
      if (request.method === 'GET' && request.url === '/healthz') {
        return sendJson(response, 200, { status: 'ok', role: 'front door', regions: [...urls.keys()] });
      }
      const found = regionOfRequest(request.headers.authorization, request.url ?? '/');
      if (found.kind === 'unsigned') {
        return refuse(response, 400, {
          type: 'MissingAuthenticationTokenException',
          message: 'Missing Authentication Token',
        });
      }
      if (found.kind === 'malformed') {
        return refuse(response, 400, { type: 'IncompleteSignatureException', message: found.reason });
      }
      const url = urls.get(found.region);
      if (url === undefined) {
        const message = `Credential should be scoped to a valid region, not '${found.region}'. Regions here: ${[...urls.keys()].join(', ')}.`;
        return refuse(response, 400, { type: 'InvalidSignatureException', message });
      }
      forward({ request, response, url, agents, region: found.region });
    },
  );
  // A region that does not answer is waited for longer than a client that says nothing.
  server.timeout = FRONT_DOOR_LIMITS.answerMs * 2;
  server.maxConnections = FRONT_DOOR_LIMITS.connectionsMax;
  server.once('close', () => {
    agents.http.destroy();
    agents.https.destroy();
  });
  return server;
}

function createServer(
  tls: TlsIdentity | undefined,
  options: ServerOptions,
  receive: RequestListener,
): HttpServer | HttpsServer {
  return tls === undefined
    ? createHttpServer(options, receive)
    : createHttpsServer({ ...options, ...tls, minVersion: TLS_MIN_VERSION }, receive);
}

interface Passage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly region: string;
}

function forward({ request, response, url, agents, region }: Passage): void {
  const isTls = url.protocol === 'https:';
  const send = isTls ? httpsRequest : httpRequest;
  const upstream = send({
    host: url.hostname.replace(/^\[|\]$/gu, ''),
    port: url.port,
    method: request.method,
    path: request.url,
    agent: isTls ? agents.https : agents.http,
    timeout: FRONT_DOOR_LIMITS.answerMs,
    headers: ofTheRequest(request.rawHeaders),
  });
  let isOver = false;
  const fail = (status: number, document: AwsErrorDocument): void => {
    if (isOver) return;
    isOver = true;
    upstream.destroy();
    // Half an answer cannot be taken back: the client sees that it was cut off.
    if (response.headersSent) response.destroy();
    else refuse(response, status, document);
  };
  const unavailable = (reason: string): void =>
    fail(503, { type: 'ServiceUnavailableException', message: `Region ${region} does not answer: ${reason}` });

  upstream.on('response', (answer) => {
    response.sendDate = false;
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', ofTheRequest(answer.rawHeaders));
    answer.pipe(response);
    answer.on('error', () => unavailable('its answer broke off'));
    answer.on('aborted', () => unavailable('its answer broke off'));
  });
  upstream.on('timeout', () => unavailable(`nothing for ${FRONT_DOOR_LIMITS.answerMs / 1000} seconds`));
  upstream.on('error', (error: NodeJS.ErrnoException) => unavailable(error.code ?? 'the connection failed'));
  response.on('close', () => {
    // Also when all went well; then there is nothing left to stop.
    if (!response.writableFinished) {
      isOver = true;
      upstream.destroy();
    }
  });

  let octets = 0;
  request.on('data', (part: Buffer) => {
    octets += part.length;
    if (octets > FRONT_DOOR_LIMITS.bodyOctetsMax) {
      fail(413, {
        type: 'RequestEntityTooLargeException',
        message: `A request has at most ${FRONT_DOOR_LIMITS.bodyOctetsMax} octets`,
      });
    }
  });
  request.pipe(upstream);
}

/** Names and values in turns, without those of the connection. */
function ofTheRequest(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = [rawHeaders[index], rawHeaders[index + 1]];
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

interface AwsErrorDocument {
  readonly type: string;
  readonly message: string;
}

/** An AWS JSON error; the body of the request is not read, so its connection ends. */
function refuse(response: ServerResponse, status: number, { type, message }: AwsErrorDocument): void {
  const body = Buffer.from(JSON.stringify({ __type: type, message }), 'utf8');
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.1',
    'content-length': body.length,
    'x-amzn-requestid': randomUUID(),
    'x-amzn-errortype': type,
    ...(response.req.complete ? {} : { connection: 'close' }),
  });
  response.end(body);
}
