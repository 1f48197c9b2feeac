import { CKK_AES } from '../token/cryptoki.js';
import type { Job, ObjectRef, Output } from '../token/job.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import { BACKING_KEY_LABEL } from './key_material_id.js';
import { isPrivateKeyShape, readBack, type KeyShape } from './key_shape.js';
import { canBeWrapped, specInToken } from './key_spec.js';
import type { KeySpec, MaterialBinding } from './material.js';
import { messageKeySteps } from './message_key.js';
import { narrowUses } from './narrow_uses.js';

/** What every object of material is, before its uses. The length of an HMAC secret is not always the same. */
export function baseShape(keySpec: KeySpec): Pick<KeyShape, 'keyType' | 'lengthOctets' | 'label'> {
  const spec = specInToken(keySpec);
  return {
    keyType: spec.keyType,
    label: BACKING_KEY_LABEL,
    ...(spec.keyType === CKK_AES ? { lengthOctets: 32 } : {}),
  };
}

/**
 * What material is loaded for: message keys by its data suite, or the one use of its usage.
 *
 * @throws {@link HsmError} `ERR_HSM_TYPE` for a usage that its spec does not have
 */
export function usesOf({
  keySpec,
  keyUsage,
  dataSuite,
}: Pick<MaterialBinding, 'keySpec' | 'keyUsage' | 'dataSuite'>): Required<
  Pick<KeyShape, 'uses' | 'allowedMechanisms'>
> {
  const spec = specInToken(keySpec);
  if (spec.kind === 'aes' && dataSuite !== null) {
    const { uses, allowedMechanisms } = messageKeySteps[dataSuite];
    return { uses, allowedMechanisms };
  }
  const usage = spec.usages[keyUsage];
  if (usage === undefined || usage.uses.length === 0) {
    throw new HsmError('ERR_HSM_TYPE', `a ${keySpec} key is not for ${keyUsage}, or lacks its data suite`);
  }
  return { uses: usage.uses, allowedMechanisms: usage.allowedMechanisms };
}

/** Reads a key back, after the uses that some tokens give every unwrapped private key were taken away. */
export function narrowAndRead(
  job: Job,
  key: ObjectRef,
  shape: KeyShape,
  capabilities: HsmCapabilities,
): Output<'attributes'> {
  if (isPrivateKeyShape(shape)) narrowUses(job, key, shape);
  return readBack(job, key, shape, capabilities);
}

/**
 * Material of a single-Region key is wrapped for no other region.
 *
 * @throws {@link HsmError} `ERR_HSM_POLICY_REFUSED`
 */
export function assertMultiRegion({ keyId, multiRegion }: Pick<MaterialBinding, 'keyId' | 'multiRegion'>): void {
  if (multiRegion) return;
  throw new HsmError('ERR_HSM_POLICY_REFUSED', `key ${keyId} is a single-Region key and stays here`, {
    details: { keyId },
  });
}

/**
 * A token that wraps another number of octets has wrapped another kind of key.
 *
 * @throws {@link HsmError} `ERR_HSM_TYPE`
 */
export function checkedExportedKeyToken(keySpec: KeySpec, wrapped: Uint8Array): Uint8Array {
  if (canBeWrapped(keySpec, wrapped)) return wrapped;
  throw new HsmError('ERR_HSM_TYPE', `the token wrapped ${wrapped.length} octets, which is no ${keySpec} key`, {
    details: { octets: wrapped.length, keySpec },
  });
}

const FILLED_UP =
  'the token fills HMAC keys up to a multiple of 8 octets when it wraps them, which would change the MACs of this one: ' +
  'it needs CKM_AES_KEY_WRAP_KWP with the exact length';

/** What is said of an HMAC secret that the token would wrap to another one. */
export function filledUp(keyId: string): HsmError {
  return new HsmError('ERR_HSM_STRATEGY', FILLED_UP, { details: { keyId } });
}
