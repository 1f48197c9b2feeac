import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { LIMITS } from '../../limits.js';
import type { MonitoringRegion } from '../../monitoring/region.js';
import type { AwsService, ServiceAnswer, ServiceRefusal, ServiceRequest } from '../aws/service.js';
import { CBOR_DIALECT, parseCbor, writeCborAnswer, writeCborFailure } from './cbor.js';
import { INTERNAL_FAILURE, malformed, ProtocolError, wireFailure, type WireFailure } from './failure.js';
import { JSON_DIALECT, parseJson, writeJsonAnswer, writeJsonFailure } from './json.js';
import { OPERATIONS } from './operations.js';
import { parseQueryForm, QUERY_DIALECT } from './query_form.js';
import type { Dialect } from './read.js';
import type { StructureShape } from './shape.js';
import { writeXmlAnswer, writeXmlFailure } from './xml.js';

const SERVICE = 'GraniteServiceVersion20100801';
const TARGET_PREFIX = `${SERVICE}.`;
const CBOR_PATH = new RegExp(`^/service/${SERVICE}/operation/(\\w{1,64})$`);

/** One of the protocols: how it names the operation, reads its input and writes what comes of it. */
interface Protocol {
  /** @throws {@link ProtocolError} where the request names none */
  operationOf(request: ServiceRequest, input: unknown): string;
  parse(request: ServiceRequest, body: Uint8Array): unknown;
  readonly dialect: Dialect;
  answer(operation: string, output: StructureShape | null, value: object, requestId: string): ServiceAnswer;
  fail(failure: WireFailure, requestId: string): ServiceAnswer;
}

/** @source Smithy, AWS query protocol */
const QUERY: Protocol = {
  operationOf: (_request, input) => {
    const action = input instanceof Map ? (input.get('Action') as unknown) : undefined;
    if (typeof action !== 'string' || action === '') {
      throw new ProtocolError('MissingAction', 'The request must have the parameter Action.');
    }
    return action;
  },
  parse: (request, body) =>
    parseQueryForm(request.method === 'GET' ? request.query : new URLSearchParams(Buffer.from(body).toString('utf8'))),
  dialect: QUERY_DIALECT,
  answer: (operation, output, value, requestId) => ({
    status: 200,
    contentType: 'text/xml',
    body: writeXmlAnswer(operation, output, value, requestId),
  }),
  fail: (failure, requestId) => ({
    status: failure.status,
    contentType: 'text/xml',
    body: writeXmlFailure(failure, requestId),
  }),
};

/** @source Smithy, AWS JSON 1.0 protocol and its compatibility with the query protocol */
const JSON_1_0: Protocol = {
  operationOf: (request) => String(request.headers['x-amz-target']).slice(TARGET_PREFIX.length),
  parse: (_request, body) => parseJson(body),
  dialect: JSON_DIALECT,
  answer: (_operation, output, value) => ({
    status: 200,
    contentType: 'application/x-amz-json-1.0',
    body: writeJsonAnswer(output, value),
  }),
  fail: (failure) => ({
    status: failure.status,
    contentType: 'application/x-amz-json-1.0',
    body: writeJsonFailure(failure),
    headers: queryError(failure),
  }),
};

/** @source Smithy, RPC v2 CBOR protocol */
const CBOR: Protocol = {
  operationOf: (request) => CBOR_PATH.exec(request.path)?.[1] ?? '',
  parse: (_request, body) => parseCbor(body),
  dialect: CBOR_DIALECT,
  answer: (_operation, output, value) => ({
    status: 200,
    contentType: 'application/cbor',
    body: writeCborAnswer(output, value),
    headers: { 'smithy-protocol': 'rpc-v2-cbor' },
  }),
  fail: (failure) => ({
    status: failure.status,
    contentType: 'application/cbor',
    body: writeCborFailure(failure),
    headers: { ...queryError(failure), 'smithy-protocol': 'rpc-v2-cbor' },
  }),
};

function queryError({ queryCode, fault }: WireFailure): Readonly<Record<string, string>> {
  return { 'x-amzn-query-error': `${queryCode};${fault}` };
}

/**
 * Amazon CloudWatch over its three protocols, chosen by each request.
 *
 * @param report - told of failures that the caller is not told
 */
export function cloudWatchService(
  region: MonitoringRegion,
  report: (failure: unknown, requestId: string) => void,
): AwsService {
  return {
    signingName: 'monitoring',
    answer: async (request) => {
      const protocol = protocolOf(request.headers);
      let called: string | undefined;
      try {
        const input = protocol.parse(request, bodyOf(request));
        const name = protocol.operationOf(request, input);
        const operation = OPERATIONS.get(name);
        called = operation === undefined ? undefined : name;
        if (operation === undefined) {
          throw new ProtocolError(
            'InvalidAction',
            `Could not find operation ${name.slice(0, 64)} for version 2010-08-01.`,
          );
        }
        const value = await operation.run({ region, caller: request.caller }, input, protocol.dialect);
        return { ...protocol.answer(name, operation.output, value, request.requestId), operation: name };
      } catch (error) {
        const told = wireFailure(error);
        if (told === null) report(error, request.requestId);
        const failure = told ?? INTERNAL_FAILURE;
        return {
          ...protocol.fail(failure, request.requestId),
          ...(called !== undefined && { operation: called }),
          exception: failure.queryCode,
        };
      }
    },
    refuse: (refusal) => protocolOf(refusal.headers).fail(failureOf(refusal), refusal.requestId),
  };
}

/** A refusal before the service was reached. @source AWS general reference, common errors: the Query protocol's codes have no suffix */
function failureOf({ exception, status, message }: ServiceRefusal): WireFailure {
  return {
    queryCode: QUERY_CODES.get(exception) ?? exception.replace(/Exception$/, ''),
    shapeName: exception,
    status: FORBIDDEN.has(exception) ? 403 : status,
    fault: status >= 500 ? 'Receiver' : 'Sender',
    message,
  };
}

const QUERY_CODES: ReadonlyMap<string, string> = new Map([
  ['InvalidSignatureException', 'SignatureDoesNotMatch'],
  ['KMSInternalException', 'InternalFailure'],
  ['MissingAuthenticationTokenException', 'MissingAuthenticationToken'],
  ['ThrottlingException', 'Throttling'],
  ['UnknownOperationException', 'InvalidAction'],
  ['UnrecognizedClientException', 'InvalidClientTokenId'],
]);

const FORBIDDEN: ReadonlySet<string> = new Set([
  'ExpiredTokenException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
]);

function protocolOf(headers: IncomingHttpHeaders): Protocol {
  if (headers['smithy-protocol'] === 'rpc-v2-cbor') return CBOR;
  const target = headers['x-amz-target'];
  return typeof target === 'string' && target.startsWith(TARGET_PREFIX) ? JSON_1_0 : QUERY;
}

/** The body as it was before a client compressed it: the SDKs do so with long lists of data points. */
function bodyOf({ headers, body }: ServiceRequest): Uint8Array {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return body;
  if (encoding !== 'gzip') throw malformed('The content encoding must be gzip.');
  try {
    return gunzipSync(body, { maxOutputLength: LIMITS.awsBodyBytesMax });
  } catch {
    throw malformed(`The body is no gzip stream of at most ${LIMITS.awsBodyBytesMax} bytes.`);
  }
}
