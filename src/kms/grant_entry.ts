import type { GrantConstraints, GrantOperation, GrantParty, GrantRecord } from './grant.js';
import { keyArn, type KeyHome } from './key_id.js';

/** Grants of one page. @source AWS KMS API Reference, ListGrants, ListRetirableGrants */
export const GRANTS_PAGE = { absent: 50, max: 100 } as const;

/** `GrantListEntry` of the AWS KMS API. */
export interface GrantEntry {
  readonly KeyId: string;
  readonly GrantId: string;
  readonly Name?: string;
  readonly CreationDate: Date;
  readonly GranteePrincipal?: string;
  readonly GranteeServicePrincipal?: string;
  readonly RetiringPrincipal?: string;
  readonly RetiringServicePrincipal?: string;
  readonly IssuingAccount: string;
  readonly Operations: readonly GrantOperation[];
  readonly Constraints?: GrantConstraints;
}

/** One part of a list of grants, as the AWS KMS API gives it. */
export interface GrantList {
  readonly Grants: readonly GrantEntry[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/** Describes a grant as the AWS KMS API does. */
export function describeGrant(home: KeyHome, grant: GrantRecord): GrantEntry {
  const { constraints } = grant;
  return {
    KeyId: keyArn(home, grant.keyId),
    GrantId: grant.grantId,
    ...(grant.name !== null && { Name: grant.name }),
    CreationDate: new Date(grant.createdMs),
    ...named('Grantee', grant.grantee),
    ...named('Retiring', grant.retiring),
    IssuingAccount: grant.issuingAccount,
    Operations: grant.operations,
    ...(Object.keys(constraints).length > 0 && { Constraints: constraints }),
  };
}

function named(which: 'Grantee' | 'Retiring', party: GrantParty | null): Partial<GrantEntry> {
  if (party === null) return {};
  return { [`${which}${party.kind === 'service' ? 'Service' : ''}Principal`]: party.name };
}
