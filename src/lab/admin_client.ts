import { request } from 'node:http';
import { exchange } from '../http_exchange.js';
import { LabError } from './errors.js';

/** Octets of one answer: a log of the proxy with 256 messages of 64 KiB in base64. */
const ANSWER_OCTETS_MAX = 32 * 1024 * 1024;
/** Time for one answer beyond the wait that was asked for, milliseconds. */
const ANSWER_MS = 60_000;

/**
 * Asks a running program over its admin socket.
 *
 * @param socketPath - `admin.sock` in the program's directory
 * @returns the JSON value that it answered
 * @throws {@link LabError} `ERR_LAB_REQUEST` where it does not answer or refuses
 */
export async function askAdmin(
  socketPath: string,
  ask: {
    readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
    readonly path: string;
    readonly body?: unknown;
    readonly signal?: AbortSignal;
  },
): Promise<unknown> {
  const body = ask.body === undefined ? undefined : Buffer.from(JSON.stringify(ask.body), 'utf8');
  const options = {
    socketPath,
    method: ask.method,
    path: ask.path,
    timeout: ANSWER_MS,
    agent: false,
    headers: body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length },
    ...(ask.signal === undefined ? {} : { signal: ask.signal }),
  };
  const answer = await exchange(() => request(options), body, { octetsMax: ANSWER_OCTETS_MAX }).catch(
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new LabError('ERR_LAB_REQUEST', `${socketPath} does not answer: ${reason}`, {
        details: { socketPath },
        cause: error,
        remedy: 'look whether the lab runs, with: keyferry status',
      });
    },
  );
  const value = JSON.parse(Buffer.from(answer.body).toString('utf8')) as { code?: unknown; message?: unknown };
  if (answer.status < 400) return value;
  throw new LabError('ERR_LAB_REQUEST', String(value.message ?? `status ${answer.status}`), {
    details: { socketPath, status: answer.status, code: String(value.code ?? '') },
  });
}
