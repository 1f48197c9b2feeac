import { KmsError, validationError } from './errors.js';
import { grantOperationsOf, type GrantConstraints, type GrantOperation, type GrantParty } from './grant.js';
import type { KeyRecord } from './key_record.js';
import { isPrincipalArn } from './policy_principal.js';
import type { EncryptionContext } from './ports.js';
import type { RequestConditions } from './request_context.js';

/** Pairs of one encryption context constraint, and characters of each value. @source AWS KMS API Reference, GrantConstraints */
const CONSTRAINT_PAIRS_MAX = 8;
const CONSTRAINT_VALUE_CHARACTERS_MAX = 384;
const GRANT_ID = /^[0-9a-f]{64}$/;

/** The members of CreateGrant that say whom a grant is for and what it permits. */
export interface GrantMembers {
  readonly Operations: readonly GrantOperation[];
  readonly GranteePrincipal?: string;
  readonly GranteeServicePrincipal?: string;
  readonly RetiringPrincipal?: string;
  readonly RetiringServicePrincipal?: string;
  readonly Constraints?: GrantConstraints;
}

/** What such members mean. */
export interface RequestedGrant {
  readonly grantee: GrantParty;
  readonly retiring: GrantParty | null;
  readonly operations: readonly GrantOperation[];
  readonly constraints: GrantConstraints;
}

/**
 * Reads the members of a grant that is to be made.
 *
 * @throws {@link KmsError} `ValidationException` for members that exclude or need one another; `InvalidArnException` for what is no
 * principal
 * @source AWS KMS API Reference, CreateGrant
 */
export function readGrantMembers(members: GrantMembers): RequestedGrant {
  const grantee = requireParty(members.GranteePrincipal, members.GranteeServicePrincipal, 'Grantee');
  if (grantee === null) {
    throw validationError('Either GranteePrincipal or GranteeServicePrincipal must be specified.');
  }
  const retiring = requireParty(members.RetiringPrincipal, members.RetiringServicePrincipal, 'Retiring');
  const constraints = readConstraints(members.Constraints ?? {});
  if (grantee.kind === 'service' && (constraints.SourceArn === undefined || retiring === null)) {
    throw validationError('A grant to a service needs a SourceArn constraint and a retiring principal.');
  }
  if (members.Operations.length === 0) throw validationError('Operations must name at least one grant operation.');
  return { grantee, retiring, operations: [...new Set(members.Operations)], constraints };
}

/**
 * Checks that a key can do what a grant is to permit on it.
 *
 * @throws {@link KmsError} `ValidationException`
 */
export function requireGrantable(record: KeyRecord, grant: RequestedGrant): void {
  const possible = grantOperationsOf(record);
  const impossible = grant.operations.find((operation) => !possible.includes(operation));
  if (impossible !== undefined) {
    throw validationError(
      `The grant operation ${impossible} is not supported for key spec ${record.keySpec} with key usage ${record.keyUsage}.`,
    );
  }
  const { EncryptionContextEquals: whole, EncryptionContextSubset: subset } = grant.constraints;
  if (record.keySpec !== 'SYMMETRIC_DEFAULT' && (whole !== undefined || subset !== undefined)) {
    throw validationError(`An encryption context constraint cannot be used with key spec ${record.keySpec}.`);
  }
}

/** Condition keys of a grant that is to be made. */
export function grantConditions(grant: RequestedGrant): RequestConditions {
  const { grantee, retiring, constraints } = grant;
  const types = (['EncryptionContextEquals', 'EncryptionContextSubset', 'SourceArn'] as const).filter(
    (type) => constraints[type] !== undefined,
  );
  return {
    'kms:GrantOperations': grant.operations,
    'kms:GrantConstraintType': types.length === 0 ? undefined : types,
    'kms:GranteePrincipal': grantee.name,
    'kms:RetiringPrincipal': retiring?.name,
    // True only where a service calls for its user.
    'kms:GrantIsForAWSResource': false,
  };
}

/** The encryption context that a grant speaks of. */
export function grantContext({ constraints }: Pick<RequestedGrant, 'constraints'>): EncryptionContext | undefined {
  return constraints.EncryptionContextEquals ?? constraints.EncryptionContextSubset;
}

/** Whether a text has the form of a grant id. */
export function isGrantId(text: string): boolean {
  return GRANT_ID.test(text);
}

/**
 * Checks the form of a grant id.
 *
 * @throws {@link KmsError} `InvalidGrantIdException`
 */
export function requireGrantId(text: string): string {
  if (isGrantId(text)) return text;
  throw new KmsError('InvalidGrantIdException', `Invalid grant ID '${text}'`);
}

/** No grant of the key has this id. */
export function grantNotFound(grantId: string): KmsError {
  return new KmsError('NotFoundException', `Grant ID ${grantId} not found`);
}

/**
 * Reads whom a member names.
 *
 * @returns null where none is there
 * @throws {@link KmsError} `ValidationException` where both are; `InvalidArnException`
 */
export function requireParty(
  principal: string | undefined,
  service: string | undefined,
  which: 'Grantee' | 'Retiring',
): GrantParty | null {
  if (principal !== undefined && service !== undefined) {
    throw validationError(`${which}Principal and ${which}ServicePrincipal cannot be used together.`);
  }
  if (service !== undefined) return { kind: 'service', name: service };
  if (principal === undefined) return null;
  if (!isPrincipalArn(principal)) {
    throw new KmsError('InvalidArnException', `Invalid arn for the ${which.toLowerCase()} principal: ${principal}`);
  }
  return { kind: 'principal', name: principal };
}

function readConstraints(given: GrantConstraints): GrantConstraints {
  const { EncryptionContextEquals: whole, EncryptionContextSubset: subset, SourceArn: source } = given;
  for (const context of [whole, subset]) {
    const values = Object.values(context ?? {});
    if (values.length > CONSTRAINT_PAIRS_MAX) {
      throw validationError(`An encryption context constraint has at most ${CONSTRAINT_PAIRS_MAX} pairs.`);
    }
    if (values.some((value) => value.length > CONSTRAINT_VALUE_CHARACTERS_MAX)) {
      throw validationError(
        `A value of an encryption context constraint has at most ${CONSTRAINT_VALUE_CHARACTERS_MAX} characters.`,
      );
    }
  }
  return {
    ...(whole !== undefined && { EncryptionContextEquals: whole }),
    ...(subset !== undefined && { EncryptionContextSubset: subset }),
    ...(source !== undefined && { SourceArn: source }),
  };
}
