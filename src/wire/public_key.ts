import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { concat, equalOctets, toBase64Url } from '../bytes.js';
import type { Curve } from './curve.js';

/** What a public key is expected to be: a point of one curve, or a modulus of one size. */
export type PublicKeyKind =
  { readonly kind: 'curve'; readonly curve: Curve } | { readonly kind: 'rsa'; readonly modulusBits: number };

/**
 * An RSA public key from its numbers.
 *
 * @param numbers - big-endian; leading zeros are allowed, as some tokens give them
 * @throws Error where they are no public key
 */
export function rsaPublicKey(numbers: { readonly modulus: Uint8Array; readonly exponent: Uint8Array }): KeyObject {
  const key = { kty: 'RSA', n: toBase64Url(minimal(numbers.modulus)), e: toBase64Url(minimal(numbers.exponent)) };
  return createPublicKey({ key, format: 'jwk' });
}

/**
 * An elliptic curve public key from its point.
 *
 * @param point - uncompressed, or the 32 octets of an Ed25519 key
 * @throws Error where it is no point of the curve
 */
export function curvePublicKey(curve: Curve, point: Uint8Array): KeyObject {
  const octets = curve.coordinateOctets;
  if (curve.name === 'Ed25519') {
    if (point.length !== octets) throw new RangeError('an Ed25519 public key has 32 octets');
    return createPublicKey({ key: { kty: 'OKP', crv: curve.name, x: toBase64Url(point) }, format: 'jwk' });
  }
  if (point.length !== 1 + 2 * octets || point[0] !== 0x04) throw new RangeError('not an uncompressed point');
  const x = toBase64Url(point.subarray(1, 1 + octets));
  const y = toBase64Url(point.subarray(1 + octets));
  return createPublicKey({ key: { kty: 'EC', crv: curve.name, x, y }, format: 'jwk' });
}

/** DER SubjectPublicKeyInfo, in the one form in which Keyferry stores and sends it. @source RFC 5280 section 4.1.2.7; RFC 8410 */
export function encodePublicKey(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ type: 'spki', format: 'der' }));
}

/**
 * Reads a DER SubjectPublicKeyInfo that must be of one kind.
 *
 * @returns the key, or null for anything else: another curve or size, explicit parameters, a point off the curve, trailing octets
 */
export function parsePublicKey(spki: Uint8Array, expected: PublicKeyKind): KeyObject | null {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (!isKind(key, expected)) return null;
    // The parser takes octets behind the key, compressed points and explicit parameters: only the form that we write is accepted.
    const again =
      expected.kind === 'rsa' ? rsaPublicKey(rsaNumbers(key)) : curvePublicKey(expected.curve, pointOf(key));
    return equalOctets(spki, encodePublicKey(again)) ? again : null;
  } catch {
    return null;
  }
}

/** The numbers of an RSA public key, big-endian without leading zeros. */
export function rsaNumbers(key: KeyObject): { readonly modulus: Uint8Array; readonly exponent: Uint8Array } {
  const { n, e } = key.export({ format: 'jwk' });
  return { modulus: decoded(n), exponent: decoded(e) };
}

/** The point of a public key as tokens take it: uncompressed, or the 32 octets of an Ed25519 key. */
export function pointOf(key: KeyObject): Uint8Array {
  const { kty, x, y } = key.export({ format: 'jwk' });
  return kty === 'OKP' ? decoded(x) : concat(Uint8Array.of(0x04), decoded(x), decoded(y));
}

function isKind(key: KeyObject, expected: PublicKeyKind): boolean {
  if (expected.kind === 'rsa') {
    const isRsa = key.asymmetricKeyType === 'rsa';
    return isRsa && key.asymmetricKeyDetails?.modulusLength === expected.modulusBits;
  }
  const jwk: JsonWebKey = key.export({ format: 'jwk' });
  return jwk.crv === expected.curve.name;
}

function decoded(text: string | undefined): Uint8Array {
  return Uint8Array.from(Buffer.from(text ?? '', 'base64url'));
}

function minimal(number: Uint8Array): Uint8Array {
  let start = 0;
  while (start < number.length - 1 && number[start] === 0) start += 1;
  return number.subarray(start);
}
