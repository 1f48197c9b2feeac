import {
  CKA_SENSITIVE,
  CKA_UNWRAP_TEMPLATE,
  CKA_WRAP_WITH_TRUSTED,
  CKK_AES,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import type { ObjectHandle } from '../token/object.js';
import { template, type Template } from '../token/template.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import type { KeyShape } from './key_shape.js';
import { findForUse, findTokenKeys, KEY_LABELS, Remembered, type TokenKey } from './token_keys.js';

/** The shape of a domain key: AES-256, wraps and unwraps, never leaves the token. */
export function domainKeyShape(
  id: Uint8Array,
  label: string,
  capabilities: HsmCapabilities,
): KeyShape & { readonly id: Uint8Array } {
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

/** Labels of the two domain keys. */
export const DOMAIN_KEY_LABELS = [KEY_LABELS.domainKey, KEY_LABELS.singleRegionDomainKey] as const;

/** The label of one of the two. */
export type DomainKeyLabel = (typeof DOMAIN_KEY_LABELS)[number];

/**
 * What every key must be that a single-Region domain key unwraps, where the token enforces it: a key that nobody can read and that only a
 * trusted key can wrap; no key that is agreed with another region is trusted, and no user can make a trusted key.
 *
 * @source PKCS#11 v2.40 section 4.9 (CKA_UNWRAP_TEMPLATE)
 */
export const SINGLE_REGION_UNWRAP_TEMPLATE: Template = template([
  CKA_UNWRAP_TEMPLATE,
  { template: template([CKA_WRAP_WITH_TRUSTED, true], [CKA_SENSITIVE, true]) },
]);

/**
 * The domain keys of a region: one for material of multi-Region keys, which may leave under the key of an agreement, and one for
 * that of single-Region keys, which may not. Of each the newest wraps, and all of them unwrap.
 */
export class DomainKeys {
  readonly #jobs: HsmJobs;
  readonly #keys: Readonly<Record<DomainKeyLabel, Remembered<readonly TokenKey[]>>>;

  constructor(jobs: HsmJobs, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    const remembered = (label: DomainKeyLabel): Remembered<readonly TokenKey[]> =>
      new Remembered(jobs, () =>
        findForUse(jobs, capabilities, label, (id) => domainKeyShape(id, label, capabilities)),
      );
    this.#keys = {
      [KEY_LABELS.domainKey]: remembered(KEY_LABELS.domainKey),
      [KEY_LABELS.singleRegionDomainKey]: remembered(KEY_LABELS.singleRegionDomainKey),
    };
  }

  /**
   * The domain key that wraps what is stored from now on.
   *
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND` in a token that was not provisioned
   */
  async active(label: DomainKeyLabel): Promise<TokenKey> {
    const [newest] = await this.#keys[label].get();
    if (newest !== undefined) return newest;
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `the token holds no ${label}: provision it first`);
  }

  /**
   * The domain key under which something was stored.
   *
   * @param idHex - its `CKA_ID`
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND`
   */
  async byId(label: DomainKeyLabel, idHex: string): Promise<ObjectHandle> {
    const keys = this.#keys[label];
    const found = (await keys.get()).find((key) => key.idHex === idHex);
    if (found !== undefined) return found.handle;
    // Another process may have rotated the domain key since this one looked.
    const present = await findTokenKeys(this.#jobs, CKO_SECRET_KEY, label);
    if (present.some((key) => key.idHex === idHex)) keys.forget();
    const again = (await keys.get()).find((key) => key.idHex === idHex);
    if (again !== undefined) return again.handle;
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `the token holds no ${label} ${idHex}`, {
      details: { domainKeyId: idHex, label },
    });
  }

  /** Ids of all domain keys of a label, the active one first. */
  async ids(label: DomainKeyLabel): Promise<readonly string[]> {
    return (await this.#keys[label].get()).map((key) => key.idHex);
  }
}

/** The label of the domain key under which material rests. */
export function domainKeyLabelOf(binding: { readonly multiRegion: boolean }): DomainKeyLabel {
  return binding.multiRegion ? KEY_LABELS.domainKey : KEY_LABELS.singleRegionDomainKey;
}
