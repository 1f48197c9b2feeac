import { authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import { POLICY_NAME } from '../policy.js';
import type { Operation } from '../region.js';

export interface GetKeyPolicyRequest {
  readonly KeyId: string;
  /** `default`, the only one. */
  readonly PolicyName?: string;
}

export interface GetKeyPolicyResponse {
  /** JSON text as it was given. */
  readonly Policy: string;
  readonly PolicyName: string;
}

/**
 * Shows a key's policy.
 *
 * @throws {@link KmsError} `NotFoundException` for another policy than the only one
 * @source AWS KMS API Reference, GetKeyPolicy
 */
export const getKeyPolicy: Operation<GetKeyPolicyRequest, GetKeyPolicyResponse> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'GetKeyPolicy', record);
  if ((request.PolicyName ?? POLICY_NAME) !== POLICY_NAME) {
    throw new KmsError('NotFoundException', 'No such policy exists');
  }
  const policy = call.region.store.policy(record.keyId);
  if (policy === undefined) throw new Error(`key ${record.keyId} has no policy`);
  return { Policy: policy, PolicyName: POLICY_NAME };
};
