import { AwsError } from './exceptions.js';

/** Path and query of a request, in the forms in which they are signed. */
export interface CanonicalTarget {
  readonly path: string;
  readonly query: string;
}

const ROOT: CanonicalTarget = { path: '/', query: '' };
/** What `encodeURIComponent` leaves as it is, and a canonical request does not. */
const ENCODED_TOO = /[!'()*]/g;

/**
 * Path and query as a signer writes them: the path without dots and empty segments, each segment encoded once more than on the wire; the
 * parameters encoded and sorted by name and value.
 *
 * @param target - as it came in the request line
 * @throws {@link AwsError} `IncompleteSignatureException` for a query that no encoder has made
 * @source AWS general reference, "Create a signed AWS API request", canonical URI and canonical query string
 */
export function canonicalTarget(target: string): CanonicalTarget {
  if (target === '/') return ROOT;
  const question = target.indexOf('?');
  if (question < 0) return { path: canonicalPath(target), query: '' };
  return { path: canonicalPath(target.slice(0, question)), query: canonicalQuery(target.slice(question + 1)) };
}

function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  const closing = path.endsWith('/') && segments.length > 0 ? '/' : '';
  return `/${segments.join('/')}${closing}`;
}

function canonicalQuery(query: string): string {
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): readonly [string, string] => {
      const equals = pair.indexOf('=');
      return equals < 0
        ? [encode(decode(pair)), '']
        : [encode(decode(pair.slice(0, equals))), encode(decode(pair.slice(equals + 1)))];
    });
  pairs.sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

/** By octets: all that is compared is ASCII. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    throw malformedQuery(error);
  }
}

/** Percent-encodes everything but unreserved characters. @source RFC 3986 section 2.3 */
function encode(text: string): string {
  try {
    return encodeURIComponent(text).replace(
      ENCODED_TOO,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  } catch (error) {
    throw malformedQuery(error);
  }
}

function malformedQuery(cause: unknown): AwsError {
  return new AwsError('IncompleteSignatureException', 'The target of the request is not encoded as a URI.', { cause });
}
