import { KmsError } from './errors.js';
import type { GrantedRequest, GrantPermission } from './grant.js';
import { permits } from './grant.js';
import { findGrantOfToken } from './grant_token.js';
import type { KeyRecord } from './key_record.js';
import {
  compilePolicy,
  evaluatePolicy,
  type CompiledPolicy,
  type PolicyQuestion,
  type PolicyVerdict,
} from './policy_evaluation.js';
import { identityOf, type CallerIdentity } from './policy_principal.js';
import { RequestContext, type RequestFacts } from './request_context.js';
import type { Call, Caller, KmsRegion } from './region.js';

export type { ConditionValue } from './condition_context.js';
export type { RequestConditions, RequestFacts } from './request_context.js';

/** By what a caller may do something. */
export interface Authorization {
  /** The permissions of grants that allow it; null where policies do. */
  readonly grants: readonly GrantPermission[] | null;
}

const BY_POLICY: Authorization = Object.freeze({ grants: null });

/**
 * Permissions that principals of other accounts can have.
 *
 * @source AWS KMS Developer Guide, "AWS KMS permissions", column "Cross-account use"
 */
const CROSS_ACCOUNT: ReadonlySet<string> = new Set([
  'CreateGrant',
  'Decapsulate',
  'Decrypt',
  'DeriveSharedSecret',
  'DescribeKey',
  'Encapsulate',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'GetKeyRotationStatus',
  'GetPublicKey',
  'ListGrants',
  'ReEncryptFrom',
  'ReEncryptTo',
  'RevokeGrant',
  'Sign',
  'Verify',
  'VerifyMac',
]);

const actions = new Map<string, string>();

/**
 * Checks that the caller may use a key: an explicit denial wins; otherwise the key policy allows it, or leaves it to the account whose
 * identity policies allow it, or a grant does. The audit trail learns here which key a call is about.
 *
 * @param operation - name of the permission without `kms:`
 * @throws {@link KmsError} `AccessDeniedException`; `InvalidGrantTokenException` for a grant token that belongs to no grant
 * @source AWS KMS Developer Guide, "Determining access to AWS KMS keys"
 */
export function authorizeKey(
  call: Call,
  operation: string,
  record: KeyRecord,
  facts: RequestFacts = {},
): Authorization {
  call.note?.({ keyArn: record.arn });
  // A grant works from the moment it is made, so that its tokens only have to be genuine.
  for (const token of facts.grantTokens ?? []) findGrantOfToken(call.region.grants, token);
  const question = questionOf(call, operation, { resource: record.arn, record, facts });
  const ofKey = askKeyPolicy(call.region, record, question);
  const ofIdentity = askIdentityPolicy(call.caller, question);
  const { caller } = question;
  const isForeign = caller.account !== record.account;
  if (!isForeign) {
    if (ofKey === 'denied')
      throw accessDenied(call, operation, question.resource, 'with an explicit deny in a resource-based policy');
    if (ofIdentity === 'denied') throw deniedByIdentity(call, operation, question.resource);
    if (ofKey === 'allowed' || (ofKey === 'delegated' && ofIdentity === 'allowed')) return BY_POLICY;
    const grants = grantsFor(call.region, record, { caller, ofIdentity, operation, facts });
    if (grants.length > 0) return { grants };
    throw accessDenied(
      call,
      operation,
      question.resource,
      `because no ${ofKey === 'delegated' ? 'identity' : 'resource'}-based policy allows the kms:${operation} action`,
    );
  }
  // What a stranger is told does not depend on the key before its own account lets it ask.
  if (ofIdentity === 'denied') throw deniedByIdentity(call, operation, question.resource);
  if (ofIdentity !== 'allowed') {
    throw accessDenied(
      call,
      operation,
      question.resource,
      `because no identity-based policy allows the kms:${operation} action`,
    );
  }
  if (ofKey === 'denied' || !CROSS_ACCOUNT.has(operation)) throw foreignKeyInaccessible(call.caller);
  if (ofKey !== 'silent') return BY_POLICY;
  const grants = grantsFor(call.region, record, { caller, ofIdentity, operation, facts });
  if (grants.length === 0) throw foreignKeyInaccessible(call.caller);
  return { grants };
}

/**
 * Checks that the caller may do what concerns no single key: its identity policy decides.
 *
 * @param operation - name of the permission without `kms:`
 * @param facts.resource - ARN of what it is done to; `*` where it is nothing in particular
 * @param facts.ofCaller - whether it belongs to the caller's account, and not to the account of the region's keys
 * @throws {@link KmsError} `AccessDeniedException`
 */
