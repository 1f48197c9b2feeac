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
