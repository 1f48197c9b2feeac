import { createCipheriv } from 'node:crypto';
import { concat, u32be } from '../bytes.js';

/**
 * RFC 3394's wrapping with a chosen first block, which is where key wrap and key wrap with padding keep what they check:
 * also for blobs that a correct wrapping never makes.
 *
 * @param kek - 16, 24 or 32 octets
 * @param initial - 8 octets
 * @param padded - a multiple of 8 octets; 8 octets give one AES block (RFC 5649 section 4.1)
 */
export function wrapWith(kek: Uint8Array, initial: Uint8Array, padded: Uint8Array): Uint8Array {
  const bits = kek.length * 8;
  if (padded.length === 8) {
    const cipher = createCipheriv(`aes-${bits}-ecb`, kek, null).setAutoPadding(false);
    return concat(cipher.update(concat(initial, padded)), cipher.final());
  }
  const cipher = createCipheriv(`id-aes${bits}-wrap`, kek, initial);
  return concat(cipher.update(padded), cipher.final());
}

/** The first block of RFC 5649 for a message length. */
export function paddedInitial(messageLength: number): Uint8Array {
  return concat(Buffer.from('a65959a6', 'hex'), u32be(messageLength));
}

/** RFC 5649. */
export function wrapPadded(kek: Uint8Array, key: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(key.length / 8) * 8);
  padded.set(key);
  return wrapWith(kek, paddedInitial(key.length), padded);
}

/** RFC 3394; `key` is a multiple of 8 octets, 16 at least. */
export function wrapPlain(kek: Uint8Array, key: Uint8Array): Uint8Array {
  return wrapWith(kek, new Uint8Array(8).fill(0xa6), key);
}

/** Padding of as many octets as each of its octets says. @source RFC 5652 section 6.3 */
export function padPkcs7(octets: Uint8Array, blockOctets: number): Uint8Array {
  const count = blockOctets - (octets.length % blockOctets);
  return concat(octets, new Uint8Array(count).fill(count));
}
