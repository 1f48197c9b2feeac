import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { LIMITS } from './limits.js';

const LINE_FEED = 0x0a;
/** So much of a file's first line tells it from every other: the lines have ids or times in them. */
const IDENTITY_BYTES = 4096;

/** A place in a row of files: the first octet of a line, or the end of the last one. */
export interface LinePlace {
  /** Digest of the file's first line: it stays when the file is set aside, copied or appended to. */
  readonly file: string;
  /** Octets from the beginning of the file. */
  readonly offset: number;
}

/** A line with its place. */
export interface FoundLine {
  /** UTF-8 without the line feed. */
  readonly octets: Buffer;
  readonly place: LinePlace;
  /** Where the line after it begins. */
  readonly next: LinePlace;
}

interface OpenedFile {
  readonly handle: FileHandle;
  readonly identity: string;
  readonly bytes: number;
}

/**
 * Reads the lines of `<path>`, `<path>.1`, `<path>.2` and so on, where the numbered files are what `<path>` was before, the
 * lowest number the newest. Somebody may append and set files aside meanwhile: no line is missed and none is seen twice. A line that
 * has no end yet is not there yet. Memory is bounded by one piece of one file.
 */
export class LineFiles {
  readonly #path: string;
  readonly #earlierMax: number;
  readonly #pieceBytes: number;

  /**
   * @param earlierMax - how many numbered files there may be
   * @param options.pieceBytes - octets that are read at once
   */
  constructor(path: string, earlierMax: number, options: { readonly pieceBytes?: number } = {}) {
    this.#path = path;
    this.#earlierMax = earlierMax;
    this.#pieceBytes = options.pieceBytes ?? LIMITS.linesPieceBytes;
  }

  /**
   * The lines before a place, the newest first, in batches; nothing where the place's file is gone.
   *
   * @param before - all lines where it is absent
   */
  async *backwards(before?: LinePlace): AsyncGenerator<readonly FoundLine[], void, void> {
    const seen = new Set<string>();
    let end = before;
    for (let number = 0; number <= this.#earlierMax; number += 1) {
      const file = await this.#open(number);
      if (file === null) continue;
      try {
        const { identity } = file;
        if (seen.has(identity) || (end !== undefined && end.file !== identity)) continue;
        seen.add(identity);
        yield* this.#fileBackwards(file, end?.offset);
        end = undefined;
      } finally {
        await file.handle.close();
      }
    }
  }

  /**
   * The lines from a place on that are there now, the oldest first, in batches.
   *
   * @param from - all lines where it is null, or where its file is gone
   */
  async *forwards(from: LinePlace | null): AsyncGenerator<readonly FoundLine[], void, void> {
    const files: OpenedFile[] = [];
    try {
      // The newest is opened first: a file that is set aside meanwhile is met twice, and none is missed.
      for (let number = 0; number <= this.#earlierMax; number += 1) {
        const file = await this.#open(number);
        if (file === null) continue;
        if (files.some(({ identity }) => identity === file.identity)) await file.handle.close();
        else files.unshift(file);
        if (file.identity === from?.file) break;
      }
      for (const file of files) yield* this.#fileForwards(file, file.identity === from?.file ? from.offset : 0);
    } finally {
      for (const { handle } of files) await handle.close();
    }
  }

  /** The end of the newest line; null where there is none. */
  async end(): Promise<LinePlace | null> {
    for await (const [newest] of this.backwards()) if (newest !== undefined) return newest.next;
    return null;
  }

  /** Whether a place is the beginning of a line, or the end of the last one, of a file that is there. */
  async has(place: LinePlace): Promise<boolean> {
    for (let number = 0; number <= this.#earlierMax; number += 1) {
      const file = await this.#open(number);
      if (file === null) continue;
      try {
        if (file.identity !== place.file) continue;
        if (place.offset === 0 || place.offset > file.bytes) return place.offset === 0;
        const [before] = await readPiece(file.handle, place.offset - 1, 1);
        return before === LINE_FEED;
      } finally {
        await file.handle.close();
      }
    }
    return false;
  }

