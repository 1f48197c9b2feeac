import { CURVES } from '../wire/curve.js';

/** Order of the base point of P-384. @source NIST SP 800-186 section 3.2.1.4 */
export const ORDER =
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;
/** Order of the field of P-384. @source NIST SP 800-186 section 3.2.1.4 */
export const FIELD = (1n << 384n) - (1n << 128n) - (1n << 96n) + (1n << 32n) - 1n;
const B = 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn;
const SCALAR_OCTETS = 48;

/** A point of the curve, or of its twist, other than the one at infinity. */
export interface AffinePoint {
  readonly x: bigint;
  readonly y: bigint;
}

function reduced(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** The inverse modulo a prime. */
export function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [reduced(value, modulus), modulus, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return reduced(x, modulus);
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square, left] = [1n, base % FIELD, exponent];
  for (; left > 0n; left >>= 1n, square = (square * square) % FIELD) if (left & 1n) result = (result * square) % FIELD;
  return result;
}

/** Octets as a number, big-endian. */
export function toNumber(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

/** A number below 2^384 in 48 octets, big-endian. */
export function scalarOctets(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * SCALAR_OCTETS, '0'), 'hex'));
}

/** The point in 97 octets. */
export function readPoint(point: Uint8Array): AffinePoint {
  return { x: toNumber(point.subarray(1, 1 + SCALAR_OCTETS)), y: toNumber(point.subarray(1 + SCALAR_OCTETS)) };
}

/** The base point G. */
export const BASE_POINT = readPoint(CURVES['P-384'].basePoint ?? new Uint8Array());

/** The sum of two points that are not each other's opposites. For test keys only: it is not constant in time. */
export function addPoints(first: AffinePoint, second: AffinePoint): AffinePoint {
  const slope =
    first.x === second.x
      ? (3n * first.x * first.x - 3n) * inverse(2n * first.y, FIELD)
      : (second.y - first.y) * inverse(second.x - first.x, FIELD);
  const x = reduced(slope * slope - first.x - second.x, FIELD);
  return { x, y: reduced(slope * (first.x - x) - first.y, FIELD) };
}

/** A multiple of a point. @param scalar - from 1 to the order less 1 */
export function multiplyPoint(point: AffinePoint, scalar: bigint): AffinePoint {
  let result: AffinePoint | undefined;
  for (let doubled = point, left = scalar; left > 0n; left >>= 1n, doubled = addPoints(doubled, doubled)) {
    if (left & 1n) result = result === undefined ? doubled : addPoints(result, doubled);
  }
  return result ?? point;
}

/** The quadratic twist's point for the first x that is none of the curve's, from given ones on. */
export function twistPoint(firstX: Uint8Array): AffinePoint {
  for (let x = toNumber(firstX) % FIELD; ; x += 1n) {
    const right = reduced(power(x, 3n) - 3n * x + B, FIELD);
    // −1 is no square modulo this prime, so that exactly one of the two has a root.
    if (power(right, (FIELD - 1n) / 2n) === FIELD - 1n) return { x, y: power(FIELD - right, (FIELD + 1n) / 4n) };
  }
}
