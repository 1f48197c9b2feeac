import { LIMITS } from '../limits.js';
import { Job } from '../token/job.js';
import type { HsmJobs } from './job_runner.js';

/** Octets of the token's random generator, fetched many at a time; each octet is handed out once. For nonces and IVs, never for secrets. */
export class RandomPool {
  readonly #jobs: HsmJobs;
  #octets = new Uint8Array();
  #refill: Promise<void> | undefined;

  constructor(jobs: HsmJobs) {
    this.#jobs = jobs;
  }

  /**
   * At once where so many octets are there, which is nearly always.
   *
   * @param count - at most {@link LIMITS.hsmRandomPoolBytes}
   */
  take(count: number): Uint8Array | Promise<Uint8Array> {
    return this.#octets.length < count ? this.#takeFetched(count) : this.#takeReady(count);
  }

  async #takeFetched(count: number): Promise<Uint8Array> {
    while (this.#octets.length < count) {
      this.#refill ??= this.#fetch().finally(() => {
        this.#refill = undefined;
      });
      await this.#refill;
    }
    return this.#takeReady(count);
  }

  #takeReady(count: number): Uint8Array {
    const taken = this.#octets.subarray(0, count);
    this.#octets = this.#octets.subarray(count);
    return taken;
  }

  async #fetch(): Promise<void> {
    this.#octets = Uint8Array.from(await randomOctets(this.#jobs, LIMITS.hsmRandomPoolBytes));
  }
}

/** Octets of the token's random generator, `C_GenerateRandom`. */
export async function randomOctets(jobs: HsmJobs, count: number): Promise<Uint8Array> {
  const job = new Job('random', 'C_GenerateRandom');
  const octets = job.random(count);
  return (await jobs.run(job)).bytes(octets);
}
