import { GRANT_OPERATIONS } from '../../kms/grant.js';
import { createGrant } from '../../kms/operations/create_grant.js';
import { getKeyPolicy } from '../../kms/operations/get_key_policy.js';
import { listGrants } from '../../kms/operations/list_grants.js';
import { listKeyPolicies } from '../../kms/operations/list_key_policies.js';
import { listRetirableGrants } from '../../kms/operations/list_retirable_grants.js';
import { putKeyPolicy } from '../../kms/operations/put_key_policy.js';
import { retireGrant } from '../../kms/operations/retire_grant.js';
import { revokeGrant } from '../../kms/operations/revoke_grant.js';
import { grantTokens, keyId, marker, matching, policy } from './member_shapes.js';
import { boolean, integer, listOf, map, oneOf, structure, text } from './shape.js';
import { operation, type WireOperation } from './wire_operation.js';

const principal = matching(1, 256, '^[\\w+=,.@:/-]+$');
const servicePrincipal = matching(1, 128, '^([a-z0-9-]+\\.)+(amazonaws|amazon)(\\.[a-z]+)+$');
const grantId = text(1, 128);
const policyName = text(1, 128, { expression: /^\w+$/, shown: '[\\w]+' });
const constraints = structure({
  required: {},
  optional: {
    EncryptionContextSubset: map,
    EncryptionContextEquals: map,
    SourceArn: matching(20, 512, '^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$'),
  },
});
const grantsPage = { Limit: integer(1, 1000), Marker: marker };

/**
 * The operations of key policies and grants, by the name in `X-Amz-Target`.
 *
 * @source AWS KMS API Reference
 */
export const ACCESS_OPERATIONS: readonly (readonly [string, WireOperation])[] = [
  [
    'CreateGrant',
    operation(
      structure({
        required: { KeyId: keyId, Operations: listOf(oneOf(GRANT_OPERATIONS), 2 * GRANT_OPERATIONS.length) },
        optional: {
          GranteePrincipal: principal,
          RetiringPrincipal: principal,
          GranteeServicePrincipal: servicePrincipal,
          RetiringServicePrincipal: servicePrincipal,
          Constraints: constraints,
          GrantTokens: grantTokens,
          Name: matching(1, 256, '^[a-zA-Z0-9:/_-]+$'),
          DryRun: boolean,
        },
      }),
      createGrant,
    ),
  ],
  [
    'GetKeyPolicy',
    operation(structure({ required: { KeyId: keyId }, optional: { PolicyName: policyName } }), getKeyPolicy),
  ],
  [
    'ListGrants',
    operation(
      structure({
        required: { KeyId: keyId },
        optional: {
          ...grantsPage,
          GrantId: grantId,
          GranteePrincipal: principal,
          GranteeServicePrincipal: servicePrincipal,
        },
      }),
      listGrants,
    ),
  ],
  [
    'ListKeyPolicies',
    operation(
      structure({ required: { KeyId: keyId }, optional: { Limit: integer(1, 1000), Marker: marker } }),
      listKeyPolicies,
    ),
  ],
  [
    'ListRetirableGrants',
    operation(
      structure({
        required: {},
        optional: { ...grantsPage, RetiringPrincipal: principal, RetiringServicePrincipal: servicePrincipal },
      }),
      listRetirableGrants,
    ),
  ],
  [
    'PutKeyPolicy',
    operation(
      structure({
        required: { KeyId: keyId, Policy: policy },
        optional: { PolicyName: policyName, BypassPolicyLockoutSafetyCheck: boolean },
      }),
      putKeyPolicy,
    ),
  ],
  [
    'RetireGrant',
    operation(
      structure({
        required: {},
        optional: { GrantToken: text(1, 8192), KeyId: keyId, GrantId: grantId, DryRun: boolean },
      }),
      retireGrant,
    ),
  ],
  [
    'RevokeGrant',
    operation(structure({ required: { KeyId: keyId, GrantId: grantId }, optional: { DryRun: boolean } }), revokeGrant),
  ],
];
