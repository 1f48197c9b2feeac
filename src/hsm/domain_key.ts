import { CKK_AES, CKO_SECRET_KEY } from '../token/cryptoki.js';
import type { ObjectHandle } from '../token/object.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import type { KeyShape } from './key_shape.js';
import { findForUse, findTokenKeys, KEY_LABELS, Remembered, type TokenKey } from './token_keys.js';

/** The shape of a domain key: AES-256, wraps and unwraps, never leaves the token. */
export function domainKeyShape(id: Uint8Array, label: string, capabilities: HsmCapabilities): KeyShape {
  return {
    keyType: CKK_AES,
    lengthOctets: 32,
    uses: ['wrap', 'unwrap'],
    label,
    id,
    onToken: true,
    allowedMechanisms: [capabilities.keyWrapPad],
  };
}

/** The domain keys of a region: the newest wraps, all of them unwrap. */
export class DomainKeys {
  readonly #jobs: HsmJobs;
  readonly #keys: Remembered<readonly TokenKey[]>;

  constructor(jobs: HsmJobs, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    this.#keys = new Remembered(jobs, () =>
      findForUse(jobs, capabilities, KEY_LABELS.domainKey, (id) =>
        domainKeyShape(id, KEY_LABELS.domainKey, capabilities),
      ),
    );
  }

  /**
   * The domain key that wraps what is stored from now on.
   *
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND` in a token that was not provisioned
   */
  async active(): Promise<TokenKey> {
    const [newest] = await this.#keys.get();
    if (newest !== undefined) return newest;
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', 'the token holds no domain key: provision it first');
  }

  /**
   * The domain key under which something was stored.
   *
   * @param idHex - its `CKA_ID`
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND`
   */
  async byId(idHex: string): Promise<ObjectHandle> {
    const found = (await this.#keys.get()).find((key) => key.idHex === idHex);
    if (found !== undefined) return found.handle;
    // Another process may have rotated the domain key since this one looked.
    const present = await findTokenKeys(this.#jobs, CKO_SECRET_KEY, KEY_LABELS.domainKey);
    if (present.some((key) => key.idHex === idHex)) this.#keys.forget();
    const again = (await this.#keys.get()).find((key) => key.idHex === idHex);
    if (again !== undefined) return again.handle;
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `the token holds no domain key ${idHex}`, {
      details: { domainKeyId: idHex },
    });
  }

  /** Ids of all domain keys, the active one first. */
  async ids(): Promise<readonly string[]> {
    return (await this.#keys.get()).map((key) => key.idHex);
  }
}
