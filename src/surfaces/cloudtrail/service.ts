import type { TrailSearch } from '../../audit/trail_query.js';
import type { Caller } from '../../kms/region.js';
import { LIMITS } from '../../limits.js';
import { decodeRequest } from '../aws/decode.js';
import { encodeResponse } from '../aws/encode.js';
import { AwsError } from '../aws/exceptions.js';
import type { AwsService, ServiceAnswer, ServiceRequest } from '../aws/service.js';
import { CloudTrailError, LOOKUP_EVENTS, lookupEvents } from './lookup_events.js';

const TARGET = /^(?:com\.amazonaws\.cloudtrail\.v20131101\.)?CloudTrail_20131101\.(?<operation>\w{1,64})$/;
const AWS_JSON = 'application/x-amz-json-1.1';
const LOOKUP_EVENTS_NAME = 'LookupEvents';

/** What CloudTrail is answered from. */
export interface CloudTrailParts {
  readonly trail: TrailSearch;
  /** Whether a caller may do something to all events. @param action - for example `cloudtrail:LookupEvents` */
  readonly allows: (caller: Caller, action: string) => boolean;
  /** Told of failures that the caller is not told. */
  readonly report: (failure: unknown) => void;
}

/**
 * AWS CloudTrail over AWS JSON 1.1, as far as events are looked up. Every other operation is refused: the trail is always on, and nobody
 * can turn it off.
 */
export function cloudTrailService(parts: CloudTrailParts): AwsService {
  let running = 0;
  return {
    signingName: 'cloudtrail',
    answer: async (request) => {
      const operation = operationOf(request);
      const named = operation === LOOKUP_EVENTS_NAME ? { operation } : {};
      try {
        if (operation !== LOOKUP_EVENTS_NAME) throw unknown(operation);
        if (!parts.allows(request.caller, 'cloudtrail:LookupEvents')) throw denied(request.caller);
        const decoded = decodeRequest(LOOKUP_EVENTS, request.body);
        if (running >= LIMITS.trailLookupsMax) throw new CloudTrailError('ThrottlingException', 'Rate exceeded');
        running += 1;
        try {
          const answer = await lookupEvents(parts.trail, decoded);
          return { status: 200, contentType: AWS_JSON, body: encodeResponse(answer), ...named };
        } finally {
          running -= 1;
        }
      } catch (error) {
        return { ...refusalOf(error, request.requestId, parts.report), ...named };
      }
    },
  };
}

/** Empty where the request names none of this service. */
function operationOf({ method, path, headers }: ServiceRequest): string {
  const target = headers['x-amz-target'];
  if (method !== 'POST' || path !== '/' || typeof target !== 'string') return '';
  return TARGET.exec(target)?.groups?.['operation'] ?? '';
}

function unknown(operation: string): Error {
  if (operation === '') return new AwsError('UnknownOperationException', '');
  return new CloudTrailError('UnsupportedOperationException', `${operation} is not supported here.`);
}

function denied({ principal }: Caller): CloudTrailError {
  return new CloudTrailError(
    'AccessDeniedException',
    `User: ${principal} is not authorized to perform: cloudtrail:LookupEvents`,
  );
}

function refusalOf(error: unknown, requestId: string, report: CloudTrailParts['report']): ServiceAnswer {
  if (error instanceof CloudTrailError || error instanceof AwsError) {
    const { code, message } = error;
    const body = JSON.stringify({ __type: code, ...(message !== '' && { message }) });
    return { status: 400, contentType: AWS_JSON, body, exception: code };
  }
  report(new Error(`CloudTrail request ${requestId} failed`, { cause: error }));
  const name = 'InternalFailure';
  const body = JSON.stringify({ __type: name, message: 'An internal error occurred. You can retry the request.' });
  return { status: 500, contentType: AWS_JSON, body, exception: name };
}
