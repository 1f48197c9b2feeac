import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../limits.js';
import { LineFiles, type FoundLine, type LinePlace } from '../line_files.js';
import type { StateDirectory } from './state_directory.js';

/** Files that every region keeps of what happened, with the member that holds the time. */
const KINDS = {
  /** Calls, and what the region did by itself. */
  trail: { file: 'trail.jsonl', earlierMax: LIMITS.trailEarlierFilesMax, time: 'eventTime' },
  /** What replication refused, and how it ended. */
  security: { file: 'audit.jsonl', earlierMax: LIMITS.auditEarlierFilesMax, time: 'at' },
  /** What happened to keys by itself. */
  events: { file: 'events.jsonl', earlierMax: LIMITS.trailEarlierFilesMax, time: 'time' },
} as const;

export type RecordKind = keyof typeof KINDS;

/** One line of a region's file. */
export interface LabRecord {
  readonly region: string;
  /** Milliseconds since the epoch, by the region's clock at that time. */
  readonly atMs: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Which records are wanted. */
export interface RecordFilter {
  /** Texts of which each is in the JSON of every record that is wanted: what has them not, is not parsed. */
  readonly texts: readonly string[];
  matches(record: LabRecord): boolean;
}

/** How often files are looked at for new lines, milliseconds. */
const POLL_MS = 250;

/** Reads what the regions of a lab have recorded, from their files: the lab need not run. */
export class RecordReader {
  readonly #regions: ReadonlyMap<string, LineFiles>;
  readonly #time: string;
  readonly #filter: RecordFilter;
  readonly #needles: readonly Buffer[];
  /** Behind the last line that was read, or that was there when reading began; null for the beginning. */
  readonly #places = new Map<string, LinePlace | null>();

  constructor(
    directory: StateDirectory,
    options: { readonly regions: readonly string[]; readonly kind: RecordKind; readonly filter: RecordFilter },
  ) {
    const { file, earlierMax, time } = KINDS[options.kind];
    this.#regions = new Map(
      options.regions.map((name) => [name, new LineFiles(join(directory.region(name), file), earlierMax)]),
    );
    this.#time = time;
    this.#filter = options.filter;
    this.#needles = options.filter.texts.map((text) => Buffer.from(text, 'utf8'));
  }

  /**
   * The last records of all regions together, the oldest of them first.
   *
   * @returns the records, and whether there are earlier ones
   */
  async last(max: number): Promise<{ readonly records: readonly LabRecord[]; readonly isCut: boolean }> {
    const found: LabRecord[] = [];
    for (const [region, files] of this.#regions) {
      const end = await files.end();
      this.#places.set(region, end);
      if (end !== null) found.push(...(await this.#lastOf(region, files, { end, max: max + 1 })));
    }
    const records = found.toSorted((one, other) => one.atMs - other.atMs);
    return { records: records.slice(-max), isCut: records.length > max };
  }

  /** All records of all regions, the oldest first, in batches. */
  async *all(): AsyncGenerator<readonly LabRecord[], void, void> {
    const streams = [...this.#regions].map(([region, files]) => new RecordStream(this.#forwards(region, files, null)));
    try {
      for (const stream of streams) await stream.fill();
      for (;;) {
        const open = streams.filter(({ head }) => head !== undefined);
        const next = open.toSorted((one, other) => (one.head?.atMs ?? 0) - (other.head?.atMs ?? 0))[0];
        if (next === undefined) return;
        // As long as it is the oldest, its batch goes on.
        const otherMs = Math.min(...open.filter((stream) => stream !== next).map(({ head }) => head?.atMs ?? Infinity));
        yield next.takeUntil(otherMs);
        await next.fill();
      }
    } finally {
      for (const stream of streams) await stream.close();
    }
  }

  /** What is recorded from now on, or from where reading ended, in batches, until the signal. */
  async *follow(signal: AbortSignal): AsyncGenerator<readonly LabRecord[], void, void> {
    while (!signal.aborted) {
      const found: LabRecord[] = [];
      for (const [region, files] of this.#regions) {
        if (!this.#places.has(region)) this.#places.set(region, await files.end());
        for await (const records of this.#forwards(region, files, this.#places.get(region) ?? null)) {
          found.push(...records);
        }
      }
      if (found.length > 0) yield found.toSorted((one, other) => one.atMs - other.atMs);
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #lastOf(
    region: string,
    files: LineFiles,
    { end, max }: { readonly end: LinePlace; readonly max: number },
  ): Promise<readonly LabRecord[]> {
    const found: LabRecord[] = [];
    for await (const lines of files.backwards(end)) {
      for (const line of lines) {
        const record = this.#recordOf(region, line);
        if (record !== undefined) found.push(record);
        if (found.length === max) return found.toReversed();
      }
    }
    return found.toReversed();
  }

  async *#forwards(
    region: string,
    files: LineFiles,
    from: LinePlace | null,
  ): AsyncGenerator<readonly LabRecord[], void, void> {
    if (!this.#places.has(region)) this.#places.set(region, from);
    for await (const lines of files.forwards(from)) {
      this.#places.set(region, lines.at(-1)?.next ?? null);
      const records = lines.flatMap((line) => this.#recordOf(region, line) ?? []);
      if (records.length > 0) yield records;
    }
  }

  #recordOf(region: string, { octets }: FoundLine): LabRecord | undefined {
    if (!this.#needles.every((needle) => octets.includes(needle))) return undefined;
    const record = parseRecord(region, octets, this.#time);
    return record !== undefined && this.#filter.matches(record) ? record : undefined;
  }
}

/** How far a region's clock is moved, milliseconds. */
export function clockOffsetMs(directory: StateDirectory, region: string): number {
  const file = join(directory.region(region), 'clock.json');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) || 0 : 0;
}

/** Undefined for half a line. */
function parseRecord(region: string, octets: Buffer, time: string): LabRecord | undefined {
  try {
    const value = JSON.parse(octets.toString('utf8')) as Readonly<Record<string, unknown>>;
    const atMs = Date.parse(String(value[time]));
    return Number.isNaN(atMs) ? undefined : { region, atMs, value };
  } catch {
    return undefined;
  }
}

/** Records of one region with the next one in view. */
class RecordStream {
  readonly #batches: AsyncGenerator<readonly LabRecord[], void, void>;
  #batch: readonly LabRecord[] = [];

  constructor(batches: AsyncGenerator<readonly LabRecord[], void, void>) {
    this.#batches = batches;
  }

  /** Undefined at the end. */
  get head(): LabRecord | undefined {
    return this.#batch[0];
  }

  /** Reads on where nothing is in view. */
  async fill(): Promise<void> {
    if (this.#batch.length > 0) return;
    const { value } = await this.#batches.next();
    this.#batch = value ?? [];
  }

  /** Ends reading, also before the end. */
  async close(): Promise<void> {
    await this.#batches.return();
  }

  /** The records in view up to a time, at least one. */
  takeUntil(ms: number): readonly LabRecord[] {
    const end = this.#batch.findIndex(({ atMs }, index) => index > 0 && atMs > ms);
    const taken = end < 0 ? this.#batch : this.#batch.slice(0, end);
    this.#batch = this.#batch.slice(taken.length);
    return taken;
  }
}
