import { validationError } from './errors.js';
import { findUsableKey, type UsableKey } from './key_lookup.js';
import { signedDigestOctets, type SigningAlgorithm } from './key_spec.js';
import type { SigningInput } from './ports.js';
import type { Call } from './region.js';

/** What a `Message` may be. */
export const MESSAGE_TYPES = ['RAW', 'DIGEST', 'EXTERNAL_MU'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** What Sign and Verify say about key and message. */
export interface SignatureRequest {
  readonly KeyId: string;
  /** 1–4,096 octets. */
  readonly Message: Uint8Array;
  /** `RAW` where it is absent: KMS hashes. */
  readonly MessageType?: MessageType;
  readonly GrantTokens?: readonly string[];
  readonly SigningAlgorithm: SigningAlgorithm;
  readonly DryRun?: boolean;
}

/** A key that is ready to sign or to verify, and what it signs. */
export interface SignatureKey {
  readonly key: UsableKey<SigningAlgorithm>;
  readonly input: SigningInput;
}

/**
 * Finds the key of a signature and checks the message against the algorithm.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} lookup, authorisation, state, usage, algorithm, message, in this order
 * @source AWS KMS API Reference, Sign; Developer Guide, "Key spec reference" for Ed25519
 */
export function findSignatureKey(call: Call, operation: string, request: SignatureRequest): SignatureKey {
  const { SigningAlgorithm: algorithm, MessageType: type = 'RAW', Message: octets } = request;
  const key = findUsableKey(
    call,
    { usage: 'SIGN_VERIFY', operation, algorithm },
    { keyId: request.KeyId, grantTokens: request.GrantTokens, conditions: () => ({ 'kms:MessageType': type }) },
  );
  const digestOctets = signedDigestOctets(algorithm);
  const isPrehashOnly = algorithm === 'ED25519_PH_SHA_512';
  const isAdmitted = type === 'RAW' ? !isPrehashOnly : type === 'DIGEST' && digestOctets !== undefined;
  if (!isAdmitted) throw validationError(`MessageType ${type} is not compatible with algorithm ${algorithm}.`);
  if (type === 'RAW') return { key, input: { kind: 'message', octets } };
  if (octets.length !== digestOctets) throw validationError(`Digest is invalid length for algorithm ${algorithm}.`);
  return { key, input: { kind: 'digest', octets } };
}
