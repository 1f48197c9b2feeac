import { authorizeKey } from './authorization.js';
import { KmsError } from './errors.js';
import { findKey } from './key_lookup.js';
import { requireState } from './key_state.js';
import type { Call } from './region.js';

/** Every encapsulation algorithm of the AWS KMS model. */
export const ENCAPSULATION_ALGORITHMS = ['ML_KEM'] as const;
export type EncapsulationAlgorithm = (typeof ENCAPSULATION_ALGORITHMS)[number];

/** What Encapsulate and Decapsulate say about the key that they want. */
export interface EncapsulationRequest {
  readonly KeyId: string;
  readonly EncapsulationAlgorithm: EncapsulationAlgorithm;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
}

/**
 * Refuses to encapsulate with a key, as AWS KMS refuses it with a key of another usage: no key here has ENCAPSULATE_DECAPSULATE, because
 * CreateKey makes none.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} lookup, authorisation, state, in this order; `InvalidKeyUsageException` for every key
 */
export function refuseEncapsulation(call: Call, operation: string, request: EncapsulationRequest): never {
  const record = findKey(call, request.KeyId, 'key-or-alias');
  authorizeKey(call, operation, record, {
    grantTokens: request.GrantTokens,
    requestedKeyId: request.KeyId,
  });
  requireState('use', record.state, record.arn);
  throw new KmsError(
    'InvalidKeyUsageException',
    `${record.arn} key usage is ${record.keyUsage} which is not valid for ${operation}.`,
  );
}
