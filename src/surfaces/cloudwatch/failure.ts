import { KeyferryError } from '../../errors.js';
import { MonitoringError, type MonitoringErrorCode } from '../../monitoring/errors.js';

/** Refusals of the protocol itself: no operation was reached. */
export type ProtocolErrorCode = 'InvalidAction' | 'MalformedInput' | 'MissingAction';

/** A request that cannot be read, or that names no operation. */
export class ProtocolError extends KeyferryError<ProtocolErrorCode> {}

/** How a failure goes over the wire. */
export interface WireFailure {
  /** Code of the Query protocol, and of `x-amzn-query-error`. */
  readonly queryCode: string;
  /** Name of the error's shape in the other protocols. */
  readonly shapeName: string;
  readonly status: number;
  readonly fault: 'Sender' | 'Receiver';
  readonly message: string;
}

interface Row {
  readonly shapeName: string;
  readonly status: number;
}

/** @source Amazon CloudWatch API Reference, errors of each operation and common errors; the service model for the shapes' names */
const FAILURES: Readonly<Record<MonitoringErrorCode | ProtocolErrorCode, Row>> = {
  AccessDenied: { shapeName: 'AccessDeniedException', status: 403 },
  InvalidAction: { shapeName: 'UnknownOperationException', status: 404 },
  InvalidFormat: { shapeName: 'InvalidFormatFault', status: 400 },
  InvalidNextToken: { shapeName: 'InvalidNextToken', status: 400 },
  InvalidParameterCombination: { shapeName: 'InvalidParameterCombinationException', status: 400 },
  InvalidParameterValue: { shapeName: 'InvalidParameterValueException', status: 400 },
  LimitExceeded: { shapeName: 'LimitExceededFault', status: 400 },
  MalformedInput: { shapeName: 'SerializationException', status: 400 },
  MissingAction: { shapeName: 'UnknownOperationException', status: 400 },
  MissingParameter: { shapeName: 'MissingRequiredParameterException', status: 400 },
  ResourceNotFound: { shapeName: 'ResourceNotFound', status: 404 },
  ResourceNotFoundException: { shapeName: 'ResourceNotFoundException', status: 404 },
  ValidationError: { shapeName: 'ValidationException', status: 400 },
};

/** Puts a failure in the words of the wire; null for what the caller is not told. */
export function wireFailure(error: unknown): WireFailure | null {
  if (!(error instanceof MonitoringError) && !(error instanceof ProtocolError)) return null;
  const { code, message } = error;
  return { queryCode: code, ...FAILURES[code], fault: 'Sender', message };
}

/** What a caller is told of everything else. */
export const INTERNAL_FAILURE: WireFailure = {
  queryCode: 'InternalServiceError',
  shapeName: 'InternalServiceFault',
  status: 500,
  fault: 'Receiver',
  message: 'An internal error occurred. You can retry the request.',
};

/** A request whose octets do not say what they should. */
export function malformed(message: string): ProtocolError {
  return new ProtocolError('MalformedInput', message);
}
