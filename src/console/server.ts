import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { KeyferryError } from '../errors.js';
import { BodyTooLargeError, goneSignal, readBody, sendJson } from '../http_exchange.js';
import { LIMITS } from '../limits.js';
import { callAws, isAwsService } from './aws_gateway.js';
import type { ConsoleLab, ConsolePrincipal } from './console_lab.js';
import { ConsoleError } from './errors.js';
import { readCookie, requireOwnHost, requireSameOrigin, setSecurityHeaders } from './guard.js';
import { LabEventStreams } from './lab_events.js';
import type { Lab } from './lab_form.js';
import { sendAsset, sendPage, sendReport } from './pages.js';
import type { ConsoleSession, ConsoleSessions } from './sessions.js';

/** Octets of a request's header, and time for it, milliseconds: a page has one short cookie. */
const HEADER = { octetsMax: 16 * 1024, ms: 10_000 } as const;
const OPERATION = /^[A-Z][A-Za-z0-9]{1,63}$/u;

/** What a console is served from. */
export interface ConsoleParts {
  readonly lab: ConsoleLab;
  readonly sessions: ConsoleSessions;
  /** Hosts under which it answers, with its port; known when it listens. */
  readonly hosts: () => ReadonlySet<string>;
  /** Told of failures that are not the caller's. */
  readonly report: (failure: unknown) => void;
}

/**
 * Serves the console:
 *
 * - `GET /assets/NAME` and every other path: the page; the login page with status 401 where there is no session;
 * - `POST /login` `{"login"}`: exchanges the secret of a login link for a session's cookie; `POST /logout`;
 * - `POST /api/REGION/SERVICE/OPERATION` (`kms`, `cloudwatch`, `cloudtrail`): the AWS service's own answer to the principal;
 * - `GET /api/lab`: {@link Lab}; `GET /api/events`: see {@link LabEventStreams};
 * - `/api/operator/…`: questions about the laboratory itself, for administrators of its account; `GET /api/operator/validation/NAME` is a
 *   report's own page, which may do nothing.
 */
export function createConsoleServer(parts: ConsoleParts): Server {
  const streams = new LabEventStreams(parts.lab, parts.report);
  const options = { maxHeaderSize: HEADER.octetsMax, headersTimeout: HEADER.ms, noDelay: true };
  const server = createServer(options, (request, response) => {
    setSecurityHeaders(response);
    answer({ ...parts, streams }, request, response).catch((error: unknown) => refuse(parts, response, error));
  });
  server.once('close', () => {
    streams.close();
    parts.sessions.close();
  });
  return server;
}

/** @throws {@link ConsoleError} `ERR_CONSOLE_REQUEST` */
function urlOf({ url = '/' }: IncomingMessage, host: string): URL {
  const base = `http://${host}`;
  // With two slashes in front, a path would be taken for a host.
  const target = url.startsWith('/') ? base + url : url;
  if (URL.canParse(target, base)) return new URL(target, base);
  throw new ConsoleError('ERR_CONSOLE_REQUEST', 'What is asked for is no path');
}

interface Answering extends ConsoleParts {
  readonly streams: LabEventStreams;
}

async function answer(parts: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const host = requireOwnHost(request, parts.hosts());
  const url = urlOf(request, host);
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  const isApi = url.pathname.startsWith('/api/');
  if (!isReading || isApi) requireSameOrigin(request, host);
  if (!isReading && url.pathname === '/login') return logIn(parts, request, response);
  const secret = readCookie(request, cookieName(host)) ?? '';
  if (!isReading && url.pathname === '/logout') {
    parts.sessions.end(secret);
    response.setHeader('clear-site-data', '"cookies"');
    response.setHeader('set-cookie', `${cookieName(host)}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`);
    return sendJson(response, 200, {});
  }
  const session = parts.sessions.find(secret);
  if (!isApi) {
    if (!isReading) throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', 'No such resource');
    const [, asset] = /^\/assets\/([a-z.]+)$/u.exec(url.pathname) ?? [];
    if (asset !== undefined) return sendAsset(response, asset);
    if (url.pathname === '/login') return sendPage(response, 'login', 200);
    if (session === undefined) return sendPage(response, 'login', 401);
    return sendPage(response, 'index', 200);
  }
  if (session === undefined) throw new ConsoleError('ERR_CONSOLE_LOGIN', 'You are not logged in');
  const principal = parts.lab.principals.find(({ arn }) => arn === session.principal);
  if (principal === undefined) throw new ConsoleError('ERR_CONSOLE_LOGIN', 'Your principal is gone');
  await answerApi({ ...parts, session, principal, url }, request, response);
}

