import { TokenError } from './errors.js';
import type { Job, JobResult } from './job.js';
import { JobCounts, type AllJobStats } from './job_counts.js';
import { FlatResult, failureOf, readHeader, ResultBatch } from './job_result.js';
import { callNames, type NativeExecutorBinding, type NativeModule } from './native.js';
import { CKR, errorCodeFor, severityOf } from './return_value.js';

/** Why sessions have to be opened anew. */
export interface ExecutorLoss {
  /** The return value that told it. */
  readonly rv: number;
  /** The epoch that ended. */
  readonly epoch: number;
  /** 1 for the first attempt to recover from this loss. */
  readonly attempt: number;
}

/** How to open an executor. */
export interface ExecutorOptions {
  /** Loaded, initialised and logged in by whoever opens the executor. */
  readonly module: NativeModule;
  readonly slotId: number | bigint;
  /** Native threads, each with a read-write session; 2 when absent. */
  readonly threads?: number;
  /** Threads that may run short (symmetric) jobs at once; 1 when absent: SoftHSM2 and NSS lose with more. */
  readonly shortThreadsMax?: number;
  /** Jobs that may wait or run; more are refused with `ERR_TOKEN_BUSY`. 8192 when absent. */
  readonly jobsMax?: number;
  /** Makes the module usable again: log in, or initialise anew. Sessions are opened afterwards. */
  readonly recover?: (loss: ExecutorLoss) => Promise<void>;
  /** Attempts to recover before waiting jobs are given up; 5 when absent. */
  readonly recoverAttemptsMax?: number;
  /** Pause before the second attempt, milliseconds, doubled before each further one; 100 when absent. */
  readonly recoverBackoffMs?: number;
}

export interface ExecutorStats extends AllJobStats {
  readonly epoch: number;
  /** Jobs that wait or run. */
  readonly pending: number;
  /** Sessions that are open. */
  readonly sessions: number;
}

interface Pending {
  readonly job: Job;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What the native executor hands over at once. */
interface Drained {
  readonly results: ArrayBuffer;
  readonly count: number;
  readonly state: number;
  readonly lossRv: number;
  /** In which the jobs ran. */
  readonly epoch: number;
}

const FLUSH_BYTES = 262_144;
const FLUSH_JOBS = 256;
const JOBS_MAX = 8192;
/** After giving up, the next job tries to recover again only when so long has passed. */
const DOWN_MS = 1000;
/** How long the other jobs that run may take to end before sessions are opened anew beside them. */
const ENDING_MS = 50;
/** What the native executor says of itself: sessions are lost, and whether some thread still runs a job. */
const LOST = 1;
const LOST_AND_IDLE = 2;
const NOT_BY_ITSELF: ReadonlySet<string> = new Set([
  'ERR_TOKEN_PIN_REFUSED',
  'ERR_TOKEN_PIN_LOCKED',
  'ERR_TOKEN_PIN_NOT_SET',
  'ERR_TOKEN_CLOSED',
]);

/**
 * Runs jobs on native threads, each of which owns one session of a token.
 *
 * When sessions are lost, jobs that used them are rejected (`retryable`), the module is made usable again by `recover`,
 * sessions are opened in a new epoch and waiting jobs go on; those with handles of the old epoch fail with
 * `ERR_TOKEN_STALE_HANDLE` and never reach the token. A job that runs for long is not waited for: it ends in the session that it
 * has, or fails where that is gone too, and its thread gets a session of the new epoch then.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #native: NativeExecutorBinding;
  readonly #pending: (Pending | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #jobsMax: number;
  readonly #sessions: number;
  readonly #listeners = new Set<(epoch: number) => void>();
  readonly #counts = new JobCounts();
  #pendingCount = 0;
  #epoch: number;
  #batch = new Uint8Array(65_536);
  #batchView = new DataView(this.#batch.buffer);
  #batchLength = 0;
  #batchIds: number[] = [];
  #flushScheduled = false;
  readonly #flushAtTurnsEnd = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };
  #recovering: Promise<void> | null = null;
  /** Set while sessions are lost and some job still runs. */
  #ending: NodeJS.Timeout | null = null;
  /** Whether, with sessions lost, no thread runs a job. */
  #isIdle = false;
  #onLostAndIdle: (() => void) | null = null;
  #down: { readonly error: TokenError; readonly untilMs: number } | null = null;
  #closed: Promise<'closed' | 'left'> | null = null;
  #onIdle: (() => void) | null = null;

