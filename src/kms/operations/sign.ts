import { awaitDependency } from '../dependency_failure.js';
import { dryRunSucceeded } from '../errors.js';
import type { SigningAlgorithm } from '../key_spec.js';
import type { Operation } from '../region.js';
import { findSignatureKey, type SignatureRequest } from '../signature.js';

export interface SignResponse {
  readonly KeyId: string;
  /** RSA: as RFC 8017; ECDSA: DER (RFC 3279); Ed25519: 64 octets. */
  readonly Signature: Uint8Array;
  readonly SigningAlgorithm: SigningAlgorithm;
}

/**
 * Signs a message, or a digest that the caller made, in the token.
 *
 * @throws {@link KmsError} as {@link findSignatureKey}; `UnsupportedOperationException` naming the mechanism that the token lacks;
 * `DryRunOperationException` last
 * @source AWS KMS API Reference, Sign
 */
export const sign: Operation<SignatureRequest, SignResponse> = async (call, request) => {
  const { key, input } = findSignatureKey(call, 'Sign', request);
  if (request.DryRun === true) throw dryRunSucceeded();
  const signature = await awaitDependency('key', call.region.hsm.sign(key.material, key.algorithm, input));
  return { KeyId: key.arn, Signature: signature, SigningAlgorithm: key.algorithm };
};
