import { KeyferryError, type ErrorFields } from '../errors.js';

/** Why a lab does not run as it should. */
export type LabErrorCode =
  | 'ERR_LAB_PROGRAM' // a program of the lab failed; its own code and message are in the details
  | 'ERR_LAB_TIMEOUT' // a program was not ready, or not gone, in time
  | 'ERR_LAB_NOT_RUNNING' // no lab runs in the directory
  | 'ERR_LAB_REQUEST' // a running program refused a request, or does not answer
  | 'ERR_LAB_INTERRUPTED' // told to stop before it was done
  | 'ERR_LAB_STEP'; // a step of the demonstration did not do what it should

/** A failure of a lab, with what to do about it. */
export class LabError extends KeyferryError<LabErrorCode> {
  /** What to do about it; null where the message says it all. */
  readonly remedy: string | null;

  constructor(code: LabErrorCode, message: string, fields: ErrorFields & { readonly remedy?: string | null } = {}) {
    super(code, message, fields);
    this.remedy = fields.remedy ?? null;
  }
}
