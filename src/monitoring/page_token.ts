import { MonitoringError } from './errors.js';

/** A place in a listing as a text that callers hand back unread. @param place - what identifies it */
export function pageToken(place: string): string {
  return Buffer.from(place, 'utf8').toString('base64url');
}

/**
 * The place that a token stands for.
 *
 * @throws {@link MonitoringError} `InvalidNextToken` for what no listing gives out
 */
export function placeOf(token: string): string {
  const place = Buffer.from(token, 'base64url').toString('utf8');
  if (token === '' || pageToken(place) !== token) throw invalidNextToken();
  return place;
}

/** A place that is a number. @throws {@link MonitoringError} `InvalidNextToken` */
export function numberedPlaceOf(token: string): number {
  const place = placeOf(token);
  if (!/^\d{1,15}$/.test(place)) throw invalidNextToken();
  return Number(place);
}

function invalidNextToken(): MonitoringError {
  return new MonitoringError('InvalidNextToken', 'The next token specified is invalid.');
}
