import { awaitDependency } from '../dependency_failure.js';
import { dryRunSucceeded, validationError } from '../errors.js';
import { findUsableKey } from '../key_lookup.js';
import type { KeyAgreementAlgorithm } from '../key_spec.js';
import { parsePeerPublicKey } from '../peer_public_key.js';
import { refuseRecipient, type Recipient } from '../recipient.js';
import type { Operation } from '../region.js';

export interface DeriveSharedSecretRequest {
  readonly KeyId: string;
  readonly KeyAgreementAlgorithm: KeyAgreementAlgorithm;
  /** The peer's, DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
  readonly Recipient?: Recipient;
}

export interface DeriveSharedSecretResponse {
  readonly KeyId: string;
  /** The raw x coordinate: 32, 48 or 66 octets. */
  readonly SharedSecret: Uint8Array;
  readonly KeyAgreementAlgorithm: KeyAgreementAlgorithm;
  readonly KeyOrigin: 'AWS_KMS' | 'EXTERNAL';
}

/**
 * Agrees on a secret with a peer's public key, in the token.
 *
 * @throws {@link KmsError} lookup, authorisation, state, usage, then `ValidationException` without a text for a public key that is
 * none, or on another curve; `DryRunOperationException` last
 * @source AWS KMS API Reference, DeriveSharedSecret; NIST SP 800-56A section 5.7.1.2
 */
export const deriveSharedSecret: Operation<DeriveSharedSecretRequest, DeriveSharedSecretResponse> = async (
  call,
  request,
) => {
  refuseRecipient(request.Recipient);
  const key = findUsableKey(
    call,
    { usage: 'KEY_AGREEMENT', operation: 'DeriveSharedSecret', algorithm: request.KeyAgreementAlgorithm },
    { keyId: request.KeyId, grantTokens: request.GrantTokens },
  );
  const peer = parsePeerPublicKey(request.PublicKey, key.keySpec);
  if (peer === undefined) throw validationError('');
  if (request.DryRun === true) throw dryRunSucceeded();
  const secret = await awaitDependency('key', call.region.hsm.deriveSharedSecret(key.material, peer));
  return { KeyId: key.arn, SharedSecret: secret, KeyAgreementAlgorithm: key.algorithm, KeyOrigin: key.origin };
};
