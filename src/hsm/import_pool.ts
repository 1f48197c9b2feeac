import { IMPORT_KEY_SPECS, type ImportKeySpec, type StoredImportKey } from './import_key.js';

/** Pairs of a size that are kept ready before anybody has asked for that size. */
const READY_AT_FIRST = 1;
/**
 * Pairs of a size that are kept ready from then on. A burst of that many downloads waits for none; each is 2 kB of wrapped octets in
 * memory, and lost without harm when the process ends.
 */
const READY_MAX = 4;
/** Time from {@link ImportKeyPool.warm} to the first pair, milliseconds: whoever starts a region or makes a key wants the answer first. */
const START_DELAY_MS = 300;
/** Time until pairs are made ahead again after making one failed, milliseconds. */
const PAUSE_MS = 5_000;

/**
 * RSA pairs that were made ahead: making one takes the token up to two seconds, everything else of a download a few milliseconds.
 *
 * One pair is made at a time, so that the token's other work goes on. A pair that was taken is never given out again.
 */
export class ImportKeyPool {
  readonly #generate: (keySpec: ImportKeySpec) => Promise<StoredImportKey>;
  readonly #ready = new Map<ImportKeySpec, StoredImportKey[]>(IMPORT_KEY_SPECS.map((keySpec) => [keySpec, []]));
  readonly #asked = new Set<ImportKeySpec>();
  #isWarm = false;
  #filling: Promise<void> | undefined;
  #later: NodeJS.Timeout | undefined;
  /** After a failure nobody's asking makes pairs ahead for a while. */
  #isPausing = false;

  /** @param generate - makes one pair in the token */
  constructor(generate: (keySpec: ImportKeySpec) => Promise<StoredImportKey>) {
    this.#generate = generate;
  }

  /** Pairs that are ready now. */
  readyCount(keySpec: ImportKeySpec): number {
    return this.#ready.get(keySpec)?.length ?? 0;
  }

  /** A pair that was made ahead, the oldest first, or one that is made now. */
  async take(keySpec: ImportKeySpec): Promise<StoredImportKey> {
    const ready = this.#ready.get(keySpec)?.shift();
    this.#asked.add(keySpec);
    this.#fill();
    return ready ?? (await this.#generate(keySpec));
  }

  /** Begins to make pairs ahead, a moment later or when somebody asks for one. Does nothing a second time. */
  warm(): void {
    if (this.#isWarm) return;
    this.#isWarm = true;
    this.#fillAfter(START_DELAY_MS);
  }

  /** Ends that, and waits for the pair that is being made. */
  async close(): Promise<void> {
    this.#isWarm = false;
    clearTimeout(this.#later);
    await this.#filling;
  }

  #fill(): void {
    if (!this.#isWarm || this.#filling !== undefined || this.#isPausing) return;
    this.#filling = this.#fillUp().finally(() => (this.#filling = undefined));
  }

  async #fillUp(): Promise<void> {
    for (let next = this.#emptiest(); this.#isWarm && next !== undefined; next = this.#emptiest()) {
      try {
        this.#ready.get(next)?.push(await this.#generate(next));
      } catch {
        // Whoever asks for a pair is told why none can be made; here it is only tried again later.
        this.#isPausing = true;
        this.#fillAfter(PAUSE_MS);
        return;
      }
    }
  }

  /** The size of which the fewest are ready, the smallest modulus first; undefined where all are there. */
  #emptiest(): ImportKeySpec | undefined {
    const [next] = IMPORT_KEY_SPECS.filter((keySpec) => this.readyCount(keySpec) < this.#wanted(keySpec)).toSorted(
      (a, b) => this.readyCount(a) - this.readyCount(b),
    );
    return next;
  }

  #wanted(keySpec: ImportKeySpec): number {
    return this.#asked.has(keySpec) ? READY_MAX : READY_AT_FIRST;
  }

  #fillAfter(delayMs: number): void {
    if (!this.#isWarm) return;
    clearTimeout(this.#later);
    this.#later = setTimeout(() => {
      this.#isPausing = false;
      this.#fill();
    }, delayMs);
    this.#later.unref();
  }
}
