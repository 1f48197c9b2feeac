import type { KeyEvent, KeyEventLine, KeyEventPlace, KeyEventSink, KeyEventSource } from '../audit/key_event.js';
import { LIMITS } from '../limits.js';
import { LineFiles, type FoundLine, type LinePlace } from '../line_files.js';
import { TrailFile } from './trail_file.js';

/** A region's key events in a file of JSON lines, for everybody who subscribes to them. */
export class KeyEventFile implements KeyEventSink, KeyEventSource {
  readonly #file: TrailFile;
  readonly #lines: LineFiles;
  readonly #waiting = new Set<() => void>();
  #appended = 0;

  private constructor(file: TrailFile, lines: LineFiles) {
    this.#file = file;
    this.#lines = lines;
  }

  static async open(path: string): Promise<KeyEventFile> {
    return new KeyEventFile(await TrailFile.open(path), new LineFiles(path, LIMITS.trailEarlierFilesMax));
  }

  /** {@inheritDoc KeyEventSink.append} */
  async append(event: KeyEvent): Promise<void> {
    await this.#file.append(JSON.stringify(event));
    this.#appended += 1;
    for (const resume of [...this.#waiting]) resume();
  }

  /** {@inheritDoc KeyEventSource.follow} */
  async *follow(from: KeyEventPlace, signal: AbortSignal): AsyncGenerator<readonly KeyEventLine[], void, void> {
    const place = await this.#placeOf(from);
    for await (const lines of this.followLines(place, signal)) yield lines.flatMap(({ line }) => line ?? []);
  }

  /** Events from a place on, each with the place behind it; those that a crash has cut have no line. */
  async *followLines(
    from: LinePlace | null,
    signal: AbortSignal,
  ): AsyncGenerator<readonly { readonly line: KeyEventLine | undefined; readonly next: LinePlace }[], void, void> {
    let place = from;
    while (!signal.aborted) {
      const appended = this.#appended;
      for await (const found of this.#lines.forwards(place)) {
        place = found.at(-1)?.next ?? place;
        yield found.map((line) => ({ line: lineOf(line), next: line.next }));
        if (signal.aborted) return;
      }
      if (appended === this.#appended) await this.#nextAppended(signal);
    }
  }

  /** The place behind the newest event; null where there is none. */
  end(): Promise<LinePlace | null> {
    return this.#lines.end();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #placeOf(from: KeyEventPlace): Promise<LinePlace | null> {
    if (from === 'start') return null;
    if (from === 'end') return this.#lines.end();
    for await (const lines of this.#lines.backwards()) {
      const found = lines.find((line) => lineOf(line)?.id === from.afterId);
      if (found !== undefined) return found.next;
    }
    return null;
  }

  #nextAppended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const resume = (): void => {
        this.#waiting.delete(resume);
        signal.removeEventListener('abort', resume);
        resolve();
      };
      this.#waiting.add(resume);
      signal.addEventListener('abort', resume);
      if (signal.aborted) resume();
    });
  }
}

function lineOf({ octets }: FoundLine): KeyEventLine | undefined {
  const text = octets.toString('utf8');
  try {
    const { id } = JSON.parse(text) as Partial<KeyEvent>;
    return typeof id === 'string' ? { id, text } : undefined;
  } catch {
    return undefined;
  }
}
