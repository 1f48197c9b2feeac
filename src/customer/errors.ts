import { KeyferryError, type ErrorFields } from '../errors.js';

/** Why an import ceremony ended. Until the import itself, nothing has been changed at the endpoint. */
export type CeremonyErrorCode =
  | 'ERR_CEREMONY_RULE' // KMS takes no such combination of key spec, algorithm, wrapping key and expiration
  | 'ERR_CEREMONY_MATERIAL' // the material cannot be read, or is not what the key spec wants
  | 'ERR_CEREMONY_SOURCE' // the key in the customer's token is not there, or cannot be wrapped
  | 'ERR_CEREMONY_PARAMETERS' // the directory of parameters is not usable
  | 'ERR_CEREMONY_ENDPOINT' // no endpoint, region or credentials, or no answer
  | 'ERR_CEREMONY_REFUSED' // KMS refused; its exception is in the details
  | 'ERR_CEREMONY_DECLINED'; // the person said no

/** A ceremony that ended, with what to do about it. */
export class CeremonyError extends KeyferryError<CeremonyErrorCode> {
  /** What to do about it; null where the message says it all. */
  readonly remedy: string | null;

  constructor(
    code: CeremonyErrorCode,
    message: string,
    fields: ErrorFields & { readonly remedy?: string | null } = {},
  ) {
    super(code, message, fields);
    this.remedy = fields.remedy ?? null;
  }
}
