import { KeyferryError } from '../errors.js';

/** Refusals of the monitoring API, by the code that is on the wire. */
export type MonitoringErrorCode =
  | 'AccessDenied'
  | 'InvalidFormat'
  | 'InvalidNextToken'
  | 'InvalidParameterCombination'
  | 'InvalidParameterValue'
  | 'LimitExceeded'
  | 'MissingParameter'
  | 'ResourceNotFound'
  | 'ResourceNotFoundException'
  | 'ValidationError';

/**
 * A refusal in the words of Amazon CloudWatch; its message is shown to the caller.
 *
 * @source Amazon CloudWatch API Reference, the errors of each operation
 */
export class MonitoringError extends KeyferryError<MonitoringErrorCode> {}

/** A parameter has a value that the operation does not take. */
export function invalidValue(message: string): MonitoringError {
  return new MonitoringError('InvalidParameterValue', message);
}

/** Parameters that do not go together. */
export function invalidCombination(message: string): MonitoringError {
  return new MonitoringError('InvalidParameterCombination', message);
}

/** A rule about parameters is broken that the service model states, or that alarms have. */
export function validationError(message: string): MonitoringError {
  return new MonitoringError('ValidationError', message);
}
