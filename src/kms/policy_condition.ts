import { BlockList, isIP } from 'node:net';
import { conditionKey, type ConditionContext, type ConditionKey } from './condition_context.js';
import { malformedPolicy } from './errors.js';
import { compileTemplate, type TemplateMatcher } from './policy_template.js';

/** One test of a statement's `Condition`: an operator, a key, and the values that it is compared with. */
export type ConditionTest = (context: ConditionContext) => boolean;

/** Compiles one value of a policy into a comparison with a value of the request. */
type Comparison = (value: string, options: { readonly variables: boolean }) => TemplateMatcher;

interface Operator {
  readonly compare: Comparison;
  /** Whether the test holds where no value fits. */
  readonly negated: boolean;
}

type Qualifier = 'ForAllValues' | 'ForAnyValue' | undefined;

const NUMBER = /^-?\d+(?:\.\d+)?$/;
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;
const ARN_PARTS = 6;

const text =
  (form: { readonly wildcards: boolean; readonly ignoreCase: boolean }): Comparison =>
  (value, options) =>
    compileTemplate(value, { ...form, variables: options.variables });

const ordered =
  (parse: (value: string) => number | undefined, what: string) =>
  (holds: (given: number, wanted: number) => boolean): Comparison =>
  (value) => {
    const wanted = parse(value);
    if (wanted === undefined) throw malformedPolicy(`The policy compares with ${JSON.stringify(value)}, ${what}.`);
    return (given) => {
      const number = parse(given);
      return number !== undefined && holds(number, wanted);
    };
  };
const numeric = ordered((value) => (NUMBER.test(value) ? Number(value) : undefined), 'which is no number');
const date = ordered(timeMs, 'which is no time');

const bool: Comparison = (value) => {
  const wanted = value.toLowerCase();
  if (wanted !== 'true' && wanted !== 'false') {
    throw malformedPolicy(`The policy compares with ${JSON.stringify(value)}, which is neither true nor false.`);
  }
  return (given) => given.toLowerCase() === wanted;
};

const address: Comparison = (value) => {
  const [network = '', bits, ...rest] = value.split('/');
  const family = isIP(network);
  const bitsMax = family === 6 ? 128 : 32;
  const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax);
  if (family === 0 || !isRange || rest.length > 0) {
    throw malformedPolicy(`The policy compares with ${JSON.stringify(value)}, which is no range of addresses.`);
  }
  const list = new BlockList();
  list.addSubnet(network, bits === undefined ? bitsMax : Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  return (given) => {
    const kind = isIP(given);
    return kind !== 0 && list.check(given, kind === 6 ? 'ipv6' : 'ipv4');
  };
};

/** Each of the six parts of an ARN is compared by itself, so that a wildcard does not reach into the next. */
const arn: Comparison = (value, options) => {
  if (value === '*') return (given) => arnParts(given) !== undefined;
  const parts = arnTemplateParts(value);
  if (parts === undefined) {
    throw malformedPolicy(`The policy compares with ${JSON.stringify(value)}, which is no ARN.`);
  }
  const matchers = parts.map((part) =>
    compileTemplate(part, { wildcards: true, ignoreCase: false, variables: options.variables }),
  );
  return (given, context) => {
    const givenParts = arnParts(given);
    return givenParts !== undefined && matchers.every((fits, index) => fits(givenParts[index] ?? '', context));
  };
};

/**
 * Operators of conditions by name.
 *
 * @source IAM User Guide, "IAM JSON policy elements: Condition operators"
 */
const OPERATORS: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    ...withNegation('StringEquals', text({ wildcards: false, ignoreCase: false })),
    ...withNegation('StringEqualsIgnoreCase', text({ wildcards: false, ignoreCase: true })),
    ...withNegation('StringLike', text({ wildcards: true, ignoreCase: false })),
    ...withNegation('ArnEquals', arn),
    ...withNegation('ArnLike', arn),
    ...withNegation(
      'NumericEquals',
      numeric((given, wanted) => given === wanted),
    ),
    ...withNegation(
      'DateEquals',
      date((given, wanted) => given === wanted),
    ),
    ...withNegation('IpAddress', address),
    ...comparisons('Numeric', numeric),
    ...comparisons('Date', date),
    Bool: { compare: bool, negated: false },
    BinaryEquals: { compare: text({ wildcards: false, ignoreCase: false }), negated: false },
  }),
);

function withNegation(name: string, compare: Comparison): Readonly<Record<string, Operator>> {
  const negation = /(?=Equals|Like)/.test(name) ? name.replace(/(?=Equals|Like)/, 'Not') : `Not${name}`;
  return { [name]: { compare, negated: false }, [negation]: { compare, negated: true } };
}

