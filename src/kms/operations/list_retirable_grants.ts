import { accessDenied, authorizeAccount } from '../authorization.js';
import { validationError } from '../errors.js';
import { describeGrant, GRANTS_PAGE, type GrantList } from '../grant_entry.js';
import { isGrantId, requireParty } from '../grant_request.js';
import { pageOf, readMarker } from '../pagination.js';
import { accountOf } from '../policy_principal.js';
import type { Operation } from '../region.js';

export interface ListRetirableGrantsRequest {
  readonly RetiringPrincipal?: string;
  readonly RetiringServicePrincipal?: string;
  /** 1–1000, of which 100 are listed at most; 50 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

/**
 * Lists the grants of this region's keys that a principal of the caller's account may retire, in the order of their ids, page by page.
 *
 * @throws {@link KmsError} `ValidationException` where not exactly one principal is named; `AccessDeniedException` for one of another account
 * @source AWS KMS API Reference, ListRetirableGrants
 */
export const listRetirableGrants: Operation<ListRetirableGrantsRequest, GrantList> = async (call, request) => {
  const { grants, home } = call.region;
  const retiring = requireParty(request.RetiringPrincipal, request.RetiringServicePrincipal, 'Retiring');
  if (retiring === null) {
    throw validationError('Either RetiringPrincipal or RetiringServicePrincipal must be specified.');
  }
  if (retiring.kind === 'service') {
    throw validationError('RetiringServicePrincipal can be used by services only.');
  }
  authorizeAccount(call, 'ListRetirableGrants', { resource: retiring.name, ofCaller: true });
  if (accountOf(retiring.name) !== call.caller.account) {
    throw accessDenied(call, 'ListRetirableGrants', retiring.name, 'because the principal belongs to another account');
  }
  const limit = Math.min(request.Limit ?? GRANTS_PAGE.absent, GRANTS_PAGE.max);
  const after = readMarker(request.Marker, isGrantId) ?? '';
  const { page, ...end } = pageOf(
    grants.retirableGrants(retiring.name, { after, limit: limit + 1 }),
    limit,
    (grant) => grant.grantId,
  );
  return { Grants: page.map((grant) => describeGrant(home, grant)), ...end };
};
