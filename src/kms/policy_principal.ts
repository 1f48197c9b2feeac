import { malformedPolicy } from './errors.js';
import type { Caller } from './region.js';

/** Who calls, by all the names that a policy or a grant may call it. */
export interface CallerIdentity {
  /** ARN of the principal: of the session, where a role was assumed. */
  readonly arn: string;
  readonly account: string;
  /** ARN of the user or role behind the call; of a role without its path where only the session is known. */
  readonly principalArn: string;
  /** Names that mean this principal and no other; roles without their path. */
  readonly names: readonly string[];
  /** ARN of the account's root, which stands for the whole account. */
  readonly rootArn: string;
  readonly isRoot: boolean;
  /** Of an IAM user. */
  readonly userName: string | undefined;
}

/** How a policy names a caller: itself, or through its account. */
export type Naming = 'direct' | 'account';

/** How a `Principal` or `NotPrincipal` names a caller; undefined where it does not. */
export type PrincipalMatcher = (caller: CallerIdentity) => Naming | undefined;

const ACCOUNT = /^\d{12}$/;
const ROOT = /^arn:[a-z0-9-]+:iam::(\d{12}):root$/;
const PRINCIPAL =
  /^arn:[a-z0-9-]+:(?:iam::\d{12}:(?:root|(?:user|role)\/[\w+=,.@/-]+)|sts::\d{12}:(?:assumed-role\/[\w+=,.@-]+\/[\w+=,.@-]+|federated-user\/[\w+=,.@-]+))$/;
/** Unique id of a principal that was deleted: it names nobody. */
const UNIQUE_ID = /^A[A-Z]{3}[A-Z0-9]{12,60}$/;
const ROLE = /^(arn:[a-z0-9-]+:iam::\d{12}:role)\/(?:.*\/)?([^/]+)$/;
const SESSION = /^arn:([a-z0-9-]+):sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/;
const USER = /^arn:[a-z0-9-]+:iam::\d{12}:user\/(?:.*\/)?([^/]+)$/;
const KINDS = ['AWS', 'Service', 'Federated', 'CanonicalUser'];

const identities = new WeakMap<Caller, CallerIdentity>();

/** All names of a caller; found out once. */
export function identityOf(caller: Caller): CallerIdentity {
  const known = identities.get(caller);
  if (known !== undefined) return known;
  const { principal, account } = caller;
  const partition = principal.split(':')[1] ?? 'aws';
  const session = SESSION.exec(principal);
  const principalArn =
    session === null
      ? withoutRolePath(principal)
      : `arn:${session[1] ?? ''}:iam::${session[2] ?? ''}:role/${session[3] ?? ''}`;
  const rootArn = `arn:${partition}:iam::${account}:root`;
  const identity: CallerIdentity = {
    arn: principal,
    account,
    principalArn,
    names: principalArn === principal ? [principal] : [principal, principalArn],
    rootArn,
    isRoot: principal === rootArn,
    userName: USER.exec(principal)?.[1],
  };
  identities.set(caller, identity);
  return identity;
}

/** Whether a text is the ARN of a principal that a policy or a grant may name. */
export function isPrincipalArn(text: string): boolean {
  return PRINCIPAL.test(text);
}

/** A role's ARN without its path, which no session knows; every other text as it is. Role names are unique in an account. */
export function withoutRolePath(arn: string): string {
  const role = ROLE.exec(arn);
  return role === null ? arn : `${role[1] ?? ''}/${role[2] ?? ''}`;
}

/** The account in a principal's ARN. */
export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}

/**
 * Compiles a `Principal` element.
 *
 * @throws {@link KmsError} `MalformedPolicyDocumentException`
 * @source IAM User Guide, "AWS JSON policy elements: Principal"
 */
export function compilePrincipals(element: unknown): PrincipalMatcher {
  let everybody = element === '*';
  const names = new Set<string>();
  const accounts = new Set<string>();
  if (!everybody) {
    if (typeof element !== 'object' || element === null || Array.isArray(element)) throw invalidPrincipals();
    for (const [kind, value] of Object.entries(element)) {
      if (!KINDS.includes(kind)) throw invalidPrincipals();
      const values: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (values.length === 0) throw invalidPrincipals();
      for (const text of values) {
        if (typeof text !== 'string' || text === '') throw invalidPrincipals();
        // Services and federated identities never call a region of Keyferry: they are names of nobody.
        if (kind !== 'AWS') continue;
        const account = ACCOUNT.test(text) ? text : ROOT.exec(text)?.[1];
        if (text === '*') everybody = true;
        else if (account !== undefined) accounts.add(account);
        else if (PRINCIPAL.test(text) || UNIQUE_ID.test(text)) names.add(withoutRolePath(text));
        else throw invalidPrincipals();
      }
    }
  }
  return (caller) => {
    if (everybody || caller.names.some((name) => names.has(name))) return 'direct';
    if (!accounts.has(caller.account)) return undefined;
    return caller.isRoot ? 'direct' : 'account';
  };
}

/** Compiles a `NotPrincipal` element: it names everybody whom the list does not. */
export function compileOtherPrincipals(element: unknown): PrincipalMatcher {
  const listed = compilePrincipals(element);
  return (caller) => (listed(caller) === undefined ? 'direct' : undefined);
}

function invalidPrincipals(): Error {
  return malformedPolicy('Policy contains a statement with one or more invalid principals.');
}
