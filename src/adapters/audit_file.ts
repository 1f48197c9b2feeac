import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

const PRIVATE_FILE = 0o600;
/** One file and the one before it are kept. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** An append-only file of JSON lines, bounded: when it is full it becomes `<file>.1` and a new one begins. */
export class AuditFile {
  readonly #path: string;
  #descriptor: number;
  #bytes: number;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, 'a', PRIVATE_FILE);
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  /** Appends one line; in the file system when this returns. */
  append(event: object): void {
    const line = Buffer.from(`${JSON.stringify(event)}\n`, 'utf8');
    if (this.#bytes + line.length > FILE_BYTES_MAX) this.#rotate();
    writeSync(this.#descriptor, line);
    this.#bytes += line.length;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    renameSync(this.#path, `${this.#path}.1`);
    this.#descriptor = openSync(this.#path, 'a', PRIVATE_FILE);
    this.#bytes = 0;
  }
}