export function authorizeAccount(
  call: Call,
  operation: string,
  facts: Pick<RequestFacts, 'conditions'> & { readonly resource?: string; readonly ofCaller?: boolean } = {},
): void {
  const resource = facts.resource ?? '*';
  const question = questionOf(call, operation, { resource, record: undefined, facts });
  const verdict = askIdentityPolicy(call.caller, question);
  if (verdict === 'denied') throw deniedByIdentity(call, operation, question.resource);
  const isForeign = facts.ofCaller !== true && question.caller.account !== call.region.home.account;
  if (verdict !== 'allowed' || isForeign) {
    throw accessDenied(
      call,
      operation,
      question.resource,
      `because no identity-based policy allows the kms:${operation} action`,
    );
  }
}

/**
 * Checks that the caller may do something to an alias: its identity policy decides. The key has to be asked for beside.
 *
 * @param operation - name of the permission without `kms:`
 * @param aliasArn - of the alias, whether it exists or not
 * @throws {@link KmsError} `AccessDeniedException`
 */
export function authorizeAlias(call: Call, operation: string, aliasArn: string): void {
  authorizeAccount(call, operation, { resource: aliasArn });
}

/** Whether a principal's identity policy allows something on a key. The account's root needs none. */
export function identityVerdict(call: Call, operation: string, record: KeyRecord, facts: RequestFacts): PolicyVerdict {
  return askIdentityPolicy(call.caller, questionOf(call, operation, { resource: record.arn, record, facts }));
}

/** The answer to a caller of another account about a key that it may not use, and about one that does not exist: the same. */
export function foreignKeyInaccessible(caller: Caller): KmsError {
  return new KmsError(
    'AccessDeniedException',
    `User: ${caller.principal} is not authorized to perform this operation on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`,
  );
}

/** What a policy is to be asked about a call. */
export function questionOf(
  call: Call,
  operation: string,
  about: { readonly resource: string; readonly record: KeyRecord | undefined; readonly facts: RequestFacts },
): PolicyQuestion {
  return {
    caller: identityOf(call.caller),
    action: actionOf(operation),
    resource: about.resource,
    context: new RequestContext(call, about.record, about.facts),
  };
}

function actionOf(operation: string): string {
  let action = actions.get(operation);
  if (action === undefined) {
    action = `kms:${operation.toLowerCase()}`;
    actions.set(operation, action);
  }
  return action;
}

function askKeyPolicy(region: KmsRegion, record: KeyRecord, question: PolicyQuestion): PolicyVerdict {
  const text = region.store.policy(record.keyId);
  const policy = text === undefined ? undefined : readablePolicy(text);
  if (policy !== undefined) return evaluatePolicy(policy, question);
  // A replica gets its policy from another region, which may be of another version: the root can put a new one.
  return question.caller.isRoot && question.caller.account === record.account ? 'allowed' : 'silent';
}

function readablePolicy(text: string): CompiledPolicy | undefined {
  try {
    return compilePolicy(text, 'key');
  } catch (error) {
    if (error instanceof KmsError) return undefined;
    throw error;
  }
}

/** A credential without a policy is an administrator's, and no policy binds the root of an account. */
function askIdentityPolicy(caller: Caller, question: PolicyQuestion): PolicyVerdict {
  const text = caller.identityPolicy;
  if (text === undefined || text === null || question.caller.isRoot) return 'allowed';
  return evaluatePolicy(compilePolicy(text, 'identity'), question);
}

/** What grants let the caller do: those to itself, and those to its account where its identity policy allows it too. */
function grantsFor(
  region: KmsRegion,
  record: KeyRecord,
  asked: {
    readonly caller: CallerIdentity;
    readonly ofIdentity: PolicyVerdict;
    readonly operation: string;
    readonly facts: RequestFacts;
  },
): readonly GrantPermission[] {
  const { caller, ofIdentity, operation, facts } = asked;
  const source = facts.conditions?.['aws:SourceArn'];
  const request: GrantedRequest = {
    operation,
    encryptionContext: facts.encryptionContext,
    sourceArn: typeof source === 'string' ? source : undefined,
  };
  const names = ofIdentity === 'allowed' && !caller.isRoot ? [...caller.names, caller.rootArn] : caller.names;
  return names
    .flatMap((name) => region.grants.permissions(record.keyId, name))
    .filter((permission) => permits(permission, request));
}

function deniedByIdentity(call: Call, operation: string, resource: string): KmsError {
  return accessDenied(call, operation, resource, 'with an explicit deny in an identity-based policy');
}

/** The refusal of a permission. @param reason - ends the sentence */
export function accessDenied(call: Call, operation: string, resource: string, reason: string): KmsError {
  return new KmsError(
    'AccessDeniedException',
    `User: ${call.caller.principal} is not authorized to perform: kms:${operation} on resource: ${resource} ${reason}`,
  );
}
