import { awaitDependency } from '../dependency_failure.js';
import { dryRunSucceeded, KmsError } from '../errors.js';
import type { SigningAlgorithm } from '../key_spec.js';
import type { Operation } from '../region.js';
import { findSignatureKey, type SignatureRequest } from '../signature.js';

export interface VerifyRequest extends SignatureRequest {
  /** 1–6,144 octets. */
  readonly Signature: Uint8Array;
}

export interface VerifyResponse {
  readonly KeyId: string;
  readonly SignatureValid: true;
  readonly SigningAlgorithm: SigningAlgorithm;
}

/**
 * Verifies a signature in the token. A signature that is not one is an exception, never `false`.
 *
 * @throws {@link KmsError} as Sign; `KMSInvalidSignatureException`
 * @source AWS KMS API Reference, Verify
 */
export const verify: Operation<VerifyRequest, VerifyResponse> = async (call, request) => {
  const { key, input } = findSignatureKey(call, 'Verify', request);
  const { material, algorithm } = key;
  const isValid = await awaitDependency('key', call.region.hsm.verify(material, algorithm, input, request.Signature));
  if (!isValid) throw new KmsError('KMSInvalidSignatureException', '');
  if (request.DryRun === true) throw dryRunSucceeded();
  return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: algorithm };
};
