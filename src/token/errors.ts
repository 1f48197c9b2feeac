import { KeyferryError, type ErrorFields } from '../errors.js';
import { returnValueName, severityOf, remedyFor, type Severity } from './return_value.js';

/** What can go wrong between Keyferry and a token. */
export type TokenErrorCode =
  | 'ERR_TOKEN_CALL' // a C_ function returned something other than CKR_OK
  | 'ERR_TOKEN_MODULE_NOT_LOADED' // the library cannot be opened or has no C_GetFunctionList
  | 'ERR_TOKEN_NOT_PRESENT' // no slot, no token, or no token with that label
  | 'ERR_TOKEN_PIN_REFUSED' // a wrong PIN; it is not tried again
  | 'ERR_TOKEN_PIN_LOCKED' // too many wrong PINs, or an expired one; the security officer has to set a new one
  | 'ERR_TOKEN_PIN_NOT_SET' // the token has no user PIN yet
  | 'ERR_TOKEN_SESSION_LOST' // the sessions are gone; they are opened anew, and the job may be repeated
  | 'ERR_TOKEN_MODULE_LOST' // the module or its device is gone; it is initialised anew
  | 'ERR_TOKEN_SESSION_COUNT' // no further session
  | 'ERR_TOKEN_STALE_HANDLE' // a handle of an earlier epoch
  | 'ERR_TOKEN_REFERENCE' // a step refers to what a failed step would have made
  | 'ERR_TOKEN_NOT_DESTROYED' // C_DestroyObject said CKR_OK and the object is still there
  | 'ERR_TOKEN_CLOSED' // the executor or module was closed
  | 'ERR_TOKEN_BUSY' // the executor's queue is full; later it may not be
  | 'ERR_TOKEN_SELF_TEST'; // the token's answer is not the known answer

/** Where in a token a failure happened. */
export interface TokenFailure extends ErrorFields {
  /** The PKCS#11 function: `C_DeriveKey`. */
  readonly call: string;
  /** Its return value. */
  readonly rv: number;
  /** The mechanism's name, where the call has one: `CKM_ECDH1_DERIVE`. */
  readonly mechanism?: string | undefined;
  /** The job and the strategy that was running, where there was one. */
  readonly job?: string | undefined;
  readonly strategy?: string | undefined;
}

/**
 * A failure of a token: always says which call returned what, under which mechanism and strategy, and what to do about it.
 *
 * @source PKCS#11 v2.40 section 5.1
 */
export class TokenError extends KeyferryError<TokenErrorCode> {
  readonly call: string;
  readonly rv: number;
  readonly rvName: string;
  readonly severity: Severity;
  readonly mechanism: string | undefined;
  readonly strategy: string | undefined;
  readonly remedy: string;

  constructor(code: TokenErrorCode, failure: TokenFailure) {
    const rvName = returnValueName(failure.rv);
    const severity = severityOf(failure.rv);
    const remedy = remedyFor(code, failure.rv, failure.call);
    const parts = [`${failure.call} returned ${rvName}`];
    if (failure.mechanism !== undefined) parts.push(`mechanism ${failure.mechanism}`);
    if (failure.job !== undefined) parts.push(`job ${failure.job}`);
    if (failure.strategy !== undefined) parts.push(`strategy ${failure.strategy}`);
    super(code, `${parts.join(', ')}: ${remedy}`, {
      retryable: severity !== 'call',
      ...failure,
      details: {
        ...failure.details,
        call: failure.call,
        rv: failure.rv,
        rvName,
        ...(failure.mechanism === undefined ? {} : { mechanism: failure.mechanism }),
        ...(failure.job === undefined ? {} : { job: failure.job }),
        ...(failure.strategy === undefined ? {} : { strategy: failure.strategy }),
        remedy,
      },
    });
    this.call = failure.call;
    this.rv = failure.rv;
    this.rvName = rvName;
    this.severity = severity;
    this.mechanism = failure.mechanism;
    this.strategy = failure.strategy;
    this.remedy = remedy;
  }
}
