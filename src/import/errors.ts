import { KeyferryError } from '../errors.js';

/** Why an import token was refused; for the security audit. Callers of the API are told one thing for all of them. */
export type ImportErrorCode =
  | 'ERR_IMPORT_TOKEN_FORM' // not a compact ES384 JWS, or too long
  | 'ERR_IMPORT_TOKEN_TYPE' // a JWS of another flow: a replication message, a roster, a birth certificate
  | 'ERR_IMPORT_TOKEN_SIGNING_KEY' // signed by no import signing key of this region's token
  | 'ERR_IMPORT_TOKEN_SIGNATURE' // the signature does not verify
  | 'ERR_IMPORT_TOKEN_CLAIMS' // members that are missing, unknown or of another form
  | 'ERR_IMPORT_TOKEN_REGION'; // made for another region or partition

/** A refused import token. Nothing of the token is in it. */
export class ImportError extends KeyferryError<ImportErrorCode> {}