  private constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#jobsMax = options.jobsMax ?? JOBS_MAX;
    this.#sessions = options.threads ?? 2;
    const made = options.module.createExecutor(
      options.slotId,
      { threads: this.#sessions, shortThreadsMax: options.shortThreadsMax ?? 1, jobsMax: this.#jobsMax },
      (results, count, state, lossRv, epoch) => this.#onDrain({ results, count, state, lossRv, epoch }),
    );
    if (made.executor === null) throw new TokenError(errorCodeFor(made.rv), { call: made.call, rv: made.rv });
    this.#native = made.executor;
    this.#epoch = this.#native.epoch();
  }

  /**
   * Opens the sessions and starts the threads.
   *
   * @throws {@link TokenError} where a session cannot be opened
   */
  static async open(options: ExecutorOptions): Promise<Executor> {
    return new Executor(options);
  }

  /** Epoch of the sessions: handles of another one are dead. No two executors of a process share one. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Calls back whenever sessions were opened anew; returns how to stop that. */
  onEpoch(listener: (epoch: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Runs a job. A job that failed may be run again; one that succeeded has been wiped.
   *
   * @throws {@link TokenError} naming call, return value, mechanism, job and strategy
   */
  run(job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(job);
      if (refusal !== null) {
        reject(refusal);
        return;
      }
      const program = job.encoder.program();
      const id = this.#freeIds.pop() ?? this.#pending.length;
      this.#pending[id] = { job, resolve, reject };
      this.#pendingCount += 1;
      const bytes = program.length * 4;
      this.#makeRoom(4 + bytes);
      this.#batchView.setUint32(this.#batchLength, id, true);
      program.copyTo(this.#batch, this.#batchLength + 4);
      this.#batchLength += 4 + bytes;
      this.#batchIds.push(id);
      if (this.#batchLength > FLUSH_BYTES || this.#batchIds.length >= FLUSH_JOBS) {
        this.#flush();
      } else if (!this.#flushScheduled) {
        this.#flushScheduled = true;
        // Each submission wakes a thread: what all connections ask for in one turn of the event loop goes as one.
        setImmediate(this.#flushAtTurnsEnd);
      }
    });
  }

  /** What jobs have cost since the executor was opened. */
  stats(): ExecutorStats {
    return {
      ...this.#counts.stats(),
      epoch: this.#epoch,
      pending: this.#pendingCount,
      sessions: this.#closed === null && this.#down === null && this.#recovering === null ? this.#sessions : 0,
    };
  }

  /**
   * Lets the jobs that were given before finish, then ends the threads and closes the sessions.
   *
   * @param options - `patienceMs`: jobs that take longer are left, which only a process may do that ends now; a call of a module
   * cannot be interrupted
   * @returns whether jobs were `left`: then the module must not be finalised
   */
  close(options: { readonly patienceMs?: number } = {}): Promise<'closed' | 'left'> {
    this.#closed ??= this.#close(options.patienceMs);
    return this.#closed;
  }

  async #close(patienceMs: number | undefined): Promise<'closed' | 'left'> {
    if (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        const timer = patienceMs === undefined ? undefined : setTimeout(resolve, patienceMs);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#stopWaiting();
    if (this.#pendingCount > 0) {
      this.#native.leave();
      return 'left';
    }
    await this.#recovering;
    this.#native.close();
    return 'closed';
  }

  #refusal(job: Job): TokenError | null {
    if (this.#closed !== null) return jobError('ERR_TOKEN_CLOSED', CKR.CKR_OK, job, false);
    if (this.#pendingCount >= this.#jobsMax) return jobError('ERR_TOKEN_BUSY', CKR.CKR_OK, job, true);
    if (this.#down === null) return null;
    if (Date.now() < this.#down.untilMs) {
      return jobError('ERR_TOKEN_MODULE_LOST', this.#down.error.rv, job, true, this.#down.error);
    }
    this.#startRecovery(this.#down.error.rv);
    return null;
  }

  #makeRoom(bytes: number): void {
    if (this.#batchLength + bytes <= this.#batch.length) return;
    const larger = new Uint8Array(Math.max(this.#batch.length * 2, this.#batchLength + bytes));
    larger.set(this.#batch.subarray(0, this.#batchLength));
    this.#batch.fill(0, 0, this.#batchLength);
    this.#batch = larger;
    this.#batchView = new DataView(larger.buffer);
  }

  #flush(): void {
    const ids = this.#batchIds;
    if (ids.length === 0) return;
    const taken = this.#native.submit(this.#batch, this.#batchLength, ids.length);
    this.#batch.fill(0, 0, this.#batchLength);
    if (this.#batch.length > 2 * FLUSH_BYTES) {
      this.#batch = new Uint8Array(65_536);
      this.#batchView = new DataView(this.#batch.buffer);
    }
    this.#batchLength = 0;
    for (const id of ids.slice(taken)) {
      const pending = this.#take(id);
      pending.reject(jobError('ERR_TOKEN_BUSY', CKR.CKR_OK, pending.job, true));
    }
    ids.length = 0;
    this.#tellIdle();
  }

  #take(id: number): Pending {
    const pending = this.#pending[id];
    if (pending === undefined) throw new Error(`the addon answered a job that is not pending: ${id}`);
    this.#pending[id] = undefined;
    this.#freeIds.push(id);
    this.#pendingCount -= 1;
    return pending;
  }

  #onDrain({ results, count, state, lossRv, epoch }: Drained): void {
    const batch = new ResultBatch(results);
    let at = 0;
    for (let i = 0; i < count; i += 1) {
      const header = readHeader(batch, at);
      const pending = this.#take(header.id);
      this.#counts.add(pending.job, header.status === 0, header.calls, header.tokenNs);
      if (header.status === 0) {
        pending.job.encoder.release();
        pending.resolve(new FlatResult(batch, at, epoch));
      } else {
        pending.reject(failureOf(batch, at, pending.job, callNames()));
      }
      at += header.words;
    }
    if (state === LOST || state === LOST_AND_IDLE) this.#onLost(state === LOST_AND_IDLE, lossRv);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#pendingCount === 0) this.#onIdle?.();
  }

  /** Most jobs that still run end in a moment; what takes longer does not hold the others up. */
  #onLost(isIdle: boolean, rv: number): void {
    this.#isIdle = isIdle;
    if (isIdle) this.#onLostAndIdle?.();
    if (this.#down !== null || this.#recovering !== null) return;
    if (isIdle) this.#startRecovery(rv);
    else if (severityOf(rv) !== 'module') this.#ending ??= setTimeout(() => this.#startRecovery(rv), ENDING_MS);
  }

  #stopWaiting(): void {
    if (this.#ending !== null) clearTimeout(this.#ending);
    this.#ending = null;
  }

  /** Resolves when no thread is inside the module, so that it can be initialised anew. */
  async #whenIdle(): Promise<void> {
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => {
      this.#onLostAndIdle = resolve;
    });
    this.#onLostAndIdle = null;
  }

  #startRecovery(rv: number): void {
    this.#stopWaiting();
    this.#down = null;
    this.#recovering ??= this.#recover(rv).finally(() => {
      this.#recovering = null;
    });
  }

