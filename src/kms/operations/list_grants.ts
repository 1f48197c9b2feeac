import { authorizeKey } from '../authorization.js';
import { validationError } from '../errors.js';
import { describeGrant, GRANTS_PAGE, type GrantList } from '../grant_entry.js';
import { isGrantId, requireGrantId, requireParty } from '../grant_request.js';
import { findKey } from '../key_lookup.js';
import { pageOf, readMarker } from '../pagination.js';
import type { Operation } from '../region.js';

export interface ListGrantsRequest {
  readonly KeyId: string;
  readonly GrantId?: string;
  readonly GranteePrincipal?: string;
  readonly GranteeServicePrincipal?: string;
  /** 1–1000, of which 100 are listed at most; 50 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

/**
 * Lists the grants of a key, all or those that the filters name, in the order of their ids, page by page.
 *
 * @throws {@link KmsError} `InvalidGrantIdException`, `InvalidArnException`, `InvalidMarkerException`; lookup and authorisation
 * @source AWS KMS API Reference, ListGrants
 */
export const listGrants: Operation<ListGrantsRequest, GrantList> = async (call, request) => {
  const { grants, home } = call.region;
  const grantId = request.GrantId === undefined ? undefined : requireGrantId(request.GrantId);
  const grantee = requireParty(request.GranteePrincipal, request.GranteeServicePrincipal, 'Grantee');
  if (grantee?.kind === 'service') {
    throw validationError('GranteeServicePrincipal can be used by services only.');
  }
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'ListGrants', record, { conditions: { 'kms:GrantIsForAWSResource': false } });
  const limit = Math.min(request.Limit ?? GRANTS_PAGE.absent, GRANTS_PAGE.max);
  const after = readMarker(request.Marker, isGrantId) ?? '';
  const filter = { grantId, grantee: grantee?.name };
  const { page, ...end } = pageOf(
    grants.grantsOfKey(record.keyId, filter, { after, limit: limit + 1 }),
    limit,
    (grant) => grant.grantId,
  );
  return { Grants: page.map((grant) => describeGrant(home, grant)), ...end };
};
