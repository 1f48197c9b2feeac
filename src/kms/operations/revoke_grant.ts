import { authorizeKey } from '../authorization.js';
import { dryRunSucceeded } from '../errors.js';
import { grantNotFound, requireGrantId } from '../grant_request.js';
import { findKey } from '../key_lookup.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface RevokeGrantRequest {
  readonly KeyId: string;
  readonly GrantId: string;
  readonly DryRun?: boolean;
}

/**
 * Deletes a grant in the name of the key: what it permitted is not permitted any more when this returns.
 *
 * @throws {@link KmsError} `InvalidGrantIdException`; lookup and authorisation; `NotFoundException`; `DryRunOperationException` last
 * @source AWS KMS API Reference, RevokeGrant
 */
export const revokeGrant: Operation<RevokeGrantRequest, NoOutput> = async (call, request) => {
  const { grants } = call.region;
  const grantId = requireGrantId(request.GrantId);
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'RevokeGrant', record, { conditions: { 'kms:GrantIsForAWSResource': false } });
  if (grants.grant(grantId)?.keyId !== record.keyId) throw grantNotFound(grantId);
  if (request.DryRun === true) throw dryRunSucceeded();
  grants.removeGrant(grantId);
  return NO_OUTPUT;
};
