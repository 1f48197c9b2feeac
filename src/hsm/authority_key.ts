import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import { HsmHealth } from './health.js';
import { HsmJobs, type JobRunner } from './job_runner.js';
import { randomOctets } from './random_pool.js';
import { SigningKeys, type SigningKeyInfo } from './signing_key.js';
import { KEY_LABELS } from './token_keys.js';

/** The partition authority's key, ECDSA P-384 in a token of its own: signs rosters. */
export class AuthorityKey {
  readonly #jobs: HsmJobs;
  readonly #keys: SigningKeys;
  /** Its public half. */
  readonly info: SigningKeyInfo;

  private constructor(jobs: HsmJobs, keys: SigningKeys, info: SigningKeyInfo) {
    this.#jobs = jobs;
    this.#keys = keys;
    this.info = info;
  }

  /**
   * Opens the key in a token that was provisioned, and tests it.
   *
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND`, `ERR_HSM_SELF_TEST`
   */
  static async open(options: {
    readonly runner: JobRunner;
    readonly capabilities: HsmCapabilities;
  }): Promise<AuthorityKey> {
    const jobs = new HsmJobs(options.runner, new HsmHealth());
    const keys = new SigningKeys(jobs, options.capabilities, KEY_LABELS.partitionAuthorityKey);
    const [newest] = await keys.list();
    if (newest === undefined) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', 'the token holds no partition authority key: provision it first');
    }
    await keys.selfTest();
    return new AuthorityKey(jobs, keys, newest);
  }

  /** ES384 over the octets: r || s, 96 octets, verified in software before it is returned. */
  sign(octets: Uint8Array): Promise<Uint8Array> {
    return this.#keys.sign(this.info.kid, octets);
  }

  /** Octets of the token's random generator: challenges. */
  random(octets: number): Promise<Uint8Array> {
    return randomOctets(this.#jobs, octets);
  }
}
