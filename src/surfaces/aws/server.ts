import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { RecordedCall } from '../../audit/audit_trail.js';
import type { CallNote, Caller, KmsRegion } from '../../kms/region.js';
import { LIMITS } from '../../limits.js';
import { closeServer, formatListenAddress, listenOn, type ListenAddress } from '../../listen.js';
import { encodeResponse } from './encode.js';
import { answerException, AwsError, type ExceptionAnswer, type ExceptionName } from './exceptions.js';
import { OPERATIONS } from './operations.js';
import { SignatureVerifier, type Credential } from './sigv4.js';

const CONTENT_TYPE = 'application/x-amz-json-1.1';
const TARGET_PREFIX = 'TrentService.';
/** What an observer learns of each request after its answer was decided. Holds no plaintext and no request. */
export interface RequestOutcome {
  readonly requestId: string;
  /** Null where the request did not come so far. */
  readonly operation: string | null;
  readonly principal: string | null;
  /** Null for success. */
  readonly exception: ExceptionName | null;
  /** What happened, where the caller was not told: for the log, by request id. */
  readonly cause: unknown;
}

export interface AwsServerOptions {
  readonly region: KmsRegion;
  readonly credentials: readonly Credential[];
  /** Unshifted time, milliseconds since the epoch: clients sign with theirs. */
  readonly signatureTimeMs: () => number;
  /** Records every authenticated call before it is answered. */
  readonly trail: { recordCall(call: RecordedCall): Promise<void> };
  readonly observe: (outcome: RequestOutcome) => void;
}

/** A region's AWS KMS endpoint. */
export interface AwsServer {
  readonly url: string;
  /** Stops listening, waits for the requests that are being answered, and closes every connection. */
  close(): Promise<void>;
}

/**
 * Serves the AWS KMS API on one address.
 *
 * @param listen - port 0 takes a free one
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` where the address cannot be had
 * @source AWS JSON 1.1 protocol: `POST /`, `X-Amz-Target: TrentService.<Operation>`
 */
export async function serveAws(options: AwsServerOptions, listen: ListenAddress): Promise<AwsServer> {
  const endpoint = new Endpoint(options);
  const server = createServer(
    {
      maxHeaderSize: LIMITS.awsHeaderBytesMax,
      headersTimeout: LIMITS.awsHeadersTimeoutMs,
      requestTimeout: LIMITS.awsRequestTimeoutMs,
      keepAliveTimeout: LIMITS.awsKeepAliveTimeoutMs,
      noDelay: true,
    },
    (request, response) => endpoint.receive(request, response),
  );
  const address = await listenOn(server, listen);
  return {
    url: `http://${formatListenAddress(address)}`,
    close: () => closeServer(server, LIMITS.awsDrainTimeoutMs),
  };
}

/** What has been found out about a request so far. */
interface Known {
  operation: string | null;
  principal: string | null;
  accessKeyId: string | null;
  /** Null before it was decoded. */
  request: object | null;
  readonly notes: CallNote[];
}

/** An answer that is ready to be sent. */
interface Answer {
  readonly status: number;
  readonly body: string;
  readonly exception: ExceptionName | null;
  /** What the caller is not told. */
  readonly cause: unknown;
}

class Endpoint {
  readonly #options: AwsServerOptions;
  readonly #verifier: SignatureVerifier;
  /** Who each credential speaks for, by access key id. */
  readonly #callers: ReadonlyMap<string, Caller>;
  #inFlight = 0;

