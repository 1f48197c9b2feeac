import { randomBytes } from 'node:crypto';
import { LIMITS } from '../../limits.js';
import { accessDenied, authorizeKey } from '../authorization.js';
import { dryRunSucceeded, KmsError } from '../errors.js';
import { isSameGrant, mayHandOn } from '../grant.js';
import {
  grantConditions,
  grantContext,
  readGrantMembers,
  requireGrantable,
  type GrantMembers,
  type RequestedGrant,
} from '../grant_request.js';
import type { StoredGrant } from '../grant_store.js';
import { makeGrantToken } from '../grant_token.js';
import { findKey } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import { identityOf } from '../policy_principal.js';
import type { Call, Operation } from '../region.js';

const SECRET_BYTES = 32;
const GRANT_ID_BYTES = 32;

export interface CreateGrantRequest extends GrantMembers {
  readonly KeyId: string;
  readonly GrantTokens?: readonly string[];
  /** 1–256 characters. */
  readonly Name?: string;
  readonly DryRun?: boolean;
}

export interface CreateGrantResponse {
  readonly GrantToken: string;
  readonly GrantId: string;
}

/**
 * Makes a grant, which works at once. With a name, the same request again finds the grant that it made before and gets another
 * token of it.
 *
 * @throws {@link KmsError} members as {@link readGrantMembers}; lookup, authorisation, state, `ValidationException` for operations that
 * the key does not have; `LimitExceededException`; `DryRunOperationException` last
 * @source AWS KMS API Reference, CreateGrant
 */
export const createGrant: Operation<CreateGrantRequest, CreateGrantResponse> = async (call, request) => {
  const { grants, clock } = call.region;
  const wanted = readGrantMembers(request);
  const record = findKey(call, request.KeyId, 'key');
  authorizeGrant(call, record, wanted, request.GrantTokens);
  requireState('use', record.state, record.arn);
  requireGrantable(record, wanted);
  const made: StoredGrant = {
    ...wanted,
    grantId: randomBytes(GRANT_ID_BYTES).toString('hex'),
    keyId: record.keyId,
    name: request.Name ?? null,
    createdMs: clock.nowMs(),
    issuingAccount: identityOf(call.caller).rootArn,
    tokenSecret: randomBytes(SECRET_BYTES),
  };
  const earlier =
    made.name === null
      ? undefined
      : grants.grantsNamed(record.keyId, made.name).find((candidate) => isSameGrant(candidate, made));
  if (earlier === undefined && grants.countGrants(record.keyId) >= LIMITS.kmsGrantsPerKeyMax) {
    throw new KmsError(
      'LimitExceededException',
      `The key ${record.arn} has ${LIMITS.kmsGrantsPerKeyMax} grants, which is the limit.`,
    );
  }
  if (request.DryRun === true) throw dryRunSucceeded();
  if (earlier === undefined) grants.insertGrant(made);
  const grant = earlier ?? made;
  return { GrantToken: makeGrantToken(grant), GrantId: grant.grantId };
};

/** Whoever may make grants because of a grant hands on nothing that it does not have. */
function authorizeGrant(
  call: Call,
  record: KeyRecord,
  wanted: RequestedGrant,
  grantTokens: readonly string[] | undefined,
): void {
  const { grants } = authorizeKey(call, 'CreateGrant', record, {
    grantTokens,
    encryptionContext: grantContext(wanted),
    conditions: grantConditions(wanted),
  });
  if (grants === null || grants.some((own) => mayHandOn(own, wanted))) return;
  throw accessDenied(
    call,
    'CreateGrant',
    record.arn,
    'because no grant allows the kms:CreateGrant action for these operations and constraints',
  );
}
