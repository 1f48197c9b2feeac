import { KeyferryError } from '../errors.js';

/** Why an import token or what came with it was refused; for the security audit. Callers of the API are told less. */
export type ImportErrorCode =
  | 'ERR_IMPORT_TOKEN_FORM' // not a compact ES384 JWS, or too long
  | 'ERR_IMPORT_TOKEN_TYPE' // a JWS of another flow: a replication message, a roster, a birth certificate
  | 'ERR_IMPORT_TOKEN_SIGNING_KEY' // signed by no import signing key of this region's token
  | 'ERR_IMPORT_TOKEN_SIGNATURE' // the signature does not verify
  | 'ERR_IMPORT_TOKEN_CLAIMS' // members that are missing, unknown or of another form
  | 'ERR_IMPORT_TOKEN_REGION' // made for another region or partition
  | 'ERR_IMPORT_TOKEN_KEY' // of another key of this region
  | 'ERR_IMPORT_TOKEN_EXPIRED' // older than its 24 hours
  | 'ERR_IMPORT_TOKEN_USED' // its wrapping key has answered, or is answering now
  | 'ERR_IMPORT_TOKEN_ALGORITHM' // well signed, for another algorithm than its wrapping key was made for
  | 'ERR_IMPORT_TOKEN_WRAPPING_KEY' // well signed, for another wrapping key than the one that it names
  | 'ERR_IMPORT_MATERIAL_UNWRAP' // what came with it does not unwrap
  | 'ERR_IMPORT_MATERIAL_KIND' // what was unwrapped is no material of the key's spec
  | 'ERR_IMPORT_MATERIAL_OTHER'; // material other than the key's, or the key's own where new material was announced

/** A refused import token. Nothing of the token is in it. */
export class ImportError extends KeyferryError<ImportErrorCode> {}
