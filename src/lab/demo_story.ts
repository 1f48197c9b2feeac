import { problemOf, type Beat, type DemoFact } from './demo_script.js';
import { LabError } from './errors.js';
import type { TraceEntry } from './trace_reader.js';

/** Told while it happens: the title of a part, then its facts. */
export interface StoryTeller {
  title(text: string): void;
  fact(fact: DemoFact): void;
}

/**
 * Tells a script from events as they arrive. What happens in three programs arrives in any order between them, so each event waits until
 * everything that the protocol puts before it has been told.
 */
export class DemoStory {
  readonly entries: TraceEntry[] = [];
  readonly #beats: readonly Beat[];
  readonly #teller: StoryTeller;
  /** What came and is not told yet, in the order of arrival. */
  #waiting: TraceEntry[] = [];
  #told = 0;
  readonly #over: Promise<void>;
  #end: () => void = () => undefined;

  constructor(beats: readonly Beat[], teller: StoryTeller) {
    this.#beats = beats;
    this.#teller = teller;
    this.#over = new Promise((resolve) => (this.#end = resolve));
  }

  /** Resolves when the last beat has been told. */
  get over(): Promise<void> {
    return this.#over;
  }

  /** What has not happened yet; undefined when everything has. */
  get missing(): string | undefined {
    return this.#beats[this.#told]?.what;
  }

  /**
   * Takes what happened, and tells all that can be told now.
   *
   * @throws {@link LabError} `ERR_LAB_STEP` for the first thing that went wrong
   */
  take(entries: readonly TraceEntry[]): void {
    for (const entry of entries) {
      const problem = problemOf(entry);
      if (problem !== undefined) throw new LabError('ERR_LAB_STEP', problem);
      this.entries.push(entry);
      this.#waiting.push(entry);
    }
    for (;;) {
      const beat = this.#beats[this.#told];
      if (beat === undefined) return this.#end();
      const found = this.#find(beat);
      if (found === undefined) return;
      if (beat.title !== undefined) this.#teller.title(beat.title);
      if (found !== null) this.#teller.fact(found);
      this.#told += 1;
    }
  }

  /** The first waiting entry that is the beat; it waits no longer. */
  #find(beat: Beat): DemoFact | null | undefined {
    for (const [place, entry] of this.#waiting.entries()) {
      const fact = beat.tell(entry);
      if (fact === undefined) continue;
      this.#waiting = this.#waiting.toSpliced(place, 1);
      return fact;
    }
    return undefined;
  }
}
