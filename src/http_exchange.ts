import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';

/** The body of a request is longer than allowed; the rest of it was not read. */
export class BodyTooLargeError extends Error {
  readonly octetsMax: number;

  constructor(octetsMax: number) {
    super(`The body is longer than ${octetsMax} octets`);
    this.name = 'BodyTooLargeError';
    this.octetsMax = octetsMax;
  }
}

/**
 * The whole body of a request or a response.
 *
 * @throws {@link BodyTooLargeError} as soon as more than `octetsMax` octets have come
 */
export async function readBody(message: IncomingMessage, options: { readonly octetsMax: number }): Promise<Uint8Array> {
  if (Number(message.headers['content-length'] ?? 0) > options.octetsMax)
    throw new BodyTooLargeError(options.octetsMax);
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    octets += part.length;
    if (octets > options.octetsMax) throw new BodyTooLargeError(options.octetsMax);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** An answer that came whole. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/**
 * Sends one request and reads its answer to the end.
 *
 * @param begin - begins the request, with a timeout
 * @throws whatever kept it from being answered; {@link BodyTooLargeError}
 */
export function exchange(
  begin: () => ClientRequest,
  body: Uint8Array | undefined,
  options: { readonly octetsMax: number },
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const request = begin();
    request.on('response', (response) => {
      const { statusCode: status = 0, headers } = response;
      readBody(response, options).then((octets) => resolve({ status, headers, body: octets }), reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.end(body);
  });
}

/** Answers with one JSON value. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`, 'utf8');
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
}

/** A signal that fires when the peer goes away before the answer is complete. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

/** A whole number of a query between `min` and `max`; undefined where it is something else. */
export function wholeNumber(
  text: string | null,
  bounds: { readonly min: number; readonly max: number; readonly absent: number },
): number | undefined {
  if (text === null) return bounds.absent;
  if (!/^\d{1,16}$/u.test(text)) return undefined;
  const value = Number(text);
  return value >= bounds.min && value <= bounds.max ? value : undefined;
}