function comparisons(prefix: 'Numeric' | 'Date', family: typeof numeric): Readonly<Record<string, Operator>> {
  return {
    [`${prefix}LessThan`]: { compare: family((given, wanted) => given < wanted), negated: false },
    [`${prefix}LessThanEquals`]: { compare: family((given, wanted) => given <= wanted), negated: false },
    [`${prefix}GreaterThan`]: { compare: family((given, wanted) => given > wanted), negated: false },
    [`${prefix}GreaterThanEquals`]: { compare: family((given, wanted) => given >= wanted), negated: false },
  };
}

/**
 * Compiles one test of a `Condition`.
 *
 * Values are alternatives. A key with several values and no `ForAllValues:` or `ForAnyValue:` is taken for any of them; with a
 * negated operator, for none of them.
 *
 * @param operator - as written, with its qualifier and `IfExists`
 * @throws {@link KmsError} `MalformedPolicyDocumentException`
 */
export function compileConditionTest(
  operator: string,
  key: string,
  values: readonly string[],
  options: { readonly variables: boolean },
): ConditionTest {
  const { qualifier, name, ifExists } = parseOperator(operator);
  if (values.length === 0) throw malformedPolicy(`The condition ${operator} of ${key} has no value.`);
  const asked = conditionKey(key);
  if (name === 'Null') {
    if (ifExists) throw malformedPolicy('The operator Null cannot be used with IfExists.');
    const tests = values.map((value) => bool(value, options));
    return (context) => {
      const isAbsent = String(isEmpty(context.valuesOf(asked)));
      return tests.some((fits) => fits(isAbsent, context));
    };
  }
  const found = OPERATORS.get(name);
  if (found === undefined) throw malformedPolicy(`The policy has the unknown condition operator ${operator}.`);
  const { negated } = found;
  const comparisonsOfValues = values.map((value) => found.compare(value, options));
  const fitsOne = (value: string, context: ConditionContext): boolean =>
    comparisonsOfValues.some((fits) => fits(value, context));
  return (context) => {
    const given = givenValues(asked, context);
    if (given === undefined) return ifExists || qualifier === 'ForAllValues' || (qualifier === undefined && negated);
    if (qualifier === 'ForAllValues') return given.every((value) => fitsOne(value, context) !== negated);
    if (qualifier === 'ForAnyValue') return given.some((value) => fitsOne(value, context) !== negated);
    return given.some((value) => fitsOne(value, context)) !== negated;
  };
}

function givenValues(key: ConditionKey, context: ConditionContext): readonly string[] | undefined {
  const values = context.valuesOf(key);
  return isEmpty(values) ? undefined : values;
}

function isEmpty(values: readonly string[] | undefined): boolean {
  return values === undefined || values.length === 0;
}

function parseOperator(operator: string): {
  readonly qualifier: Qualifier;
  readonly name: string;
  readonly ifExists: boolean;
} {
  const colon = operator.indexOf(':');
  const prefix = colon < 0 ? undefined : operator.slice(0, colon);
  if (prefix !== undefined && prefix !== 'ForAllValues' && prefix !== 'ForAnyValue') {
    throw malformedPolicy(`The policy has the unknown condition operator ${operator}.`);
  }
  const rest = operator.slice(colon + 1);
  const ifExists = rest.endsWith('IfExists');
  return { qualifier: prefix, name: ifExists ? rest.slice(0, -'IfExists'.length) : rest, ifExists };
}

function timeMs(value: string): number | undefined {
  if (/^\d{1,12}$/.test(value)) return Number(value) * 1000;
  if (!ISO_TIME.test(value)) return undefined;
  // A time without a zone is UTC, whatever the machine's zone is.
  const ms = Date.parse(/T/.test(value) && !/(?:Z|[+-]\d{2}:\d{2})$/.test(value) ? `${value}Z` : value);
  return Number.isNaN(ms) ? undefined : ms;
}

function arnParts(value: string): readonly string[] | undefined {
  const parts = value.split(':');
  if (parts.length < ARN_PARTS || parts[0] !== 'arn') return undefined;
  return [...parts.slice(0, ARN_PARTS - 1), parts.slice(ARN_PARTS - 1).join(':')];
}

/** The same of a text of a policy, whose variables have colons of their own. */
function arnTemplateParts(value: string): readonly string[] | undefined {
  const hidden = value.replaceAll(/\$\{[^}]*\}/g, (variable) => variable.replaceAll(':', '\0'));
  return arnParts(hidden)?.map((part) => part.replaceAll('\0', ':'));
}
