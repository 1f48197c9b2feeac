/**
 * Headers of a request by their name in lower case. A name that comes twice has both values, so that neither can pass for the
 * only one.
 */
export type RequestHeaders = ReadonlyMap<string, string>;

/** Spellings of names that are remembered: clients have few. */
const SPELLINGS_MAX = 256;
const SPELLING_LENGTH_MAX = 64;
const LOWER_CASES = new Map<string, string>();

/**
 * Reads headers without losing any.
 *
 * @param rawHeaders - names and values in turns, as they came
 */
export function readHeaders(rawHeaders: readonly string[]): RequestHeaders {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = lowerCaseOf(rawHeaders[index] ?? '');
    const value = rawHeaders[index + 1] ?? '';
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return headers;
}

function lowerCaseOf(name: string): string {
  const known = LOWER_CASES.get(name);
  if (known !== undefined) return known;
  const lowerCase = name.toLowerCase();
  if (name.length <= SPELLING_LENGTH_MAX && LOWER_CASES.size < SPELLINGS_MAX) LOWER_CASES.set(name, lowerCase);
  return lowerCase;
}
