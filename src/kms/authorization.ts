import { KmsError } from './errors.js';
import type { KeyRecord } from './key_record.js';
import type { EncryptionContext } from './ports.js';
import type { Call } from './region.js';

/** What a request says that policies and grants may ask about. */
export interface RequestFacts {
  readonly grantTokens?: readonly string[] | undefined;
  /** Of the side that this permission is about. */
  readonly encryptionContext?: EncryptionContext | undefined;
  /** Values of condition keys that follow from the request, for example `kms:EncryptionAlgorithm`. Absent members are not set. */
  readonly conditions?: Readonly<Record<`${'kms' | 'aws'}:${string}`, ConditionValue | undefined>>;
}

/** A value of a condition key. */
export type ConditionValue = string | number | boolean | Date | readonly string[];

/**
 * Checks that the caller may use a key.
 *
 * Principals of the key's account may do everything, as under the default key policy with administrators only. The audit trail
 * learns here which key a call is about.
 *
 * @param operation - name of the permission without `kms:`
 * @throws {@link KmsError} `AccessDeniedException`; `InvalidGrantTokenException` where a grant token is given
 */
export function authorizeKey(call: Call, operation: string, record: KeyRecord, facts: RequestFacts = {}): void {
  call.note?.({ keyArn: record.arn });
  requireAccount(call, operation, record.account, record.arn);
  if (facts.grantTokens !== undefined && facts.grantTokens.length > 0) {
    throw new KmsError('InvalidGrantTokenException', 'The grant token does not belong to a grant of this key.');
  }
}

/**
 * Checks that the caller may do what concerns no single key: its identity policy decides.
 *
 * @param operation - name of the permission without `kms:`
 * @param facts.resource - ARN of what it is done to; `*` where it is nothing in particular
 * @throws {@link KmsError} `AccessDeniedException`
 */
export function authorizeAccount(
  call: Call,
  operation: string,
  facts: Pick<RequestFacts, 'conditions'> & { readonly resource?: string } = {},
): void {
  requireAccount(call, operation, call.region.home.account, facts.resource ?? '*');
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

function requireAccount(call: Call, operation: string, account: string, resource: string): void {
  if (call.caller.account === account) return;
  throw new KmsError(
    'AccessDeniedException',
    `User: ${call.caller.principal} is not authorized to perform: kms:${operation} on resource: ${resource}`,
  );
}