  async *#fileBackwards(file: OpenedFile, before = file.bytes): AsyncGenerator<readonly FoundLine[], void, void> {
    let unread = Math.min(before, file.bytes);
    // What follows the octets that were read and belongs to a line whose beginning was not.
    let rest: Buffer = Buffer.alloc(0);
    let isTorn = true;
    let isTooLong = false;
    while (unread > 0) {
      const start = Math.max(0, unread - this.#pieceBytes);
      const piece = await readPiece(file.handle, start, unread - start);
      const octets = rest.length === 0 ? piece : Buffer.concat([piece, rest]);
      const found: FoundLine[] = [];
      let end = octets.length;
      for (let feed = lastFeed(octets, end); feed >= 0; feed = lastFeed(octets, end)) {
        if (!isTorn && !isTooLong && isLine(end - feed - 1)) {
          found.push(this.#found(file, start + feed + 1, octets.subarray(feed + 1, end)));
        }
        isTorn = false;
        isTooLong = false;
        end = feed;
      }
      rest = octets.subarray(0, end);
      if (rest.length > LIMITS.linesLineBytesMax) {
        isTooLong = true;
        rest = Buffer.alloc(0);
      }
      unread = start;
      if (start === 0 && !isTorn && !isTooLong && isLine(rest.length)) found.push(this.#found(file, 0, rest));
      if (found.length > 0) yield found;
    }
  }

  async *#fileForwards(file: OpenedFile, from: number): AsyncGenerator<readonly FoundLine[], void, void> {
    let rest: Buffer = Buffer.alloc(0);
    let restStart = from;
    let isTooLong = false;
    for (let read = from; ;) {
      const piece = await readPiece(file.handle, read, this.#pieceBytes);
      if (piece.length === 0) return;
      read += piece.length;
      const octets = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      const found: FoundLine[] = [];
      let start = 0;
      for (let feed = octets.indexOf(LINE_FEED); feed >= 0; feed = octets.indexOf(LINE_FEED, start)) {
        if (!isTooLong && isLine(feed - start))
          found.push(this.#found(file, restStart + start, octets.subarray(start, feed)));
        isTooLong = false;
        start = feed + 1;
      }
      restStart += start;
      rest = octets.subarray(start);
      if (rest.length > LIMITS.linesLineBytesMax) {
        isTooLong = true;
        restStart += rest.length;
        rest = Buffer.alloc(0);
      }
      if (found.length > 0) yield found;
    }
  }

  #found({ identity: file }: OpenedFile, offset: number, octets: Buffer): FoundLine {
    return { octets, place: { file, offset }, next: { file, offset: offset + octets.length + 1 } };
  }

  /** Null where there is no such file, or no whole line in it. */
  async #open(number: number): Promise<OpenedFile | null> {
    let handle: FileHandle;
    try {
      handle = await open(number === 0 ? this.#path : `${this.#path}.${number}`, 'r');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
    const { size: bytes } = await handle.stat();
    const first = await readPiece(handle, 0, Math.min(IDENTITY_BYTES, bytes));
    const feed = first.indexOf(LINE_FEED);
    if (feed < 0 && first.length < IDENTITY_BYTES) {
      await handle.close();
      return null;
    }
    const identity = createHash('sha256')
      .update(feed < 0 ? first : first.subarray(0, feed))
      .digest('base64url');
    return { handle, identity: identity.slice(0, 22), bytes };
  }
}

function isLine(length: number): boolean {
  return length > 0 && length <= LIMITS.linesLineBytesMax;
}

function lastFeed(octets: Buffer, end: number): number {
  return end === 0 ? -1 : octets.lastIndexOf(LINE_FEED, end - 1);
}

/** At most `bytes` octets, fewer at the end of the file. */
async function readPiece(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const octets = Buffer.allocUnsafe(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await handle.read(octets, length, bytes - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return octets.subarray(0, length);
}
