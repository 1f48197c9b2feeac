import type { ConditionContext } from './condition_context.js';
import { malformedPolicy } from './errors.js';
import { compileConditionTest, type ConditionTest } from './policy_condition.js';
import { compileWildcards, type Matcher } from './policy_pattern.js';
import { compileOtherPrincipals, compilePrincipals, type PrincipalMatcher } from './policy_principal.js';
import { compileTemplate } from './policy_template.js';

/** Whose policy it is: a key's, which names principals, or a principal's, which does not. */
export type PolicyKind = 'key' | 'identity';

/** A statement that is ready to be evaluated. */
export interface PolicyStatement {
  readonly effect: 'Allow' | 'Deny';
  /** Null in policies of principals. */
  readonly principals: PrincipalMatcher | null;
  /** @param action - in lower case, with its prefix: `kms:encrypt` */
  readonly coversAction: Matcher;
  readonly coversResource: (arn: string, context: ConditionContext) => boolean;
  /** All have to hold. */
  readonly conditions: readonly ConditionTest[];
}

const NAMES: Readonly<Record<PolicyKind, string>> = { key: 'key policy', identity: 'identity policy' };
const VERSIONS = ['2012-10-17', '2008-10-17'];
const DOCUMENT_MEMBERS = ['Version', 'Id', 'Statement'];
const STATEMENT_MEMBERS = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];
const ACTION = /^(?:\*|[a-zA-Z0-9*?-]+:[\w*?-]+)$/;

/**
 * Reads a policy and compiles its statements.
 *
 * @param text - JSON
 * @throws {@link KmsError} `MalformedPolicyDocumentException`
 * @source IAM User Guide, "IAM JSON policy reference"; AWS KMS Developer Guide, "Key policies"
 */
export function parsePolicy(text: string, kind: PolicyKind): readonly PolicyStatement[] {
  const what = NAMES[kind];
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw malformedPolicy(`The ${what} is not valid JSON.`);
  }
  if (!isObject(document)) throw malformedPolicy(`The ${what} is not a JSON object.`);
  requireMembers(document, DOCUMENT_MEMBERS, `The ${what}`);
  const version = document['Version'] ?? '2008-10-17';
  if (typeof version !== 'string' || !VERSIONS.includes(version)) {
    throw malformedPolicy(`The ${what} has an unknown Version.`);
  }
  if (document['Id'] !== undefined && typeof document['Id'] !== 'string') {
    throw malformedPolicy(`The Id of the ${what} is not a text.`);
  }
  const statements = asList(document['Statement']);
  if (statements.length === 0) throw malformedPolicy(`The ${what} has no Statement.`);
  return statements.flatMap((statement) => compileStatement(statement, kind, version === '2012-10-17'));
}

/** @returns nothing for a statement that has no effect */
function compileStatement(statement: unknown, kind: PolicyKind, variables: boolean): readonly PolicyStatement[] {
  const what = `A Statement of the ${NAMES[kind]}`;
  if (!isObject(statement)) throw malformedPolicy(`${what} is not a JSON object.`);
  requireMembers(statement, STATEMENT_MEMBERS, what);
  const effect = statement['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') throw malformedPolicy(`${what} has no valid Effect.`);
  if (statement['Sid'] !== undefined && typeof statement['Sid'] !== 'string') {
    throw malformedPolicy(`${what} has a Sid that is not a text.`);
  }
  const principals = compilePrincipalElement(statement, kind, what);
  const actions = oneOfPair(statement, 'Action', what);
  const resources = oneOfPair(statement, 'Resource', what);
  const conditions = compileConditions(statement['Condition'], variables, what);
  const coversAction = actions && compileActions(actions, what);
  const coversResource = resources && compileResources(resources, variables);
  if (coversAction === undefined || coversResource === undefined) {
    // AWS KMS takes key policies with such statements.
    if (kind === 'key') return [];
    throw malformedPolicy(`${what} has no ${coversAction === undefined ? 'Action' : 'Resource'}.`);
  }
  return [{ effect, principals, coversAction, coversResource, conditions }];
}

