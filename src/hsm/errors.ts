import { KeyferryError } from '../errors.js';
import { TokenError, type TokenErrorCode } from '../token/errors.js';
import { CKR } from '../token/return_value.js';

/** Why a region's HSM did not do what it was asked. */
export type HsmErrorCode =
  | 'ERR_HSM_MECHANISM' // the token refused a mechanism that its profile promised; no other strategy is tried
  | 'ERR_HSM_UNWRAP' // wrapped material does not unwrap: one code for every cause
  | 'ERR_HSM_TYPE' // what came out is not what was asked for or declared; it is destroyed
  | 'ERR_HSM_MATERIAL_ID' // the material is not the one that its id names
  | 'ERR_HSM_AGREEMENT_KEY' // the handle is not the agreement key that it was
  | 'ERR_HSM_NOT_DESTROYED' // the token says that it destroyed an object and still has it
  | 'ERR_HSM_SELF_TEST' // a known answer or a check of the HSM's own work is wrong; the HSM stops
  | 'ERR_HSM_SESSION_LOST' // the session objects are gone; begin again
  | 'ERR_HSM_CIPHERTEXT' // a blob does not decrypt: one code for every cause
  | 'ERR_HSM_TOO_LONG' // what was decrypted is longer than the key that is to encrypt it can take
  | 'ERR_HSM_POLICY_REFUSED' // the key may not be used so, by the token's rule or by Keyferry's
  | 'ERR_HSM_KEY_NOT_FOUND' // no such key in this token
  | 'ERR_HSM_RECORD' // the record key's MAC is not over this record
  | 'ERR_HSM_FULL' // the token has no room for another token object
  | 'ERR_HSM_UNAVAILABLE' // the token does not work at the moment, or refuses for a reason of its own
  | 'ERR_HSM_STRATEGY'; // the token has no way to do this inside; `details` names the mechanisms that would change it

/** A failure of a region's HSM. */
export class HsmError extends KeyferryError<HsmErrorCode> {}

/** The one message for everything that fails in unwrapping: which step refused, and why, is not to be seen in it. */
export const UNWRAP_REFUSED = 'the wrapped material does not unwrap';

const handleIsGone: ReadonlySet<number> = new Set([
  CKR.CKR_OBJECT_HANDLE_INVALID,
  CKR.CKR_KEY_HANDLE_INVALID,
  CKR.CKR_WRAPPING_KEY_HANDLE_INVALID,
  CKR.CKR_UNWRAPPING_KEY_HANDLE_INVALID,
]);

const mechanismIsRefused: ReadonlySet<number> = new Set([
  CKR.CKR_MECHANISM_INVALID,
  CKR.CKR_MECHANISM_PARAM_INVALID,
  CKR.CKR_FUNCTION_NOT_SUPPORTED,
]);

const useIsRefused: ReadonlySet<number> = new Set([
  CKR.CKR_KEY_UNEXTRACTABLE,
  CKR.CKR_KEY_NOT_WRAPPABLE,
  CKR.CKR_KEY_FUNCTION_NOT_PERMITTED,
  CKR.CKR_ACTION_PROHIBITED,
]);

/**
 * Whether a token's answer is that it is full, and not about what it was given.
 *
 * HAZARD: `CKR_HOST_MEMORY` says nothing of the kind where octets from outside are read: softoken answers it to what is no key.
 */
export function saysTokenIsFull(rv: number): boolean {
  return rv === CKR.CKR_DEVICE_MEMORY;
}

/** Whether a token's answer says that the object is not there (any more). */
export function saysObjectIsGone(rv: number): boolean {
  return handleIsGone.has(rv);
}

/** The code for a call that failed by itself, with sessions and module intact. */
function codeOfCall(error: TokenError): HsmErrorCode {
  if (handleIsGone.has(error.rv)) return 'ERR_HSM_SESSION_LOST';
  if (mechanismIsRefused.has(error.rv)) return 'ERR_HSM_MECHANISM';
  if (useIsRefused.has(error.rv)) return 'ERR_HSM_POLICY_REFUSED';
  if (saysTokenIsFull(error.rv)) return 'ERR_HSM_UNAVAILABLE';
  if (error.call === 'C_UnwrapKey') return 'ERR_HSM_UNWRAP';
  if (error.call === 'C_Decrypt') return 'ERR_HSM_CIPHERTEXT';
  return 'ERR_HSM_UNAVAILABLE';
}

function codeOf(error: TokenError): HsmErrorCode {
  const code: TokenErrorCode = error.code;
  switch (code) {
    case 'ERR_TOKEN_CALL':
      return codeOfCall(error);
    case 'ERR_TOKEN_SESSION_LOST':
    case 'ERR_TOKEN_STALE_HANDLE':
      return 'ERR_HSM_SESSION_LOST';
    case 'ERR_TOKEN_NOT_DESTROYED':
      return 'ERR_HSM_NOT_DESTROYED';
    case 'ERR_TOKEN_SELF_TEST':
      return 'ERR_HSM_SELF_TEST';
    case 'ERR_TOKEN_MODULE_NOT_LOADED':
    case 'ERR_TOKEN_NOT_PRESENT':
    case 'ERR_TOKEN_PIN_REFUSED':
    case 'ERR_TOKEN_PIN_LOCKED':
    case 'ERR_TOKEN_PIN_NOT_SET':
    case 'ERR_TOKEN_MODULE_LOST':
    case 'ERR_TOKEN_SESSION_COUNT':
    case 'ERR_TOKEN_REFERENCE':
    case 'ERR_TOKEN_CLOSED':
    case 'ERR_TOKEN_BUSY':
      return 'ERR_HSM_UNAVAILABLE';
  }
}

/**
 * A token's failure in the HSM's words; the token's own stays as `cause`.
 *
 * Errors that are no token's pass through: they are bugs, or the HSM's already.
 */
export function hsmErrorFrom(cause: unknown): unknown {
  if (!(cause instanceof TokenError)) return cause;
  const code = codeOf(cause);
  return new HsmError(code, cause.message, {
    retryable: code === 'ERR_HSM_SESSION_LOST' || cause.retryable,
    details: cause.details,
    cause,
  });
}
