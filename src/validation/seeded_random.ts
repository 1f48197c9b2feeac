import { createCipheriv, createHash } from 'node:crypto';

const BLOCK_BYTES = 4096;

/** Octets that the same seed gives again, so that a finding on random input can be repeated. Not for secrets. */
export class SeededRandom {
  readonly #cipher: ReturnType<typeof createCipheriv>;
  #pool: Buffer = Buffer.alloc(0);

  /** @param seed - any text; the AES-256-CTR key stream under its SHA-256 follows */
  constructor(seed: string) {
    this.#cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  }

  /** The next octets. */
  octets(count: number): Uint8Array {
    while (this.#pool.length < count) {
      this.#pool = Buffer.concat([this.#pool, this.#cipher.update(Buffer.alloc(BLOCK_BYTES))]);
    }
    const taken = Uint8Array.from(this.#pool.subarray(0, count));
    this.#pool = this.#pool.subarray(count);
    return taken;
  }

  /** A number from 0 up to, and not, `bound`; `bound` at most 65,536. */
  below(bound: number): number {
    const [high = 0, low = 0, lowest = 0] = this.octets(3);
    return (high * 65_536 + low * 256 + lowest) % bound;
  }
}
