import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Caller } from '../../kms/region.js';
import { LIMITS } from '../../limits.js';
import { isLocalScrape, METRICS_PATH, sendMetrics } from '../metrics/server.js';
import { answerException, AwsError } from './exceptions.js';
import { answerKms, KMS } from './kms_service.js';
import { BodyReader, type BodyRefusal } from './request_body.js';
import { readHeaders, type RequestHeaders } from './request_headers.js';
import type { AwsServerOptions } from './server.js';
import type { AwsService, ServiceAnswer } from './service.js';
import { claimedService, missing } from './signature_claim.js';
import { SignatureVerifier, type Signer } from './sigv4.js';

const AWS_JSON = 'application/x-amz-json-1.1';
const NOT_FOUND = 404;
const QUERY_SIGNATURE = /[?&]X-Amz-(?:Algorithm|Credential|Signature)=/i;

/** A request whose headers have come. */
interface Arrived {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: RequestHeaders;
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly startMs: number;
}

/** What has been found out about a request so far. */
interface Known {
  service: string | null;
  operation: string | null;
  principal: string | null;
}

/** An answer that is ready to be sent, and what the observer learns of it. */
interface Answer extends ServiceAnswer {
  /** What the caller is not told. */
  readonly cause: unknown;
}

/** A verified request for a service besides AWS KMS. */
interface ServiceCall {
  readonly request: IncomingMessage;
  readonly body: Uint8Array;
  readonly caller: Caller;
  readonly requestId: string;
  readonly known: Known;
}

/** Reads requests, finds out who sent them, and has each answered by the service that it was signed for. */
export class Endpoint {
  readonly #options: AwsServerOptions;
  readonly #verifier: SignatureVerifier;
  /** Who each credential speaks for, by access key id. */
  readonly #callers: ReadonlyMap<string, Caller>;
  readonly #services: ReadonlyMap<string, AwsService>;
  readonly #bodies = new BodyReader();
  /** Requests of each connection that are not answered yet. */
  readonly #waiting = new WeakMap<Socket, number>();
  #inFlight = 0;

