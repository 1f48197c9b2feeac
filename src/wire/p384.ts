import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { concat, equalOctets, toBase64Url, utf8 } from '../bytes.js';
import { decodeBase64Url } from './base64url.js';
import { reject, type Reject } from './refusal.js';

/** Octets of an uncompressed point of P-384: 04 || X || Y. */
export const POINT_OCTETS = 97;
/** Octets of one coordinate, of r and of s. */
export const SCALAR_OCTETS = 48;

// SP 800-186 section 3.2.1.4: the curve y² = x³ − 3x + b over the field of p, and the order n of its base point.
const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const B = 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn;
const N = 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;

/** Public half of a P-384 key as a JWK with exactly these members. */
export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-384';
  readonly x: string;
  readonly y: string;
}

function toInteger(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

function onCurve(x: bigint, y: bigint): boolean {
  return (y * y - (x * x * x - 3n * x + B)) % P === 0n;
}

/**
 * Full validation of a public point before any token sees it. Order needs no check of its own: the cofactor is 1.
 *
 * @param own - our own point of the same agreement, which must not come back
 * @returns null where the point is good, or a refusal `POINT` or `SELF_POINT`
 * @source SP 800-56A revision 3 section 5.6.2.3.3
 */
export function refusalOfPoint(point: Uint8Array, field: string, own?: Uint8Array): Reject | null {
  if (point.length !== POINT_OCTETS) return reject('POINT', field, `The point has not ${POINT_OCTETS} octets.`);
  if (point[0] !== 4) return reject('POINT', field, 'The point is not uncompressed.');
  const x = toInteger(point.subarray(1, 1 + SCALAR_OCTETS));
  const y = toInteger(point.subarray(1 + SCALAR_OCTETS));
  if (x >= P || y >= P) return reject('POINT', field, 'A coordinate of the point is not below p.');
  if (!onCurve(x, y)) return reject('POINT', field, 'The point is not on P-384.');
  if (own !== undefined && equalOctets(point, own)) return reject('SELF_POINT', field, 'The point is our own.');
  return null;
}

/** Whether r || s is 96 octets with both scalars from 1 to n − 1. */
export function isSignatureInRange(signature: Uint8Array): boolean {
  if (signature.length !== 2 * SCALAR_OCTETS) return false;
  const r = toInteger(signature.subarray(0, SCALAR_OCTETS));
  const s = toInteger(signature.subarray(SCALAR_OCTETS));
  return r >= 1n && r < N && s >= 1n && s < N;
}

/** Whether a JWK holds a point of the curve. */
export function isPublicKey(jwk: PublicJwk): boolean {
  const x = decodeBase64Url(jwk.x);
  const y = decodeBase64Url(jwk.y);
  if (x === null || y === null || x.length !== SCALAR_OCTETS || y.length !== SCALAR_OCTETS) return false;
  return refusalOfPoint(concat(new Uint8Array([4]), x, y), 'jwk') === null;
}

/** Keys that were made lately: every roster lists the same few. Public values only. */
const recentKeys = new Map<string, KeyObject>();
const RECENT_KEYS_MAX = 512;

/** The key of a JWK, or null where its point is not on the curve. */
export function publicKeyOf(jwk: PublicJwk): KeyObject | null {
  const name = `${jwk.x}.${jwk.y}`;
  const recent = recentKeys.get(name);
  if (recent !== undefined) return recent;
  if (!isPublicKey(jwk)) return null;
  const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, format: 'jwk' });
  if (recentKeys.size >= RECENT_KEYS_MAX) recentKeys.clear();
  recentKeys.set(name, key);
  return key;
}

/**
 * Key id of a P-384 key: its SHA-384 thumbprint in base64url, 64 characters.
 *
 * @source RFC 7638 section 3, with SHA-384
 */
export function thumbprint(jwk: PublicJwk): string {
  const canonical = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y });
  return toBase64Url(createHash('sha384').update(utf8(canonical)).digest());
}