async function answerApi(
  parts: Answering & { readonly session: ConsoleSession; readonly principal: ConsolePrincipal; readonly url: URL },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { lab, principal, url } = parts;
  const [, , first = '', second = '', third = '', ...more] = url.pathname.split('/');
  if (first === 'operator' && second !== '') {
    if (!principal.isOperator) {
      throw new ConsoleError(
        'ERR_CONSOLE_OPERATOR',
        `${principal.arn} is no administrator of this lab: log in as one who is`,
      );
    }
    if (request.method === 'GET' && second === 'validation' && third !== '' && more.length === 0) {
      const page = lab.validationPage(third);
      if (page === undefined) throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', 'The lab has no such report');
      return sendReport(response, page);
    }
    const body =
      request.method === 'GET' ? undefined : parseJson(await readBody(request, { octetsMax: LIMITS.awsBodyBytesMax }));
    const path = url.pathname.slice('/api/operator/'.length);
    const value = await lab.operate({ method: request.method ?? '', path, query: url.searchParams, body });
    if (value === undefined) throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', 'No such resource');
    return sendJson(response, 200, value);
  }
  const route = `${request.method ?? ''} ${url.pathname}`;
  if (route === 'GET /api/lab') {
    const { arn, isOperator } = principal;
    const answer: Lab = { ...lab.facts(), principal: { arn, isOperator }, nowMs: Date.now() };
    return sendJson(response, 200, answer);
  }
  if (route === 'GET /api/events') {
    return parts.streams.serve(request, response, { ...parts.session, isOperator: principal.isOperator });
  }
  if (request.method !== 'POST' || more.length > 0 || !isAwsService(second)) {
    throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', 'No such resource');
  }
  if (!lab.facts().regions.includes(first)) {
    throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', `The lab has no region ${first}`);
  }
  if (!OPERATION.test(third)) throw new ConsoleError('ERR_CONSOLE_REQUEST', 'An operation is named like DescribeKey');
  const body = await readBody(request, { octetsMax: LIMITS.awsBodyBytesMax });
  const call = { region: first, service: second, operation: third, body, key: principal.key };
  const answered = await callAws(lab.endpoint(), call, goneSignal(response));
  response.writeHead(answered.status, {
    'content-type': 'application/json',
    'content-length': answered.body.length,
    'x-amzn-requestid': answered.requestId,
  });
  response.end(answered.body);
}

async function logIn({ sessions }: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { login } = parseJson(await readBody(request, { octetsMax: 1024 })) as { readonly login?: unknown };
  const secret = typeof login === 'string' ? sessions.redeem(login) : undefined;
  if (secret === undefined) {
    throw new ConsoleError(
      'ERR_CONSOLE_LOGIN',
      'This link was used before, or is too old. For a new one: keyferry console --login',
    );
  }
  const name = cookieName(request.headers.host ?? '');
  const seconds = Math.floor(LIMITS.consoleSessionMs / 1000);
  response.setHeader('set-cookie', `${name}=${secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`);
  sendJson(response, 200, {});
}

/** Cookies know no ports: each console of this machine has a name of its own. */
function cookieName(host: string): string {
  return `keyferry-${/:(\d+)$/u.exec(host)?.[1] ?? '80'}`;
}

function parseJson(octets: Uint8Array): object {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(octets).toString('utf8'));
  } catch (cause) {
    throw new ConsoleError('ERR_CONSOLE_REQUEST', 'The body is not JSON', { cause });
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new ConsoleError('ERR_CONSOLE_REQUEST', 'The body is no JSON object');
}

/** The form of AWS errors, so that pages show all of them in one way. */
function refuse({ report }: ConsoleParts, response: ServerResponse, error: unknown): void {
  const known = knownRefusal(error);
  if (known === undefined) report(error);
  if (response.headersSent) return void response.destroy();
  const { status, code, message } = known ?? {
    status: 500,
    code: 'InternalFailure',
    message: 'The console failed; its log says why',
  };
  if (!response.req.complete) response.setHeader('connection', 'close');
  sendJson(response, status, { __type: code, message });
}

function knownRefusal(
  error: unknown,
): { readonly status: number; readonly code: string; readonly message: string } | undefined {
  if (error instanceof BodyTooLargeError) return { status: 413, code: 'ERR_CONSOLE_REQUEST', message: error.message };
  if (error instanceof ConsoleError) return { status: error.status, code: error.code, message: error.message };
  // A program of the lab has refused, or does not answer.
  if (error instanceof KeyferryError) return { status: 502, code: error.code, message: error.message };
  return undefined;
}
