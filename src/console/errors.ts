import { KeyferryError } from '../errors.js';

/** Why the console refuses a request; the page shows the message. */
export type ConsoleErrorCode =
  | 'ERR_CONSOLE_HOST' // asked under another name than its own
  | 'ERR_CONSOLE_CROSS_SITE' // sent by a page of another origin
  | 'ERR_CONSOLE_LOGIN' // no session, or a login link that does not hold
  | 'ERR_CONSOLE_REQUEST' // not of the agreed form
  | 'ERR_CONSOLE_NOT_FOUND'
  | 'ERR_CONSOLE_OPERATOR' // for administrators of the account only
  | 'ERR_CONSOLE_BUSY'
  | 'ERR_CONSOLE_UNAVAILABLE'; // the endpoint, or a program of the lab, does not answer

const STATUS: Readonly<Record<ConsoleErrorCode, number>> = {
  ERR_CONSOLE_HOST: 421,
  ERR_CONSOLE_CROSS_SITE: 403,
  ERR_CONSOLE_LOGIN: 401,
  ERR_CONSOLE_REQUEST: 400,
  ERR_CONSOLE_NOT_FOUND: 404,
  ERR_CONSOLE_OPERATOR: 403,
  ERR_CONSOLE_BUSY: 503,
  ERR_CONSOLE_UNAVAILABLE: 502,
};

/** A refusal by the console itself; refusals by AWS services pass through it as they are. */
export class ConsoleError extends KeyferryError<ConsoleErrorCode> {
  /** Status of the HTTP answer. */
  get status(): number {
    return STATUS[this.code];
  }
}
