import { authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import { POLICY_NAME, requireValidPolicy } from '../policy.js';
import type { Operation } from '../region.js';

export interface PutKeyPolicyRequest {
  readonly KeyId: string;
  /** `default`, the only one. */
  readonly PolicyName?: string;
  /** JSON text. */
  readonly Policy: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
}

/**
 * Replaces a key's policy; it counts from the next request on. Replicas of the key keep theirs.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for another policy than the only one; as {@link requireValidPolicy}
 * @source AWS KMS API Reference, PutKeyPolicy
 */
export const putKeyPolicy: Operation<PutKeyPolicyRequest, NoOutput> = async (call, request) => {
  const bypassLockoutCheck = request.BypassPolicyLockoutSafetyCheck === true;
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'PutKeyPolicy', record, {
    conditions: { 'kms:BypassPolicyLockoutSafetyCheck': bypassLockoutCheck },
  });
  if ((request.PolicyName ?? POLICY_NAME) !== POLICY_NAME) {
    throw new KmsError('UnsupportedOperationException', 'Only default policy is supported');
  }
  requireValidPolicy(call, request.Policy, { bypassLockoutCheck, record });
  call.region.store.setPolicy(record.keyId, request.Policy);
  return NO_OUTPUT;
};
