import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ClockReading, LabTime } from '../clock.js';
import { ConfigError } from '../errors.js';
import { SystemClock } from './clock_system.js';

const PRIVATE_FILE = 0o600;
/** Texts of times have four digits for the year. */
const TIME_MS_MAX = Date.UTC(9999, 11, 31);

/**
 * The time of a region whose lab may move it. The offset is kept in a file, so that a restart goes on with it; outside a lab there is
 * none, whatever the file says.
 */
export class LabClock implements LabTime {
  readonly clock: SystemClock;
  readonly #file: string;
  readonly #isLab: boolean;
  readonly #moved: (() => Promise<void>)[] = [];

  /** @param file - where the offset is kept, in whole milliseconds */
  constructor(file: string, options: { readonly isLab: boolean }) {
    this.#file = file;
    this.#isLab = options.isLab;
    this.clock = new SystemClock(options.isLab ? storedOffsetMs(file) : 0);
  }

  /** Calls `listener` after each move; a move is over when what it does is done. */
  onMoved(listener: () => Promise<void>): void {
    this.#moved.push(listener);
  }

  read(): ClockReading {
    return { now: new Date(this.clock.nowMs()).toISOString(), offsetMs: this.clock.offsetMs };
  }

  async advance(byMs: number): Promise<ClockReading> {
    this.#requireLab();
    if (this.clock.nowMs() + byMs > TIME_MS_MAX) {
      throw new ConfigError('ERR_CONFIG_STATE', 'the clock cannot be moved beyond the year 9999');
    }
    // What a crash loses of a move is the move, never what was done because of it.
    this.#keep(this.clock.offsetMs + byMs);
    this.clock.advance(byMs);
    return this.#settle();
  }

  async reset(): Promise<ClockReading> {
    this.#requireLab();
    this.#keep(0);
    this.clock.reset();
    return this.#settle();
  }

  #requireLab(): void {
    if (!this.#isLab) throw new ConfigError('ERR_CONFIG_STATE', 'the clock can be moved in a lab only');
  }

  #keep(offsetMs: number): void {
    writeFileSync(`${this.#file}.new`, String(offsetMs), { mode: PRIVATE_FILE });
    renameSync(`${this.#file}.new`, this.#file);
  }

  async #settle(): Promise<ClockReading> {
    for (const listener of this.#moved) await listener();
    return this.read();
  }
}

function storedOffsetMs(file: string): number {
  if (!existsSync(file)) return 0;
  const text = readFileSync(file, 'utf8');
  if (!/^\d{1,15}$/.test(text)) {
    throw new ConfigError('ERR_CONFIG_FILE', `${file} holds no clock offset`, { details: { file } });
  }
  return Number(text);
}
