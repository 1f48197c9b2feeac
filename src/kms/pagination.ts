import { KmsError } from './errors.js';

const PREFIX = 'v1:';

/** The marker that continues a list behind `last`: opaque to callers, no secret. */
export function encodeMarker(last: string): string {
  return Buffer.from(PREFIX + last, 'utf8').toString('base64url');
}

/**
 * Reads a marker that a list gave.
 *
 * @throws {@link KmsError} `InvalidMarkerException` for anything else
 */
export function decodeMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString('utf8');
  if (!text.startsWith(PREFIX) || encodeMarker(text.slice(PREFIX.length)) !== marker) {
    throw invalidMarker();
  }
  return text.slice(PREFIX.length);
}

/**
 * Reads the marker of a request: the place behind which its list goes on. A place is a name and no number of items, so that a marker
 * stays good while items come and go.
 *
 * @param isPlace - whether a text can be a place in this list
 * @throws {@link KmsError} `InvalidMarkerException` for what this list cannot have given
 */
export function readMarker(marker: string | undefined, isPlace: (text: string) => boolean): string | undefined {
  if (marker === undefined) return undefined;
  const place = decodeMarker(marker);
  if (!isPlace(place)) throw invalidMarker();
  return place;
}

/** One page of a list, and where the next one begins. */
export interface Page<Item> {
  readonly page: readonly Item[];
  readonly Truncated: boolean;
  /** Only where there is more. */
  readonly NextMarker?: string;
}

/**
 * Takes one page.
 *
 * @param found - items behind the marker in the list's order; more than `limit` of them where there are more
 * @param placeOf - an item's place in the list
 */
export function pageOf<Item>(found: readonly Item[], limit: number, placeOf: (item: Item) => string): Page<Item> {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return found.length > limit && last !== undefined
    ? { page, Truncated: true, NextMarker: encodeMarker(placeOf(last)) }
    : { page, Truncated: false };
}

/** A marker that a list cannot have given. */
export function invalidMarker(): KmsError {
  return new KmsError('InvalidMarkerException', 'The marker was not given by this operation.');
}
