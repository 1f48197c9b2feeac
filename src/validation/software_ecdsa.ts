import { createECDH } from 'node:crypto';
import { concat } from '../bytes.js';
import { inverse, ORDER, scalarOctets, toNumber } from './software_p384.js';

const SCALAR_OCTETS = 48;

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
  const r = toNumber(nonce.getPublicKey().subarray(1, 1 + SCALAR_OCTETS)) % ORDER;
  const s = (inverse(k, ORDER) * (toNumber(digest) + r * toNumber(privateValue))) % ORDER;
  return concat(scalarOctets(r), scalarOctets(s));
}