  constructor(options: AwsServerOptions) {
    this.#options = options;
    this.#verifier = new SignatureVerifier({
      region: options.region.home.region,
      credentials: options.credentials,
      nowMs: options.signatureTimeMs,
    });
    this.#callers = new Map(
      options.credentials.map(({ accessKeyId, principal }) => [
        accessKeyId,
        { principal, account: principal.split(':')[4] ?? '' },
      ]),
    );
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    const requestId = randomUUID();
    if (request.method === 'GET' && request.url === '/healthz') {
      request.resume();
      const body = JSON.stringify({ status: 'ok', region: this.#options.region.home.region });
      send(response, { status: 200, body, requestId, contentType: 'application/json' });
      return;
    }
    if (request.method !== 'POST' || request.url !== '/') {
      request.resume();
      const { body } = answerException(new AwsError('UnknownOperationException', ''));
      send(response, { status: 404, body, requestId });
      return;
    }
    const chunks: Buffer[] = [];
    let octets = 0;
    request.on('data', (chunk: Buffer) => {
      const before = octets;
      octets += chunk.length;
      if (octets <= LIMITS.awsBodyBytesMax) {
        chunks.push(chunk);
      } else if (before <= LIMITS.awsBodyBytesMax) {
        chunks.length = 0;
        response.setHeader('Connection', 'close');
        void this.#answer(request, response, null, requestId);
      }
    });
    // A caller that goes away in the middle of its request has nobody to be answered.
    request.on('error', () => undefined);
    request.on('end', () => {
      if (octets > LIMITS.awsBodyBytesMax) return;
      const only = chunks.length === 1 ? chunks[0] : undefined;
      void this.#answer(request, response, only ?? Buffer.concat(chunks), requestId);
    });
  }

  /** Answers one request, then tells the observer. @param body - null where it was too long */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array | null,
    requestId: string,
  ): Promise<void> {
    const known: Known = { operation: null, principal: null, accessKeyId: null, request: null, notes: [] };
    this.#inFlight += 1;
    let answer: Answer;
    try {
      answer = await this.#decide(request, body, known, requestId);
    } catch (error) {
      // What the trail could not keep is not answered.
      answer = answerOf(answerException(error), error);
    } finally {
      this.#inFlight -= 1;
    }
    send(response, { status: answer.status, body: answer.body, requestId });
    const { operation, principal } = known;
    this.#options.observe({ requestId, operation, principal, exception: answer.exception, cause: answer.cause });
  }

  /** Runs the call and records it. */
  async #decide(request: IncomingMessage, body: Uint8Array | null, known: Known, requestId: string): Promise<Answer> {
    let result: object | null = null;
    let failure: ExceptionAnswer | null = null;
    let answer: Answer;
    try {
      result = await this.#run(request, body, known);
      answer = { status: 200, body: encodeResponse(result), exception: null, cause: null };
    } catch (error) {
      failure = answerException(error);
      answer = answerOf(failure, error);
    }
    const { operation, principal, accessKeyId } = known;
    if (operation !== null && principal !== null && accessKeyId !== null) {
      await this.#options.trail.recordCall({
        requestId,
        operation,
        principal,
        accessKeyId,
        sourceAddress: request.socket.remoteAddress ?? '',
        userAgent: request.headers['user-agent'] ?? '',
        request: known.request,
        response: failure === null ? result : null,
        failure,
        notes: known.notes,
      });
    }
    return answer;
  }

  async #run(request: IncomingMessage, body: Uint8Array | null, known: Known): Promise<object> {
    if (this.#inFlight > LIMITS.awsInFlightMax) {
      throw new AwsError(
        'ThrottlingException',
        'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      );
    }
    if (body === null) {
      throw new AwsError('SerializationException', `The request body is longer than ${LIMITS.awsBodyBytesMax} bytes.`);
    }
    const credential = this.#verifier.verify({
      method: 'POST',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body,
    });
    const caller = this.#callers.get(credential.accessKeyId);
    if (caller === undefined) throw new Error('a verified credential has no principal');
    known.principal = caller.principal;
    known.accessKeyId = credential.accessKeyId;
    const target = request.headers['x-amz-target'];
    const name =
      typeof target === 'string' && target.startsWith(TARGET_PREFIX) ? target.slice(TARGET_PREFIX.length) : '';
    const decode = OPERATIONS.get(name);
    if (decode === undefined) throw new AwsError('UnknownOperationException', '');
    known.operation = name;
    const decoded = decode(body);
    known.request = decoded.request;
    return decoded.run({ region: this.#options.region, caller, note: (note) => known.notes.push(note) });
  }
}

function answerOf(failure: ExceptionAnswer, error: unknown): Answer {
  const { status, body, name, withheld } = failure;
  return { status, body, exception: name, cause: withheld ? error : null };
}

function send(
  response: ServerResponse,
  answer: {
    readonly status: number;
    readonly body: string;
    readonly requestId: string;
    readonly contentType?: string;
  },
): void {
  response.writeHead(answer.status, {
    'x-amzn-RequestId': answer.requestId,
    'Content-Type': answer.contentType ?? CONTENT_TYPE,
    'Content-Length': Buffer.byteLength(answer.body),
  });
  response.end(answer.body);
}
