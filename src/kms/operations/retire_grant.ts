import { foreignKeyInaccessible } from '../authorization.js';
import { dryRunSucceeded, KmsError, validationError } from '../errors.js';
import type { GrantRecord } from '../grant.js';
import { grantNotFound, requireGrantId } from '../grant_request.js';
import { authorizeRetirement } from '../grant_retirement.js';
import { findGrantOfToken } from '../grant_token.js';
import { findKey } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Call, Operation } from '../region.js';

export interface RetireGrantRequest {
  readonly GrantToken?: string;
  /** Key ARN, together with `GrantId`. */
  readonly KeyId?: string;
  readonly GrantId?: string;
  readonly DryRun?: boolean;
}

/**
 * Deletes a grant in the name of whom it concerns: by a token of it, or by the key's ARN and the grant's id.
 *
 * @throws {@link KmsError} `ValidationException` where it is named in neither way; `InvalidGrantTokenException`,
 * `InvalidGrantIdException`, `InvalidArnException`, `NotFoundException`; `AccessDeniedException`; `DryRunOperationException` last
 * @source AWS KMS API Reference, RetireGrant
 */
export const retireGrant: Operation<RetireGrantRequest, NoOutput> = async (call, request) => {
  const { record, grant } = findNamedGrant(call, request);
  authorizeRetirement(call, record, grant);
  if (request.DryRun === true) throw dryRunSucceeded();
  call.region.grants.removeGrant(grant.grantId);
  return NO_OUTPUT;
};

function findNamedGrant(
  call: Call,
  request: RetireGrantRequest,
): { readonly record: KeyRecord; readonly grant: GrantRecord } {
  const { GrantToken: token, KeyId: keyId, GrantId: grantId } = request;
  const { store, grants } = call.region;
  if (token !== undefined && keyId === undefined && grantId === undefined) {
    const grant = findGrantOfToken(grants, token);
    const record = store.key(grant.keyId);
    if (record === undefined) throw new Error(`the grant ${grant.grantId} is of a key that is not here`);
    return { record, grant };
  }
  if (token !== undefined || keyId === undefined || grantId === undefined) {
    throw validationError('Grant token OR (grant ID, key ID) must be specified');
  }
  requireGrantId(grantId);
  if (!keyId.startsWith('arn:')) throw new KmsError('InvalidArnException', `Invalid arn ${keyId}`);
  const record = findKey(call, keyId, 'key');
  const grant = grants.grant(grantId);
  if (grant?.keyId === record.keyId) return { record, grant };
  throw call.caller.account === record.account ? grantNotFound(grantId) : foreignKeyInaccessible(call.caller);
}