  constructor(options: AwsServerOptions) {
    this.#options = options;
    this.#services = new Map((options.services ?? []).map((service) => [service.signingName, service]));
    this.#verifier = new SignatureVerifier({
      region: options.region.home.region,
      services: [KMS, ...this.#services.keys()],
      credentials: options.credentials,
      nowMs: options.signatureTimeMs,
    });
    this.#callers = new Map(
      options.credentials.map(({ accessKeyId, principal, policy = null }) => [
        accessKeyId,
        { principal, account: principal.split(':')[4] ?? '', identityPolicy: policy },
      ]),
    );
  }

  /** Takes one request and answers it. */
  receive(request: IncomingMessage, response: ServerResponse): void {
    const startMs = performance.now();
    const requestId = randomUUID();
    if (request.method === 'GET' && request.url === '/healthz') {
      request.resume();
      const body = JSON.stringify({ status: 'ok', region: this.#options.region.home.region });
      send(response, { status: 200, body, contentType: 'application/json' }, requestId);
      return;
    }
    if (request.url === METRICS_PATH && this.#options.metrics !== undefined && isLocalScrape(request)) {
      request.resume();
      return sendMetrics(response, this.#options.metrics());
    }
    const { socket } = request;
    const waiting = (this.#waiting.get(socket) ?? 0) + 1;
    this.#waiting.set(socket, waiting);
    if (waiting > LIMITS.awsPipelinedMax) {
      socket.destroy();
      return;
    }
    const arrived: Arrived = { request, response, headers: readHeaders(request.rawHeaders), requestId, startMs };
    this.#bodies.read(request, (body) => {
      // What was not read to its end leaves its connection in the middle of nowhere.
      if (typeof body === 'string') response.setHeader('Connection', 'close');
      void this.#answer(arrived, body);
    });
  }

  /** Answers one request, then tells the observer. */
  async #answer(arrived: Arrived, body: Uint8Array | BodyRefusal): Promise<void> {
    const { request, response, requestId, startMs } = arrived;
    const known: Known = { service: null, operation: null, principal: null };
    this.#inFlight += 1;
    let answer: Answer;
    try {
      answer = await this.#decide(arrived, body, known);
    } catch (error) {
      answer = this.#refuse(arrived, error, known);
    } finally {
      this.#inFlight -= 1;
    }
    this.#waiting.set(request.socket, (this.#waiting.get(request.socket) ?? 1) - 1);
    send(response, answer, requestId);
    const { service, operation, principal } = known;
    this.#options.observe({
      requestId,
      service,
      operation,
      principal,
      status: answer.status,
      exception: answer.exception ?? null,
      elapsedMs: performance.now() - startMs,
      cause: answer.cause,
    });
  }

  async #decide(arrived: Arrived, body: Uint8Array | BodyRefusal, known: Known): Promise<Answer> {
    if (this.#inFlight > LIMITS.awsInFlightMax || body === 'no-room') {
      throw new AwsError(
        'ThrottlingException',
        'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      );
    }
    if (body === 'too-long') {
      throw new AwsError('SerializationException', `The request body is longer than ${LIMITS.awsBodyBytesMax} bytes.`);
    }
    const { request, headers, requestId } = arrived;
    const signer = this.#verify(arrived, body);
    const { accessKeyId } = signer.credential;
    const caller = this.#callers.get(accessKeyId);
    if (caller === undefined) throw new Error('a verified credential has no principal');
    known.service = signer.service;
    known.principal = caller.principal;
    const service = this.#services.get(signer.service);
    if (service !== undefined) return this.#ask(service, { request, body, caller, requestId, known });
    if (request.method !== 'POST' || request.url !== '/') throw new AwsError('UnknownOperationException', '');
    const { region, trail } = this.#options;
    const {
      operation,
      body: text,
      failure,
      cause,
    } = await answerKms(region, trail, {
      requestId,
      socket: request.socket,
      headers,
      body,
      caller,
      accessKeyId,
    });
    known.operation = operation;
    return failure === null
      ? { status: 200, contentType: AWS_JSON, body: text, cause }
      : { status: failure.status, contentType: AWS_JSON, body: text, exception: failure.name, cause };
  }

  #verify({ request, headers }: Arrived, body: Uint8Array): Signer {
    const { method = '', url: target = '' } = request;
    if (!headers.has('authorization')) {
      // Signatures in the query are for URLs that are handed on, which no service here has any of.
      if (QUERY_SIGNATURE.test(target)) throw missing();
      if (method !== 'POST' || target !== '/') throw new AwsError('UnknownOperationException', '');
    }
    return this.#verifier.verify({ method, target, headers, body });
  }

  async #ask(service: AwsService, { request, body, caller, requestId, known }: ServiceCall): Promise<Answer> {
    const { method = '', url = '', headers } = request;
    const question = url.indexOf('?');
    const answer = await service.answer({
      requestId,
      method,
      path: question < 0 ? url : url.slice(0, question),
      query: new URLSearchParams(question < 0 ? '' : url.slice(question + 1)),
      headers,
      body,
      caller,
    });
    known.operation = answer.operation ?? null;
    return { ...answer, cause: null };
  }

  /** Puts a failure in the words of the service that the request is for, or claims to be for. */
  #refuse({ request, headers, requestId }: Arrived, error: unknown, known: Known): Answer {
    const { name, status: usual, message, body, withheld } = answerException(error);
    const isLost = name === 'UnknownOperationException' && (request.method !== 'POST' || request.url !== '/');
    const status = isLost ? NOT_FOUND : usual;
    const cause = withheld ? error : null;
    const service = this.#services.get(known.service ?? claimedService(headers.get('authorization')) ?? KMS);
    if (service?.refuse === undefined) return { status, contentType: AWS_JSON, body, exception: name, cause };
    const refusal = service.refuse({ requestId, status, exception: name, message, headers: request.headers });
    return { ...refusal, exception: name, cause };
  }
}

function send(response: ServerResponse, answer: ServiceAnswer, requestId: string): void {
  const { status, body, contentType, headers } = answer;
  response.writeHead(status, {
    'x-amzn-RequestId': requestId,
    'Content-Type': contentType,
    'Content-Length': typeof body === 'string' ? Buffer.byteLength(body) : body.length,
    ...headers,
  });
  response.end(body);
}
