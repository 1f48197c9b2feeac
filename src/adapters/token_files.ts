import { readdirSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TokenFiles } from '../hsm/token_object.js';
import { LIMITS } from '../limits.js';

/** The counter by which processes tell each other that objects have changed. */
const GENERATION = 'generation';
const OBJECT = '.object';

/**
 * The files of SoftHSM2, a token that writes each object into a file of its own and never syncs one: what it has answered is in the
 * system's memory only, until somebody syncs it.
 *
 * Calls that come while a sync runs share the next one.
 */
export class SoftHsmFiles implements TokenFiles {
  readonly #tokens: string;
  /** When each file was seen first, by a monotonic clock, milliseconds; 0 for those that were there at the start. */
  readonly #firstSeenMs = new Map<string, number>();
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  /** @param tokens - `directories.tokendir` of the token */
  constructor(tokens: string) {
    this.#tokens = tokens;
    for (const entry of readdirSync(tokens, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      for (const name of readdirSync(join(tokens, entry.name))) this.#firstSeenMs.set(join(entry.name, name), 0);
    }
  }

  sync(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#running = this.#next ?? Promise.resolve();
        this.#next = null;
        return this.#syncRecent();
      });
    return this.#next;
  }

  async #syncRecent(): Promise<void> {
    const nowMs = performance.now();
    const directories = (await readdir(this.#tokens, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const present = new Set<string>();
    for (const { name: directory } of directories) {
      for (const name of await readdir(join(this.#tokens, directory))) {
        const path = join(directory, name);
        present.add(path);
        if (!name.endsWith(OBJECT) && name !== GENERATION) continue;
        const seenMs = this.#firstSeenMs.get(path) ?? nowMs;
        this.#firstSeenMs.set(path, seenMs);
        const isRecent = seenMs > 0 && nowMs - seenMs <= LIMITS.tokenFileRecentMs;
        if (isRecent || name === GENERATION) await syncFile(join(this.#tokens, path));
      }
      await syncFile(join(this.#tokens, directory));
    }
    for (const path of this.#firstSeenMs.keys()) if (!present.has(path)) this.#firstSeenMs.delete(path);
  }
}

/**
 * The files of NSS softoken: a SQLite database with a rollback journal, which is synced before it is removed. Only that it is gone is
 * written by nobody: found again after a power cut, it would undo what was answered last.
 *
 * @param database - directory of the database
 */
export function nssFiles(database: string): TokenFiles {
  return { sync: () => syncFile(database) };
}

async function syncFile(path: string): Promise<void> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    // Somebody has destroyed the object meanwhile.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
