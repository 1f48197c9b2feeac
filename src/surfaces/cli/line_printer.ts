import { once } from 'node:events';

/** Prints many lines to standard output: waits for slow readers, and ends quietly when the reader has gone (`… | head`). */
export class LinePrinter {
  readonly #stopped = new AbortController();
  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    this.#stopped.abort();
  };
  readonly #onStop = (): void => this.#stopped.abort();

  constructor() {
    process.stdout.on('error', this.#onError);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, this.#onStop);
  }

  /** Aborted by Ctrl-C, and when nobody reads any more. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  async print(lines: readonly string[]): Promise<void> {
    if (this.signal.aborted || lines.length === 0) return;
    const taken = process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    if (!taken) await once(process.stdout, 'drain', { signal: this.signal }).catch(() => undefined);
  }

  /** Lets go of the signals; what was printed may still be on its way. */
  close(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#onStop);
  }
}
