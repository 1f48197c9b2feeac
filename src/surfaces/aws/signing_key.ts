import { createHmac, hash } from 'node:crypto';

const BLOCK_OCTETS = 64;
const HASH_OCTETS = 32;
/** More than any string to sign has: algorithm, time, scope and hash. */
const TEXT_OCTETS_MAX = 1024;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/**
 * A signing key, ready for HMAC-SHA-256: both pads in place, so that a signature is two hashes. `createHmac` makes a stream and a
 * native object for each, which costs half as much again.
 *
 * @source RFC 2104 section 2
 */
export class SigningKey {
  readonly #key: Uint8Array;
  readonly #inner = Buffer.alloc(BLOCK_OCTETS + TEXT_OCTETS_MAX, INNER_PAD);
  readonly #outer = Buffer.alloc(BLOCK_OCTETS + HASH_OCTETS, OUTER_PAD);

  /** @param key - 32 octets */
  constructor(key: Uint8Array) {
    if (key.length !== HASH_OCTETS) throw new RangeError(`a signing key has ${HASH_OCTETS} octets`);
    this.#key = key;
    key.forEach((octet, index) => {
      this.#inner[index] = octet ^ INNER_PAD;
      this.#outer[index] = octet ^ OUTER_PAD;
    });
  }

  /**
   * HMAC-SHA-256 in hexadecimal.
   *
   * @param text - characters up to U+00FF, each of them one octet
   */
  sign(text: string): string {
    if (text.length > TEXT_OCTETS_MAX) return createHmac('sha256', this.#key).update(text, 'latin1').digest('hex');
    const octets = this.#inner.write(text, BLOCK_OCTETS, 'latin1');
    this.#outer.write(hash('sha256', this.#inner.subarray(0, BLOCK_OCTETS + octets), 'hex'), BLOCK_OCTETS, 'hex');
    return hash('sha256', this.#outer, 'hex');
  }
}
