import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { RecordedCall } from '../../audit/audit_trail.js';
import type { CallNote, Caller, KmsRegion } from '../../kms/region.js';
import type { TlsDetails } from '../../audit/trail_event.js';
import { encodeAnswer } from './encode.js';
import { answerException, AwsError, type ExceptionAnswer } from './exceptions.js';
import { OPERATIONS } from './operations.js';
import type { RequestHeaders } from './request_headers.js';

/** Signing name of AWS KMS. */
export const KMS = 'kms';
const TARGET_PREFIX = 'TrentService.';

/** A request of AWS KMS whose signature was verified. */
export interface KmsCall {
  readonly requestId: string;
  readonly socket: Socket;
  readonly headers: RequestHeaders;
  readonly body: Uint8Array;
  readonly caller: Caller;
  readonly accessKeyId: string;
}

/** What AWS KMS answers. */
export interface KmsAnswer {
  readonly operation: string;
  /** JSON document; empty for operations that answer nothing. */
  readonly body: string;
  /** Null for success. */
  readonly failure: ExceptionAnswer | null;
  /** What the caller is not told. */
  readonly cause: unknown;
}

/**
 * Answers AWS KMS: decodes a request, runs its operation and records it. What could not be recorded is not answered.
 *
 * @throws {@link AwsError} `UnknownOperationException`, before anything happens
 * @source AWS JSON 1.1 protocol: `POST /`, `X-Amz-Target: TrentService.<Operation>`
 */
export async function answerKms(
  region: KmsRegion,
  trail: { recordCall(call: RecordedCall): Promise<void> },
  call: KmsCall,
): Promise<KmsAnswer> {
  const operation = operationOf(call.headers.get('x-amz-target'));
  const decode = OPERATIONS.get(operation);
  if (decode === undefined) throw new AwsError('UnknownOperationException', '');
  const { socket, headers } = call;
  const sourceAddress = socket.remoteAddress;
  const tls = socket instanceof TLSSocket ? tlsDetailsOf(socket, headers) : undefined;
  const notes: CallNote[] = [];
  let decoded: object | null = null;
  let result: object | null = null;
  let answer: KmsAnswer;
  try {
    const { request, run } = decode(call.body);
    decoded = request;
    result = await run({
      region,
      caller: call.caller,
      sourceAddress,
      isEncrypted: tls !== undefined,
      note: (note) => notes.push(note),
    });
    answer = { operation, body: encodeAnswer(operation, result), failure: null, cause: null };
  } catch (error) {
    answer = failed(operation, error);
  }
  const { failure } = answer;
  const { requestId } = call;
  const eventId = randomUUID();
  try {
    await trail.recordCall({
      eventId,
      requestId,
      operation,
      principal: call.caller.principal,
      accessKeyId: call.accessKeyId,
      sourceAddress: sourceAddress ?? '',
      tls,
      userAgent: headers.get('user-agent') ?? '',
      request: decoded,
      response: failure === null ? result : null,
      failure,
      notes,
    });
  } catch (error) {
    return failed(operation, error);
  }
  if (failure === null) region.lastUsages.record({ operation, requestId, trailEventId: eventId, notes });
  return answer;
}

function tlsDetailsOf(socket: TLSSocket, headers: RequestHeaders): TlsDetails {
  return {
    tlsVersion: socket.getProtocol() ?? '',
    cipherSuite: socket.getCipher().standardName,
    clientProvidedHostHeader: headers.get('host') ?? '',
  };
}

function failed(operation: string, error: unknown): KmsAnswer {
  const failure = answerException(error);
  return { operation, body: failure.body, failure, cause: failure.withheld ? error : null };
}

function operationOf(target = ''): string {
  return target.startsWith(TARGET_PREFIX) ? target.slice(TARGET_PREFIX.length) : '';
}
