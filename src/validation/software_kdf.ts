import { createCipheriv, createHmac, hash } from 'node:crypto';
import { concat, u32be } from '../bytes.js';

/** Hash functions of the derivations, by the names that Node has for them. */
export type HashName = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';

/** Octets of a hash. */
export const hashOctets: Readonly<Record<HashName, number>> = {
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
};

function digest(name: HashName, ...parts: readonly Uint8Array[]): Uint8Array {
  return hash(name, concat(...parts), 'buffer');
}

/** Blocks that a function gives for the counters 1, 2, …, cut to a length. */
function blocks(octets: number, block: (counter: Uint8Array) => Uint8Array): Uint8Array {
  const made: Uint8Array[] = [];
  for (let counter = 1, length = 0; length < octets; counter += 1) {
    const next = block(u32be(counter));
    made.push(next);
    length += next.length;
  }
  return concat(...made).subarray(0, octets);
}

/** The key derivation function of ANSI X9.63: hash(Z || counter || shared information). @source SEC 1 section 3.6.1 */
export function x963(name: HashName, z: Uint8Array, sharedInfo: Uint8Array, octets: number): Uint8Array {
  return blocks(octets, (counter) => digest(name, z, counter, sharedInfo));
}

/** One-step key derivation with a hash: hash(counter || Z || FixedInfo). @source NIST SP 800-56C r2 section 4.1, option 1 */
export function oneStep(name: HashName, z: Uint8Array, fixedInfo: Uint8Array, octets: number): Uint8Array {
  return blocks(octets, (counter) => digest(name, counter, z, fixedInfo));
}

/** Counter mode with HMAC and a 32-bit counter before the fixed input. @source NIST SP 800-108 r1 section 4.1 */
export function counterMode(name: HashName, key: Uint8Array, fixedInput: Uint8Array, octets: number): Uint8Array {
  return blocks(octets, (counter) => createHmac(name, key).update(counter).update(fixedInput).digest());
}

/** Counter mode with AES-CMAC. @source NIST SP 800-108 r1 section 4.1 */
export function counterModeCmac(key: Uint8Array, fixedInput: Uint8Array, octets: number): Uint8Array {
  return blocks(octets, (counter) => aesCmac(key, concat(counter, fixedInput)));
}

const BLOCK_OCTETS = 16;

function doubled(block: Uint8Array): Uint8Array {
  const shifted = block.map((octet, at) => ((octet << 1) | ((block[at + 1] ?? 0) >>> 7)) & 0xff);
  if ((block[0] ?? 0) >= 0x80) shifted[BLOCK_OCTETS - 1] = (shifted[BLOCK_OCTETS - 1] ?? 0) ^ 0x87;
  return shifted;
}

/** AES-CMAC. @source RFC 4493 section 2.4 */
export function aesCmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const bits = key.length * 8;
  const first = createCipheriv(`aes-${bits}-ecb`, key, null).setAutoPadding(false);
  const single = doubled(first.update(new Uint8Array(BLOCK_OCTETS)));
  const isWhole = message.length > 0 && message.length % BLOCK_OCTETS === 0;
  const padded = isWhole
    ? Uint8Array.from(message)
    : concat(message, Uint8Array.of(0x80), new Uint8Array(BLOCK_OCTETS - 1 - (message.length % BLOCK_OCTETS)));
  const mask = isWhole ? single : doubled(single);
  const last = padded.length - BLOCK_OCTETS;
  for (const [at, octet] of mask.entries()) padded[last + at] = (padded[last + at] ?? 0) ^ octet;
  const chained = createCipheriv(`aes-${bits}-cbc`, key, new Uint8Array(BLOCK_OCTETS)).setAutoPadding(false);
  return Uint8Array.from(chained.update(padded).subarray(last));
}