  /** Makes the module usable and opens the sessions; gives the waiting jobs up after too many failures. */
  async #recover(rv: number): Promise<void> {
    const attemptsMax = this.#options.recoverAttemptsMax ?? 5;
    let cause: unknown;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      if (attempt > 1) await pause((this.#options.recoverBackoffMs ?? 100) * 2 ** (attempt - 2));
      // What recovers from more than lost sessions may take the module away from under a call.
      if (attempt > 1 || severityOf(rv) === 'module') await this.#whenIdle();
      try {
        await this.#options.recover?.({ rv, epoch: this.#epoch, attempt });
        const opened = this.#native.reopen();
        if (opened.rv === CKR.CKR_OK) {
          this.#epoch = this.#native.epoch();
          this.#isIdle = false;
          for (const listener of this.#listeners) listener(this.#epoch);
          return;
        }
        cause = new TokenError(errorCodeFor(opened.rv), { call: opened.call, rv: opened.rv });
      } catch (error) {
        cause = error;
        // A refused PIN must not be tried again, and nothing else that needs a person will change by itself.
        if (error instanceof TokenError && NOT_BY_ITSELF.has(error.code)) break;
      }
    }
    const error = new TokenError('ERR_TOKEN_MODULE_LOST', { call: 'C_OpenSession', rv, retryable: true, cause });
    this.#down = { error, untilMs: Date.now() + DOWN_MS };
    this.#flush();
    this.#native.abandon();
  }
}

function jobError(
  code: 'ERR_TOKEN_CLOSED' | 'ERR_TOKEN_BUSY' | 'ERR_TOKEN_MODULE_LOST',
  rv: number,
  job: Job,
  retryable: boolean,
  cause?: unknown,
): TokenError {
  return new TokenError(code, { call: 'none', rv, job: job.name, strategy: job.strategy, retryable, cause });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
