import { LIMITS } from '../limits.js';
import { Job, type JobResult } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { TokenError } from '../token/errors.js';
import { HsmError, hsmErrorFrom, saysObjectIsGone } from './errors.js';
import type { HsmHealth } from './health.js';

/** What runs jobs in a token: the executor. */
export interface JobRunner {
  run(job: Job): Promise<JobResult>;
  /** Changes when the sessions were opened anew; handles of an earlier epoch are dead. */
  readonly epoch: number;
}

/** Runs jobs for the HSM: failures in the HSM's words, nothing after a failed self-test, a second go after a lost session. */
export class HsmJobs {
  readonly health: HsmHealth;
  readonly #runner: JobRunner;
  readonly #onLost: (() => void)[] = [];

  constructor(runner: JobRunner, health: HsmHealth) {
    this.#runner = runner;
    this.health = health;
  }

  get epoch(): number {
    return this.#runner.epoch;
  }

  /** Called when handles turned out to be dead, before anything is tried again: forget them. */
  onLost(forget: () => void): void {
    this.#onLost.push(forget);
  }

  /** @throws {@link HsmError} */
  async run(job: Job): Promise<JobResult> {
    this.health.assertWorking();
    try {
      return await this.#runner.run(job);
    } catch (error) {
      if (error instanceof TokenError && error.code === 'ERR_TOKEN_NOT_DESTROYED') this.health.notDestroyed();
      // A handle that is gone while its epoch lives: no new epoch will tell anybody to forget it.
      if (error instanceof TokenError && error.code === 'ERR_TOKEN_CALL' && saysObjectIsGone(error.rv)) this.#forget();
      throw hsmErrorFrom(error);
    }
  }

  #forget(): void {
    for (const forget of this.#onLost) forget();
  }

  /**
   * Does something that leaves nothing behind when it fails, and does it again where it failed because sessions were lost.
   *
   * @param attempt - finds or loads the handles that it uses by itself, so that a later attempt has fresh ones
   */
  async healing<Result>(attempt: () => Promise<Result>): Promise<Result> {
    for (let attemptsLeft = LIMITS.hsmSessionLossAttempts; ;) {
      try {
        return await attempt();
      } catch (error) {
        attemptsLeft -= 1;
        if (!(error instanceof HsmError) || error.code !== 'ERR_HSM_SESSION_LOST' || attemptsLeft === 0) throw error;
        this.#forget();
      }
    }
  }

  /**
   * Destroys an object and checks that it is gone. An object that a lost session has already taken counts as gone.
   *
   * @throws {@link HsmError} `ERR_HSM_NOT_DESTROYED`
   */
  async destroy(handle: ObjectHandle, name: string): Promise<void> {
    if (handle.epoch !== this.#runner.epoch) return;
    const job = new Job(name, 'destroy');
    job.destroyObject(handle);
    try {
      await this.#runner.run(job);
    } catch (error) {
      if (error instanceof TokenError && isGone(error)) return;
      if (error instanceof TokenError && error.code === 'ERR_TOKEN_NOT_DESTROYED') this.health.notDestroyed();
      throw hsmErrorFrom(error);
    }
  }
}

function isGone(error: TokenError): boolean {
  return (
    error.code === 'ERR_TOKEN_STALE_HANDLE' ||
    error.code === 'ERR_TOKEN_SESSION_LOST' ||
    error.code === 'ERR_TOKEN_MODULE_LOST' ||
    error.code === 'ERR_TOKEN_CLOSED' ||
    (error.code === 'ERR_TOKEN_CALL' && saysObjectIsGone(error.rv))
  );
}
