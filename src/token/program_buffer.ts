/** Memory of one job's program: words and octets of the same buffer, grown as needed, used again by later jobs. */
export class ProgramBuffer {
  #octets: Uint8Array;
  #words: Uint32Array;
  /** Words written so far. */
  length = 0;

  constructor() {
    const memory = new ArrayBuffer(START_BYTES);
    this.#octets = new Uint8Array(memory);
    this.#words = new Uint32Array(memory);
  }

  /** A buffer that an earlier job gave back, or a new one. */
  static take(): ProgramBuffer {
    return idle.pop() ?? new ProgramBuffer();
  }

  /** What was written, as octets of this buffer: valid until the next write. */
  octets(): Uint8Array {
    return this.#octets.subarray(0, this.length * 4);
  }

  /** Copies what was written to a place in other octets. */
  copyTo(target: Uint8Array, at: number): void {
    target.set(this.#octets.subarray(0, this.length * 4), at);
  }

  word(value: number): void {
    if (this.length === this.#words.length) this.#grow(1);
    this.#words[this.length] = value;
    this.length += 1;
  }

  words2(first: number, second: number): void {
    if (this.length + 2 > this.#words.length) this.#grow(2);
    const words = this.#words;
    const at = this.length;
    words[at] = first;
    words[at + 1] = second;
    this.length = at + 2;
  }

  words3(first: number, second: number, third: number): void {
    if (this.length + 3 > this.#words.length) this.#grow(3);
    const words = this.#words;
    const at = this.length;
    words[at] = first;
    words[at + 1] = second;
    words[at + 2] = third;
    this.length = at + 3;
  }

  /** Changes a word that was written before. */
  setWord(at: number, value: number): void {
    this.#words[at] = value;
  }

  /** Leaves room for words that are set later. */
  skip(words: number): void {
    if (this.length + words > this.#words.length) this.#grow(words);
    this.#words.fill(0, this.length, this.length + words);
    this.length += words;
  }

  /** Octets behind their length, padded with zeros to a multiple of four. */
  putOctets(octets: Uint8Array): void {
    const words = (octets.length + 3) >>> 2;
    if (this.length + 1 + words > this.#words.length) this.#grow(1 + words);
    this.#words[this.length] = octets.length;
    if (words > 0) {
      this.#words[this.length + words] = 0;
      this.#octets.set(octets, (this.length + 1) * 4);
    }
    this.length += 1 + words;
  }

  /** Words that were encoded before. */
  putWords(words: Uint32Array): void {
    if (this.length + words.length > this.#words.length) this.#grow(words.length);
    this.#words.set(words, this.length);
    this.length += words.length;
  }

  /** A copy of the words from `start` on. */
  copyFrom(start: number): Uint32Array {
    return this.#words.slice(start, this.length);
  }

  /** Wipes what was written and keeps the buffer for a later job. Nothing may use it afterwards. */
  release(): void {
    this.#octets.fill(0, 0, this.length * 4);
    this.length = 0;
    if (idle.length < IDLE_MAX && this.#octets.length <= KEPT_BYTES_MAX) idle.push(this);
  }

  #grow(words: number): void {
    const needed = (this.length + words) * 4;
    if (needed > PROGRAM_BYTES_MAX) {
      throw new RangeError(`a job's program is longer than ${PROGRAM_BYTES_MAX} octets`);
    }
    let capacity = this.#octets.length * 2;
    while (capacity < needed) capacity *= 2;
    const memory = new ArrayBuffer(capacity);
    const octets = new Uint8Array(memory);
    octets.set(this.#octets.subarray(0, this.length * 4));
    this.#octets.fill(0);
    this.#octets = octets;
    this.#words = new Uint32Array(memory);
  }
}

/** A message-key job takes about 400 octets. */
const START_BYTES = 1024;
/** Larger buffers are left to the garbage collector. */
const KEPT_BYTES_MAX = 65_536;
/** As many as jobs are usually in flight. */
const IDLE_MAX = 256;
/** The addon takes no longer program. */
const PROGRAM_BYTES_MAX = 128 * 1024 * 1024;

const idle: ProgramBuffer[] = [];

/** A number that a program takes, or RangeError. */
export function within(value: number, max: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${value} ${what}: a job takes 0 to ${max}`);
  }
  return value;
}
