import { followTrace } from '../lab/trace_follow.js';
import { TraceReader, type TraceEntry } from '../lab/trace_reader.js';
import type { StateDirectory } from '../lab/state_directory.js';
import { ReplicationHistory } from './replication_history.js';

/** Keeps the history of replications up to date: as they happen while somebody watches, and at the next question otherwise. */
export class ReplicationWatch {
  readonly #history = new ReplicationHistory();
  readonly #reader: TraceReader;
  readonly #regions: readonly string[];
  /** Set while somebody watches, or is about to; kept once the history is current. */
  #following: Promise<void> | undefined;
  /** The reader knows one place in each log: whoever reads waits for whoever reads already. */
  #reading: Promise<void> = Promise.resolve();

  constructor(directory: StateDirectory, regions: readonly string[]) {
    this.#reader = new TraceReader(directory, regions);
    this.#regions = regions;
  }

  /** The history with everything that has happened; a program that does not answer is left out. */
  async current(): Promise<ReplicationHistory> {
    await (this.#following ?? this.#exclusively(() => this.#catchUp()));
    return this.#history;
  }

  /**
   * Follows what happens until the signal.
   *
   * @param tell - told ids of replications about which something is new
   */
  async follow(tell: (ids: readonly string[]) => void, signal: AbortSignal): Promise<void> {
    let isCurrent = (): void => undefined;
    const following = new Promise<void>((resolve) => (isCurrent = resolve));
    this.#following = following;
    await this.#exclusively(async () => {
      try {
        await this.#catchUp();
        isCurrent();
        const show = (entries: readonly TraceEntry[]): void => {
          const touched = this.#history.take(entries);
          if (touched.size > 0) tell([...touched]);
        };
        await followTrace(this.#reader, { regions: this.#regions, show, signal, isPatient: true });
      } finally {
        isCurrent();
        if (this.#following === following) this.#following = undefined;
      }
    });
  }

  async #catchUp(): Promise<void> {
    const drain = async (read: () => Promise<readonly TraceEntry[]>): Promise<void> => {
      for (;;) {
        const entries = await read();
        if (entries.length === 0) return;
        this.#history.take(entries);
      }
    };
    // What does not answer now tells its part when it does again.
    await Promise.allSettled([
      drain(() => this.#reader.readProxy(0)),
      ...this.#regions.map((name) => drain(() => this.#reader.readRegion(name, 0))),
    ]);
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#reading.then(work);
    this.#reading = done.catch(() => undefined);
    return done;
  }
}
