import { HsmError, UNWRAP_REFUSED } from './errors.js';
import { canBeWrapped, specInToken, wrappedOctets } from './key_spec.js';
import type { KeySpec, MaterialBinding, WrappedMaterial } from './material.js';

/** What is said of a key on its way to another region. */
export type MaterialDeclaration = Pick<WrappedMaterial, 'class' | 'keyType' | 'lengthOctets'>;

/** What a key of a spec is declared to be: secrets with their exact length, also where the token fills them up before it wraps. */
export function declarationOf(keySpec: KeySpec): MaterialDeclaration {
  const spec = specInToken(keySpec);
  const isSecret = spec.kind === 'aes' || spec.kind === 'hmac';
  return {
    class: isSecret ? 'CKO_SECRET_KEY' : 'CKO_PRIVATE_KEY',
    keyType: spec.keyTypeName,
    lengthOctets: isSecret ? spec.secretOctets : 0,
  };
}

/**
 * Checks wrapped material, before a token sees it, against what its key is certified to be.
 *
 * @throws {@link HsmError} `ERR_HSM_TYPE`, `ERR_HSM_MATERIAL_ID`, `ERR_HSM_POLICY_REFUSED`, `ERR_HSM_UNWRAP`
 */
export function assertIsMaterialOf(binding: MaterialBinding, wrapped: WrappedMaterial): void {
  const { keySpec } = binding;
  const expected = declarationOf(keySpec);
  const isDeclared =
    wrapped.class === expected.class &&
    wrapped.keyType === expected.keyType &&
    wrapped.lengthOctets === expected.lengthOctets &&
    (wrapped.publicKey !== null) === (expected.class === 'CKO_PRIVATE_KEY');
  if (!isDeclared) throw new HsmError('ERR_HSM_TYPE', `the material is declared to be no ${keySpec} key`);
  if (wrapped.materialId !== binding.materialId) {
    throw new HsmError('ERR_HSM_MATERIAL_ID', 'the wrapped material is not the one that was asked for');
  }
  if (!binding.multiRegion) {
    throw new HsmError('ERR_HSM_POLICY_REFUSED', 'only material of a multi-Region key comes from another region');
  }
  // HAZARD: some tokens corrupt their memory on a blob that is too short, and take keys of other lengths from a longer one.
  if (!isAsLongAsDeclared(keySpec, wrapped.blob)) throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED);
}

/** Whether a blob has the length that a key of a spec has under RFC 5649; for private keys within its bounds. */
export function isAsLongAsDeclared(keySpec: KeySpec, blob: Uint8Array): boolean {
  const spec = specInToken(keySpec);
  const isSecret = spec.kind === 'aes' || spec.kind === 'hmac';
  return isSecret ? blob.length === wrappedOctets(spec.secretOctets) : canBeWrapped(keySpec, blob);
}
