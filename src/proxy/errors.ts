import { KeyferryError } from '../errors.js';

/** Why the proxy does not take a message over. */
export type ProxyErrorCode =
  | 'ERR_PROXY_SYNTAX' // a name, number or body that is not of the expected form
  | 'ERR_PROXY_TOO_LARGE' // the message is longer than any message of the protocol
  | 'ERR_PROXY_QUEUE_FULL' // too much waits for that destination; it may be sent again later
  | 'ERR_PROXY_DESTINATIONS' // too many different destinations
  | 'ERR_PROXY_CLOSED'; // the proxy is stopping

/** A refusal of the proxy; `details` name the bound that was met. */
export class ProxyError extends KeyferryError<ProxyErrorCode> {}
