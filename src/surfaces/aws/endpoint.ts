import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../kms/region.js';
import { LIMITS } from '../../limits.js';
import { answerException, AwsError } from './exceptions.js';
import { answerKms, KMS } from './kms_service.js';
import type { AwsServerOptions } from './server.js';
import type { AwsService, ServiceAnswer } from './service.js';
import { claimedService, missing } from './signature_claim.js';
import { SignatureVerifier, type Signer } from './sigv4.js';

const AWS_JSON = 'application/x-amz-json-1.1';
const NOT_FOUND = 404;
const QUERY_SIGNATURE = /[?&]X-Amz-(?:Algorithm|Credential|Signature)=/i;

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
        void this.#answer(request, response, null, { requestId, startMs });
      }
    });
    // A caller that goes away in the middle of its request has nobody to be answered.
    request.on('error', () => undefined);
    request.on('end', () => {
      if (octets > LIMITS.awsBodyBytesMax) return;
      const only = chunks.length === 1 ? chunks[0] : undefined;
      void this.#answer(request, response, only ?? Buffer.concat(chunks), { requestId, startMs });
    });
  }

  /** Answers one request, then tells the observer. @param body - null where it was too long */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array | null,
    { requestId, startMs }: { readonly requestId: string; readonly startMs: number },
  ): Promise<void> {
    const known: Known = { service: null, operation: null, principal: null };
    this.#inFlight += 1;
    let answer: Answer;
    try {
      answer = await this.#decide(request, body, known, requestId);
    } catch (error) {
      answer = this.#refuse(request, error, known, requestId);
    } finally {
      this.#inFlight -= 1;
    }
    send(response, answer, requestId);
    this.#options.observe({
      requestId,
      ...known,
      status: answer.status,
      exception: answer.exception ?? null,
      elapsedMs: performance.now() - startMs,
      cause: answer.cause,
    });
  }

  async #decide(request: IncomingMessage, body: Uint8Array | null, known: Known, requestId: string): Promise<Answer> {
    if (this.#inFlight > LIMITS.awsInFlightMax) {
      throw new AwsError(
        'ThrottlingException',
        'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      );
    }
    if (body === null) {
      throw new AwsError('SerializationException', `The request body is longer than ${LIMITS.awsBodyBytesMax} bytes.`);
    }
    const signer = this.#verify(request, body);
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
      request,
      body,
      caller,
      accessKeyId,
    });
    known.operation = operation;
    return failure === null
      ? { status: 200, contentType: AWS_JSON, body: text, cause }
      : { status: failure.status, contentType: AWS_JSON, body: text, exception: failure.name, cause };
  }

  #verify(request: IncomingMessage, body: Uint8Array): Signer {
    const { method = '', url: target = '', headers, rawHeaders } = request;
    if (headers.authorization === undefined) {
      // Signatures in the query are for URLs that are handed on, which no service here has any of.
      if (QUERY_SIGNATURE.test(target)) throw missing();
      if (method !== 'POST' || target !== '/') throw new AwsError('UnknownOperationException', '');
    }
    return this.#verifier.verify({ method, target, headers, rawHeaders, body });
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
  #refuse(request: IncomingMessage, error: unknown, known: Known, requestId: string): Answer {
    const { headers } = request;
    const { name, status: usual, message, body, withheld } = answerException(error);
    const isLost = name === 'UnknownOperationException' && (request.method !== 'POST' || request.url !== '/');
    const status = isLost ? NOT_FOUND : usual;
    const cause = withheld ? error : null;
    const service = this.#services.get(known.service ?? claimedService(headers.authorization) ?? KMS);
    if (service?.refuse === undefined) return { status, contentType: AWS_JSON, body, exception: name, cause };
    return { ...service.refuse({ requestId, status, exception: name, message, headers }), exception: name, cause };
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
