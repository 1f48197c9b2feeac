import { CKA_SENSITIVE, CKA_TRUSTED, CKK_AES, CKM_AES_KEY_GEN } from '../token/cryptoki.js';
import { Job } from '../token/job.js';
import type { HsmCapabilities } from './capability.js';
import type { DomainKeys } from './domain_key.js';
import type { HsmJobs } from './job_runner.js';
import { BACKING_KEY_LABEL } from './key_material_id.js';
import { templateOf, type KeyShape } from './key_shape.js';
import type { KeyStorageKind } from './material.js';
import type { RegionHsmDescription } from './region_description.js';
import { KEY_LABELS } from './token_keys.js';

/** What the token itself does to keep material of single-Region keys where it is. */
export interface SingleRegionTrust {
  /** Whether the active single-Region domain key is `CKA_TRUSTED`. */
  readonly isTrusted: boolean;
  /** Whether the token refuses to unwrap under it anything that a key without `CKA_TRUSTED` could wrap again. */
  readonly bindsSingleRegion: boolean;
  /** Whether it also refuses to unwrap under it anything whose value could be read. */
  readonly hidesSingleRegion: boolean;
}

/**
 * Finds out what the token enforces for single-Region material, by attempting what must not work: a fresh key is wrapped under the
 * single-Region domain key and unwrapped as one that any key may wrap, and as one that can be read.
 *
 * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND` in a token that was not provisioned
 * @source PKCS#11 v2.40 section 4.9 (CKA_UNWRAP_TEMPLATE, CKA_WRAP_WITH_TRUSTED)
 */
export async function singleRegionTrust(
  jobs: HsmJobs,
  domainKeys: DomainKeys,
  capabilities: HsmCapabilities,
): Promise<SingleRegionTrust> {
  const { handle } = await domainKeys.active(KEY_LABELS.singleRegionDomainKey);
  const reading = new Job('read domain key', 'CKA_TRUSTED');
  const output = reading.getAttributes(handle, [CKA_TRUSTED]);
  const attribute = (await jobs.run(reading)).attributes(output).get(CKA_TRUSTED);
  const isTrusted = attribute?.state === 'value' && attribute.octets[0] === 1;

  const shape: KeyShape = {
    keyType: CKK_AES,
    lengthOctets: 32,
    uses: [],
    label: BACKING_KEY_LABEL,
    extractable: true,
  };
  const keyWrapPad = { type: capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
  const wrapping = new Job('test single-Region binding', 'wrap');
  const key = wrapping.generateKey(
    { type: CKM_AES_KEY_GEN, parameter: { kind: 'none' } },
    templateOf({ ...shape, wrapWithTrusted: isTrusted }, 'generate', capabilities),
  );
  const wrapped = wrapping.wrapKey(keyWrapPad, handle, key);
  const blob = (await jobs.run(wrapping)).bytes(wrapped);
  const attempting = new Job('test single-Region binding', 'unwrap');
  const asWrappable = attempting.attempt();
  attempting.unwrapKey(keyWrapPad, handle, blob, templateOf(shape, 'unwrap', capabilities));
  const asReadable = attempting.attempt();
  attempting.unwrapKey(
    keyWrapPad,
    handle,
    blob,
    templateOf({ ...shape, wrapWithTrusted: isTrusted }, 'unwrap', capabilities).map(({ type, value }) => ({
      type,
      value: type === CKA_SENSITIVE ? false : value,
    })),
  );
  const result = await jobs.run(attempting);
  const bindsSingleRegion = isTrusted && capabilities.enforcesWrapWithTrusted && result.rv(asWrappable) !== 0;
  return { isTrusted, bindsSingleRegion, hidesSingleRegion: bindsSingleRegion && result.rv(asReadable) !== 0 };
}

/** What the token itself does for new keys of a single Region, where they rest. */
export function singleRegionEnforcement(
  storage: KeyStorageKind,
  { bindsSingleRegion, hidesSingleRegion }: SingleRegionTrust,
  { keepsUnextractable, hidesUnextractable }: HsmCapabilities,
): Pick<RegionHsmDescription['enforcedByToken'], 'singleRegion' | 'singleRegionUnreadable'> {
  return storage === 'wrapped'
    ? { singleRegion: bindsSingleRegion, singleRegionUnreadable: hidesSingleRegion }
    : { singleRegion: keepsUnextractable, singleRegionUnreadable: keepsUnextractable && hidesUnextractable };
}