function compilePrincipalElement(
  statement: Readonly<Record<string, unknown>>,
  kind: PolicyKind,
  what: string,
): PrincipalMatcher | null {
  const { Principal: named, NotPrincipal: others } = statement;
  if (kind === 'identity') {
    if (named === undefined && others === undefined) return null;
    throw malformedPolicy(`${what} names a Principal: it belongs to one.`);
  }
  if (named === undefined && others === undefined) throw malformedPolicy(`${what} has no Principal.`);
  if (named !== undefined && others !== undefined) {
    throw malformedPolicy(`${what} has both Principal and NotPrincipal.`);
  }
  return named === undefined ? compileOtherPrincipals(others) : compilePrincipals(named);
}

/** An element that comes as itself or as its negation. */
interface PatternElement {
  readonly texts: readonly string[];
  readonly negated: boolean;
}

function oneOfPair(
  statement: Readonly<Record<string, unknown>>,
  name: 'Action' | 'Resource',
  what: string,
): PatternElement | undefined {
  const positive = statement[name];
  const negative = statement[`Not${name}`];
  if (positive !== undefined && negative !== undefined)
    throw malformedPolicy(`${what} has both ${name} and Not${name}.`);
  if (positive === undefined && negative === undefined) return undefined;
  const negated = positive === undefined;
  const texts = asList(positive ?? negative).map((text) => requireText(text, `${negated ? 'Not' : ''}${name}`, what));
  return texts.length === 0 ? undefined : { texts, negated };
}

function compileActions({ texts, negated }: PatternElement, what: string): Matcher {
  const wrong = texts.find((text) => !ACTION.test(text));
  if (wrong !== undefined) throw malformedPolicy(`${what} has the malformed Action ${JSON.stringify(wrong)}.`);
  const matchers = texts.map((text) => compileWildcards(text.toLowerCase()));
  const [only] = matchers;
  if (only !== undefined && matchers.length === 1 && !negated) return only;
  return (action) => matchers.some((fits) => fits(action)) !== negated;
}

function compileResources({ texts, negated }: PatternElement, variables: boolean): PolicyStatement['coversResource'] {
  const matchers = texts.map((text) => compileTemplate(text, { wildcards: true, ignoreCase: false, variables }));
  const [only] = matchers;
  if (only !== undefined && matchers.length === 1 && !negated) return only;
  return (arn, context) => matchers.some((fits) => fits(arn, context)) !== negated;
}

function compileConditions(element: unknown, variables: boolean, what: string): readonly ConditionTest[] {
  if (element === undefined) return [];
  if (!isObject(element)) throw malformedPolicy(`${what} has a Condition that is not a JSON object.`);
  return Object.entries(element).flatMap(([operator, keys]) => {
    if (!isObject(keys)) throw malformedPolicy(`${what} has the condition ${operator}, which is not a JSON object.`);
    return Object.entries(keys).map(([key, value]) => {
      const values = asList(value).map((one) => {
        if (typeof one === 'string') return one;
        if (typeof one === 'boolean' || typeof one === 'number') return String(one);
        throw malformedPolicy(`${what} compares ${key} with what is neither a text, a number nor a boolean.`);
      });
      return compileConditionTest(operator, key, values, { variables });
    });
  });
}

function requireMembers(object: Readonly<Record<string, unknown>>, known: readonly string[], what: string): void {
  const unknown = Object.keys(object).find((name) => !known.includes(name));
  if (unknown !== undefined) throw malformedPolicy(`${what} has the unknown member ${JSON.stringify(unknown)}.`);
}

function requireText(value: unknown, member: string, what: string): string {
  if (typeof value !== 'string') throw malformedPolicy(`${what} has a ${member} that is not a text.`);
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asList(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
