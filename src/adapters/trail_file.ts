import { constants, write } from 'node:fs';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TrailSink } from '../audit/audit_trail.js';
import { LIMITS } from '../limits.js';

const PRIVATE_FILE = 0o600;
/** A write has reached the disk when it returns: one visit to a thread of the pool, where writing and syncing would be two. */
const DURABLE_APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_DSYNC;
const LINE_FEED = 0x0a;
const END_OF_LINE = Uint8Array.of(LINE_FEED);
/**
 * Turns of the event loop in which lines wait for company, once two of them wait: a durable write costs as much processor time as half a
 * request, and an empty turn next to nothing.
 */
const SHARING_TURNS = 8;
/** Where a file is full, octets. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** Lines that wait for the disk together. */
interface Batch {
  lines: string;
  count: number;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * An append-only file of JSON lines. A line is on the disk when its promise has resolved; lines that come within a few turns of
 * the event loop, or while the disk is busy, share a write. A full file becomes `<file>.1`, and so on; the oldest one goes.
 *
 * A line that a crash or a full disk has cut is ended where the next one begins, so that it spoils no other.
 */
export class TrailFile implements TrailSink {
  readonly #path: string;
  readonly #fileBytesMax: number;
  #file: FileHandle;
  #bytes: number;
  #isTorn: boolean;
  #waiting: Batch | null = null;
  #writing: Promise<void> | null = null;

  private constructor(path: string, opened: OpenedFile, fileBytesMax: number) {
    this.#path = path;
    this.#fileBytesMax = fileBytesMax;
    this.#file = opened.file;
    this.#bytes = opened.bytes;
    this.#isTorn = opened.isTorn;
  }

  /** @param options.fileBytesMax - where a file is full, octets */
  static async open(path: string, options: { readonly fileBytesMax?: number } = {}): Promise<TrailFile> {
    return new TrailFile(path, await openForAppending(path), options.fileBytesMax ?? FILE_BYTES_MAX);
  }

  /** @param line - without its line feed */
  append(line: string): Promise<void> {
    const batch = (this.#waiting ??= newBatch());
    batch.lines += line;
    batch.lines += '\n';
    batch.count += 1;
    this.#writing ??= this.#writeAll();
    return batch.written;
  }

  /** Waits for the lines that were taken, then closes. */
  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#file.close();
  }

  async #writeAll(): Promise<void> {
    for (let batch = this.#waiting; batch !== null; batch = this.#waiting) {
      await companyOf(batch);
      this.#waiting = null;
      try {
        await this.#write(batch.lines);
        batch.resolve();
      } catch (error) {
        batch.reject(error);
      }
    }
    this.#writing = null;
  }

  async #write(lines: string): Promise<void> {
    const ofLines = Buffer.from(lines, 'utf8');
    if (this.#bytes > 0 && this.#bytes + ofLines.length > this.#fileBytesMax) await this.#setAside();
    const octets = this.#isTorn ? Buffer.concat([END_OF_LINE, ofLines]) : ofLines;
    this.#isTorn = true;
    await appendAll(this.#file, octets);
    this.#isTorn = false;
    this.#bytes += octets.length;
  }

  async #setAside(): Promise<void> {
    for (let number = LIMITS.trailEarlierFilesMax - 1; number >= 1; number -= 1) {
      await renameIfThere(`${this.#path}.${number}`, `${this.#path}.${number + 1}`);
    }
    await rename(this.#path, `${this.#path}.1`);
    const opened = await openForAppending(this.#path);
    await this.#file.close();
    this.#file = opened.file;
    this.#bytes = opened.bytes;
    this.#isTorn = opened.isTorn;
  }
}

/** Waits for lines that come in a moment: requests that came together are answered together. */
async function companyOf(batch: Batch): Promise<void> {
  for (let turn = 0; turn === 0 || (batch.count > 1 && turn < SHARING_TURNS); turn += 1) await nextTurn();
}

function newBatch(): Batch {
  let resolve: Batch['resolve'] = () => undefined;
  let reject: Batch['reject'] = () => undefined;
  const written = new Promise<void>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { lines: '', count: 0, written, resolve, reject };
}

function appendAll({ fd }: FileHandle, octets: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const appendFrom = (offset: number): void => {
      write(fd, octets, offset, octets.length - offset, null, (error, written) => {
        if (error !== null) reject(error);
        else if (offset + written < octets.length) appendFrom(offset + written);
        else resolve();
      });
    };
    appendFrom(0);
  });
}

interface OpenedFile {
  readonly file: FileHandle;
  readonly bytes: number;
  /** Whether its last line has no end. */
  readonly isTorn: boolean;
}

async function openForAppending(path: string): Promise<OpenedFile> {
  const file = await open(path, DURABLE_APPEND, PRIVATE_FILE);
  const { size } = await file.stat();
  const last = Buffer.alloc(1);
  if (size > 0) await file.read(last, 0, 1, size - 1);
  // The file's name has to last as well as its lines.
  const directory = await open(dirname(path), 'r');
  await directory.sync();
  await directory.close();
  return { file, bytes: size, isTorn: size > 0 && last[0] !== LINE_FEED };
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
