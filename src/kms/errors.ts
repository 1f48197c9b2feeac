import { KeyferryError } from '../errors.js';

/** Exceptions of AWS KMS that Keyferry raises, by the name that is on the wire. */
export type KmsExceptionName =
  | 'AccessDeniedException'
  | 'AlreadyExistsException'
  | 'ConflictException'
  | 'CustomKeyStoreNotFoundException'
  | 'DependencyTimeoutException'
  | 'DisabledException'
  | 'DryRunOperationException'
  | 'ExpiredImportTokenException'
  | 'IncorrectKeyException'
  | 'IncorrectKeyMaterialException'
  | 'InvalidAliasNameException'
  | 'InvalidArnException'
  | 'InvalidCiphertextException'
  | 'InvalidGrantIdException'
  | 'InvalidGrantTokenException'
  | 'InvalidImportTokenException'
  | 'InvalidKeyUsageException'
  | 'InvalidMarkerException'
  | 'KeyUnavailableException'
  | 'KMSInternalException'
  | 'KMSInvalidMacException'
  | 'KMSInvalidSignatureException'
  | 'KMSInvalidStateException'
  | 'LimitExceededException'
  | 'MalformedPolicyDocumentException'
  | 'NotFoundException'
  | 'TagException'
  | 'ThrottlingException'
  | 'UnsupportedOperationException'
  | 'ValidationException';

/**
 * A refusal in the words of AWS KMS. Its message is shown to the caller; an empty one is left out on the wire.
 *
 * @source AWS KMS API Reference, the errors of each operation
 */
export class KmsError extends KeyferryError<KmsExceptionName> {}

/** The request breaks a rule that the service model does not state. */
export function validationError(message: string): KmsError {
  return new KmsError('ValidationException', message);
}

/** Every failure to decrypt, whatever failed; the real service sends it without a text. */
export function invalidCiphertext(cause?: unknown): KmsError {
  return new KmsError('InvalidCiphertextException', '', cause === undefined ? {} : { cause });
}

/** What a blob's `Decrypt` answers where no key here can be used for it, and where the caller may not use it. */
export function ciphertextKeyInaccessible(): KmsError {
  return new KmsError(
    'AccessDeniedException',
    'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
  );
}

/** The named key is not the one that the blob was made with. */
export function incorrectKey(): KmsError {
  return new KmsError(
    'IncorrectKeyException',
    'The key ID in the request does not identify a CMK that can perform this operation.',
  );
}

/** The answer to a dry run that would have succeeded. */
export function dryRunSucceeded(): KmsError {
  return new KmsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.');
}

/** The key's origin does not admit the operation. */
export function originNotValid(record: { readonly arn: string; readonly origin: string }): KmsError {
  return new KmsError(
    'UnsupportedOperationException',
    `${record.arn} origin is ${record.origin} which is not valid for this operation.`,
  );
}

/** What was unwrapped is not material that this key takes. */
export function incorrectKeyMaterial(message: string, cause?: unknown): KmsError {
  return new KmsError('IncorrectKeyMaterialException', message, cause === undefined ? {} : { cause });
}

/** A text is no policy, or one that must not be taken. */
export function malformedPolicy(message: string): KmsError {
  return new KmsError('MalformedPolicyDocumentException', message);
}
