import { LIMITS } from '../limits.js';
import type { ConditionContext } from './condition_context.js';
import { parsePolicy, type PolicyKind, type PolicyStatement } from './policy_document.js';
import type { CallerIdentity } from './policy_principal.js';

/** What a policy is asked. */
export interface PolicyQuestion {
  readonly caller: CallerIdentity;
  /** In lower case, with its prefix: `kms:encrypt`. */
  readonly action: string;
  /** ARN, or `*` for what concerns nothing in particular. */
  readonly resource: string;
  readonly context: ConditionContext;
}

/**
 * What a policy says: `denied` wins over everything; `delegated`: a key policy leaves it to the identity policies of the caller's
 * account; `silent`: nothing allows it.
 */
export type PolicyVerdict = 'denied' | 'allowed' | 'delegated' | 'silent';

/** A policy that is ready to be asked. */
export interface CompiledPolicy {
  readonly statements: readonly PolicyStatement[];
}

const compiled: Readonly<Record<PolicyKind, Map<string, CompiledPolicy>>> = { key: new Map(), identity: new Map() };

/**
 * Compiles a policy, or takes one of the same text that is remembered: many keys share one policy.
 *
 * @param text - JSON
 * @throws {@link KmsError} `MalformedPolicyDocumentException`
 */
export function compilePolicy(text: string, kind: PolicyKind): CompiledPolicy {
  const known = compiled[kind];
  const remembered = known.get(text);
  if (remembered !== undefined) return remembered;
  const policy: CompiledPolicy = { statements: parsePolicy(text, kind) };
  if (known.size >= LIMITS.kmsCompiledPoliciesMax) known.delete(known.keys().next().value ?? '');
  known.set(text, policy);
  return policy;
}

/**
 * Asks a policy. The policy of a principal is asked about that principal only.
 *
 * @source IAM User Guide, "Policy evaluation logic"; AWS KMS Developer Guide, "Default key policy"
 */
export function evaluatePolicy(policy: CompiledPolicy, question: PolicyQuestion): PolicyVerdict {
  const { caller, action, resource, context } = question;
  let verdict: PolicyVerdict = 'silent';
  for (const statement of policy.statements) {
    const { effect, principals } = statement;
    // What would change nothing is not looked at.
    if (effect === 'Allow' && verdict === 'allowed') continue;
    const naming = principals === null ? 'direct' : principals(caller);
    if (naming === undefined || !statement.coversAction(action) || !statement.coversResource(resource, context))
      continue;
    if (!statement.conditions.every((holds) => holds(context))) continue;
    if (effect === 'Deny') return 'denied';
    verdict = naming === 'direct' ? 'allowed' : 'delegated';
  }
  return verdict;
}
