import { createECDH } from 'node:crypto';
import { concat } from '../bytes.js';

/** Order of P-384, 48 octets. @source NIST SP 800-186 section 3.2.1.4 */
export const P384_ORDER: Uint8Array = Buffer.from(
  'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'hex',
);
const SCALAR_OCTETS = 48;
const N = toNumber(P384_ORDER);

function toNumber(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

/** A number below 2^384 in 48 octets, big-endian. */
export function scalarOctets(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * SCALAR_OCTETS, '0'), 'hex'));
}

function inverse(value: bigint): bigint {
  let [a, b, x, y] = [((value % N) + N) % N, N, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return ((x % N) + N) % N;
}

/**
 * ECDSA on P-384 over any 48 octets, also those that no hash function is known to give, and with any number in place of the random one.
 * For test keys only: it is not constant in time.
 *
 * @param privateValue - 48 octets, below the order
 * @param digest - 48 octets
 * @param k - from 1 to the order less 1; it makes the signature's r
 * @returns r and s, 48 octets each
 * @source FIPS 186-5 section 6.4.1
 */
export function signDigest(privateValue: Uint8Array, digest: Uint8Array, k: bigint): Uint8Array {
  const nonce = createECDH('secp384r1');
  nonce.setPrivateKey(scalarOctets(k));
  const r = toNumber(nonce.getPublicKey().subarray(1, 1 + SCALAR_OCTETS)) % N;
  const s = (inverse(k) * (toNumber(digest) + r * toNumber(privateValue))) % N;
  return concat(scalarOctets(r), scalarOctets(s));
}
