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
    throw new KmsError('InvalidMarkerException', 'The marker was not given by this operation.');
  }
  return text.slice(PREFIX.length);
}
