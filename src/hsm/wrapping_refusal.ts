import type { HsmCapabilities } from './capability.js';
import { specInToken } from './key_spec.js';
import type { KeySpec } from './material.js';

/** Why this token wraps no keys of a spec, naming the call; undefined where it does. Some wrap no private keys. */
export function refusalOfWrapping(keySpec: KeySpec, { refusedFacts }: HsmCapabilities): string | undefined {
  const spec = specInToken(keySpec);
  if (spec.kind === 'rsa') return refusedFacts.rsaPrivateWrap;
  if (spec.kind !== 'curve') return undefined;
  // Ed25519 keys are made only where they were seen to be wrapped.
  return spec.curve.name === 'Ed25519' ? refusedFacts.edKeyEd25519 : refusedFacts.ecPrivateWrap;
}

/**
 * Why material of a spec can never leave this token for another region, whatever that region can do, naming the mechanisms; undefined where
 * it may. It is a matter of what was seen of the token, and of nothing that changes with the partition.
 */
export function refusalOfExport(keySpec: KeySpec, capabilities: HsmCapabilities): string | undefined {
  const reason = capabilities.refusalOfSuites ?? refusalOfWrapping(keySpec, capabilities);
  return reason === undefined
    ? undefined
    : `the token of this region can wrap no ${keySpec} key for another region: ${reason}`;
}
