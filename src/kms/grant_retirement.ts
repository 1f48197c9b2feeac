import { accessDenied, identityVerdict } from './authorization.js';
import type { GrantParty, GrantRecord } from './grant.js';
import { grantContext } from './grant_request.js';
import type { KeyRecord } from './key_record.js';
import { accountOf, identityOf, withoutRolePath, type CallerIdentity } from './policy_principal.js';
import type { Call } from './region.js';

/**
 * Checks that the caller may retire a grant: the grant says who may, and so do the identity policies of the account that made it. Key
 * policies have no say.
 *
 * @throws {@link KmsError} `AccessDeniedException`
 * @source AWS KMS API Reference, RetireGrant; AWS KMS Developer Guide, "Retiring and revoking grants"
 */
export function authorizeRetirement(call: Call, record: KeyRecord, grant: GrantRecord): void {
  call.note?.({ keyArn: record.arn });
  const caller = identityOf(call.caller);
  const verdict = identityVerdict(call, 'RetireGrant', record, { encryptionContext: grantContext(grant) });
  const byAccount = verdict === 'allowed';
  const mayByGrant =
    isParty(grant.retiring, caller, byAccount) ||
    (grant.operations.includes('RetireGrant') && isParty(grant.grantee, caller, byAccount));
  const mayByAccount = byAccount && caller.account === accountOf(grant.issuingAccount);
  if (verdict !== 'denied' && (mayByGrant || mayByAccount)) return;
  throw accessDenied(
    call,
    'RetireGrant',
    record.arn,
    verdict === 'denied'
      ? 'with an explicit deny in an identity-based policy'
      : 'because no grant and no identity-based policy of its account allows the kms:RetireGrant action',
  );
}

/** Whether a grant names the caller, or its account where that lets the caller speak for it. */
function isParty(party: GrantParty | null, caller: CallerIdentity, byAccount: boolean): boolean {
  if (party === null || party.kind === 'service') return false;
  const name = withoutRolePath(party.name);
  return caller.names.includes(name) || (byAccount && name === caller.rootArn);
}
