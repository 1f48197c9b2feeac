import { createPublicKey, type KeyObject } from 'node:crypto';
import { concat, equalOctets, toBase64Url } from '../bytes.js';
import type { Curve } from './curve.js';
import { DER, positiveInteger, readDer, withoutLeadingZeros } from './der.js';

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
  const key = {
    kty: 'RSA',
    n: toBase64Url(withoutLeadingZeros(numbers.modulus)),
    e: toBase64Url(withoutLeadingZeros(numbers.exponent)),
  };
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
 * Reads a DER SubjectPublicKeyInfo that must be of one kind, in the one form in which Keyferry writes it.
 *
 * HAZARD: octets of a peer are not given to OpenSSL's decoder of keys: explicit curve parameters made Node 20 end the process.
 *
 * @returns the key, or null for anything else: another curve or size, explicit parameters, a compressed point or one off the curve,
 * trailing octets
 */
export function parsePublicKey(spki: Uint8Array, expected: PublicKeyKind): KeyObject | null {
  try {
    const key = expected.kind === 'rsa' ? parseRsa(spki, expected.modulusBits) : parseCurve(spki, expected.curve);
    return key !== null && equalOctets(spki, encodePublicKey(key)) ? key : null;
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

/** AlgorithmIdentifier of RSA keys, DER. @source RFC 3279 section 2.3.1 */
const RSA_ALGORITHM = Buffer.from('300d06092a864886f70d0101010500', 'hex');
/** Octets of the longest public exponent. @source FIPS 186-5 section 5.1: below 2^256 */
const EXPONENT_OCTETS_MAX = 32;

function parseRsa(spki: Uint8Array, modulusBits: number): KeyObject | null {
  const whole = readDer(spki, DER.sequence);
  if (whole === null || !equalOctets(whole.content.subarray(0, RSA_ALGORITHM.length), RSA_ALGORITHM)) return null;
  const bits = readDer(whole.content.subarray(RSA_ALGORITHM.length), DER.bitString);
  const numbers = bits?.content[0] === 0 ? readDer(bits.content.subarray(1), DER.sequence) : null;
  const first = numbers === null ? null : readDer(numbers.content, DER.integer);
  const second = first === null ? null : readDer(first.rest, DER.integer);
  if (first === null || second === null) return null;
  const [modulus, exponent] = [positiveInteger(first.content), positiveInteger(second.content)];
  if (modulus === null || exponent === null || exponent.length > EXPONENT_OCTETS_MAX) return null;
  const isOfSize = modulus.length === modulusBits / 8 && (modulus[0] ?? 0) >= 0x80;
  const areOdd = ((modulus.at(-1) ?? 0) & (exponent.at(-1) ?? 0) & 1) === 1;
  const isExponent = exponent.length > 1 || (exponent[0] ?? 0) >= 3;
  return isOfSize && areOdd && isExponent ? rsaPublicKey({ modulus, exponent }) : null;
}

/** The point is at the end: what stands before it is compared when the key is encoded again. */
function parseCurve(spki: Uint8Array, curve: Curve): KeyObject | null {
  const isEdwards = curve.name === 'Ed25519';
  const octets = isEdwards ? curve.coordinateOctets : 1 + 2 * curve.coordinateOctets;
  return spki.length > octets ? curvePublicKey(curve, spki.subarray(spki.length - octets)) : null;
}

function decoded(text: string | undefined): Uint8Array {
  return Uint8Array.from(Buffer.from(text ?? '', 'base64url'));
}
