import { toBase64Url } from '../bytes.js';

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * Decodes base64url strictly: no padding, no white space, no `+` or `/`, no spare bits that are not zero.
 *
 * @returns the octets, or null where encoding them again would not give the same text
 * @source RFC 4648 section 5, RFC 7515 section 2
 */
export function decodeBase64Url(text: string): Uint8Array | null {
  if (!ALPHABET.test(text) || text.length % 4 === 1) return null;
  const octets = Buffer.from(text, 'base64url');
  return toBase64Url(octets) === text ? octets : null;
}
