import { KmsError, type KmsExceptionName } from '../../kms/errors.js';
import { KeyferryError } from '../../errors.js';

/** Exceptions of the AWS front end: raised before or around an operation, in no operation's model. */
export type FrontEndExceptionName =
  | 'MissingAuthenticationTokenException'
  | 'IncompleteSignatureException'
  | 'UnrecognizedClientException'
  | 'InvalidSignatureException'
  | 'ExpiredTokenException'
  | 'SerializationException'
  | 'ThrottlingException'
  | 'UnknownOperationException'
  | 'ValidationException';

/** A refusal by the AWS surface itself. */
export class AwsError extends KeyferryError<FrontEndExceptionName> {}

export type ExceptionName = KmsExceptionName | FrontEndExceptionName;

/**
 * HTTP status of every exception on the wire.
 *
 * @source AWS KMS answers client errors with 400, as recorded; the statuses of its service model differ
 */
export const STATUS: Readonly<Record<ExceptionName, 400 | 500>> = {
  AccessDeniedException: 400,
  AlreadyExistsException: 400,
  ConflictException: 400,
  CustomKeyStoreNotFoundException: 400,
  DependencyTimeoutException: 500,
  DisabledException: 400,
  DryRunOperationException: 400,
  ExpiredImportTokenException: 400,
  ExpiredTokenException: 400,
  IncompleteSignatureException: 400,
  IncorrectKeyException: 400,
  IncorrectKeyMaterialException: 400,
  InvalidAliasNameException: 400,
  InvalidArnException: 400,
  InvalidCiphertextException: 400,
  InvalidGrantIdException: 400,
  InvalidGrantTokenException: 400,
  InvalidImportTokenException: 400,
  InvalidKeyUsageException: 400,
  InvalidMarkerException: 400,
  InvalidSignatureException: 400,
  KeyUnavailableException: 500,
  KMSInternalException: 500,
  KMSInvalidMacException: 400,
  KMSInvalidSignatureException: 400,
  KMSInvalidStateException: 400,
  LimitExceededException: 400,
  MalformedPolicyDocumentException: 400,
  MissingAuthenticationTokenException: 400,
  NotFoundException: 400,
  SerializationException: 400,
  TagException: 400,
  ThrottlingException: 400,
  UnknownOperationException: 400,
  UnrecognizedClientException: 400,
  UnsupportedOperationException: 400,
  ValidationException: 400,
};

/** An exception as it goes over the wire. */
export interface ExceptionAnswer {
  readonly name: ExceptionName;
  readonly status: number;
  /** What the caller is told; empty where that is nothing. */
  readonly message: string;
  /** JSON document. */
  readonly body: string;
  /** Whether the caller is not told what happened: it is to be logged. */
  readonly withheld: boolean;
}

/**
 * Puts a failure on the wire. Whatever is not listed becomes a `KMSInternalException` whose text says nothing.
 *
 * @source AWS JSON 1.1 protocol, error serialisation
 */
export function answerException(error: unknown): ExceptionAnswer {
  if (error instanceof KmsError || error instanceof AwsError) {
    const name: ExceptionName = error.code;
    const status = STATUS[name];
    const { message } = error;
    const text = message === '' ? {} : { message };
    return { name, status, message, body: JSON.stringify({ __type: name, ...text }), withheld: status >= 500 };
  }
  const name = 'KMSInternalException';
  const message = 'An internal error occurred. You can retry the request.';
  return { name, status: STATUS[name], message, body: JSON.stringify({ __type: name, message }), withheld: true };
}
