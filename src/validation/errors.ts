import { KeyferryError, type ErrorFields } from '../errors.js';

/** Why a validation did not run, or is reported as failed. */
export type ValidationErrorCode =
  | 'ERR_VALIDATION_START' // the module cannot be loaded, or the token not opened: nothing was checked
  | 'ERR_VALIDATION_REQUEST' // what is asked for makes no sense; nothing was checked
  | 'ERR_VALIDATION_REPORT' // a file of an earlier run cannot be read
  | 'ERR_VALIDATION_INTERRUPTED' // Ctrl-C; what ran was reported
  | 'ERR_VALIDATION_FINDINGS'; // it completed, and --fail-on or --baseline makes what it found a failure

/** A failure of the validation itself; what a token does wrong is a finding and no error. */
export class ValidationError extends KeyferryError<ValidationErrorCode> {
  /** What to do about it; null where the message says it all. */
  readonly remedy: string | null;

  constructor(
    code: ValidationErrorCode,
    message: string,
    fields: ErrorFields & { readonly remedy?: string | null } = {},
  ) {
    super(code, message, fields);
    this.remedy = fields.remedy ?? null;
  }
}
