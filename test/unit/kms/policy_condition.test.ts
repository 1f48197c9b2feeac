import { expect } from 'chai';
import type { ConditionContext } from '../../../src/kms/condition_context.js';
import { KmsError } from '../../../src/kms/errors.js';
import { compileConditionTest } from '../../../src/kms/policy_condition.js';

const USER = 'arn:aws:iam::111122223333:user/alice';

/** A request in which the key `kms:Key` has these values, and `aws:username` is `alice`. */
function contextOf(...values: readonly string[]): ConditionContext {
  return {
    valuesOf: ({ name }) => {
      if (name === 'aws:username') return ['alice'];
      if (name === 'aws:star') return ['*'];
      return name === 'kms:key' && values.length > 0 ? values : undefined;
    },
  };
}

const ABSENT = contextOf();

function holds(operator: string, values: string | readonly string[], context: ConditionContext): boolean {
  const list = typeof values === 'string' ? [values] : values;
  return compileConditionTest(operator, 'kms:Key', list, { variables: true })(context);
}

describe('Conditions of policies', () => {
  for (const [operator, wanted, given, expected] of [
    ['StringEquals', 'a', 'a', true],
    ['StringEquals', 'a', 'A', false],
    ['StringEquals', 'a*', 'ab', false],
    ['StringEquals', ['a', 'b'], 'b', true],
    ['StringNotEquals', 'a', 'b', true],
    ['StringNotEquals', ['a', 'b'], 'b', false],
    ['StringEqualsIgnoreCase', 'aB', 'Ab', true],
    ['StringNotEqualsIgnoreCase', 'aB', 'Ab', false],
    ['StringLike', 'a*c?', 'abbcd', true],
    ['StringLike', 'A*', 'ab', false],
    ['StringNotLike', 'a*', 'ab', false],
    ['StringLike', '${aws:username}', 'alice', true],
    ['StringLike', 'home/${aws:username}/*', 'home/alice/x', true],
    ['StringEquals', '${aws:username}', 'bob', false],
    ['StringLike', '${aws:star}', 'anything', false],
    ['StringLike', '${aws:star}', '*', true],
    ['StringLike', 'a${*}', 'a*', true],
    ['StringLike', 'a${*}', 'ab', false],
    ['StringEquals', '${aws:absent}', '', false],
    ['StringEquals', "${aws:absent, 'other'}", 'other', true],
    ['NumericEquals', '7', '7.0', true],
    ['NumericNotEquals', '7', '7', false],
    ['NumericLessThan', '7', '6', true],
    ['NumericLessThan', '7', '7', false],
    ['NumericLessThanEquals', '7', '7', true],
    ['NumericGreaterThan', '7', '30', true],
    ['NumericGreaterThanEquals', '8', '7', false],
    ['NumericEquals', '7', 'seven', false],
    ['DateLessThan', '2026-01-02T00:00:00Z', '2026-01-01T23:59:59.999Z', true],
    ['DateGreaterThan', '2026-01-02', '2026-01-02T00:00:01.000Z', true],
    ['DateEquals', '1767225600', '2026-01-01T00:00:00.000Z', true],
    ['DateEquals', '2026-01-01T01:00:00+01:00', '2026-01-01T00:00:00.000Z', true],
    ['DateNotEquals', '2026-01-01', '2026-01-01T00:00:00.000Z', false],
    ['Bool', 'true', 'true', true],
    ['Bool', 'False', 'true', false],
    ['BinaryEquals', 'AQID', 'AQID', true],
    ['IpAddress', '10.0.0.0/8', '10.200.3.4', true],
    ['IpAddress', '10.0.0.0/8', '11.0.0.1', false],
    ['IpAddress', '127.0.0.1', '127.0.0.1', true],
    ['IpAddress', '2001:db8::/32', '2001:db8:1::1', true],
    ['NotIpAddress', '10.0.0.0/8', '10.1.1.1', false],
    ['ArnEquals', USER, USER, true],
    ['ArnLike', 'arn:aws:iam::*:user/*', USER, true],
    ['ArnLike', 'arn:aws:*:*:*:user/bob', USER, false],
    ['ArnLike', 'arn:aws:i*:user/*::111122223333:x', USER, false],
    ['ArnLike', 'arn:aws:iam::111122223333:user/${aws:username}', USER, true],
    ['ArnNotLike', 'arn:aws:iam::111122223333:role/*', USER, true],
    ['ArnNotEquals', USER, USER, false],
    ['Null', 'true', 'a', false],
    ['Null', 'false', 'a', true],
  ] as const) {
    it(`${operator} of ${JSON.stringify(wanted)} ${expected ? 'holds' : 'does not hold'} for ${given}`, () => {
      expect(holds(operator, wanted, contextOf(given))).to.equal(expected);
    });
  }

  for (const [operator, expected] of [
    ['StringEquals', false],
    ['StringEqualsIfExists', true],
    ['StringNotEquals', true],
    ['ForAllValues:StringEquals', true],
    ['ForAnyValue:StringEquals', false],
    ['ForAnyValue:StringNotEquals', false],
    ['ForAnyValue:StringEqualsIfExists', true],
    ['Null', true],
  ] as const) {
    it(`${operator} ${expected ? 'holds' : 'does not hold'} where the request has no value`, () => {
      expect(holds(operator, operator === 'Null' ? 'true' : 'a', ABSENT)).to.equal(expected);
    });
  }

  for (const [operator, given, expected] of [
    ['ForAllValues:StringEquals', ['a', 'b'], true],
    ['ForAllValues:StringEquals', ['a', 'c'], false],
    ['ForAllValues:StringNotEquals', ['c', 'd'], true],
    ['ForAllValues:StringNotEquals', ['a', 'c'], false],
    ['ForAnyValue:StringEquals', ['a', 'c'], true],
    ['ForAnyValue:StringEquals', ['c', 'd'], false],
    ['ForAnyValue:StringNotEquals', ['a', 'c'], true],
    ['ForAnyValue:StringNotEquals', ['a', 'b'], false],
    ['StringEquals', ['c', 'b'], true],
    ['StringNotEquals', ['c', 'b'], false],
  ] as const) {
    it(`${operator} of a and b ${expected ? 'holds' : 'does not hold'} for ${given.join(' and ')}`, () => {
      expect(holds(operator, ['a', 'b'], contextOf(...given))).to.equal(expected);
    });
  }

  it('leave variables as they are written in policies of the older version', () => {
    const test = compileConditionTest('StringEquals', 'kms:Key', ['${aws:username}'], { variables: false });
    expect(test(contextOf('${aws:username}'))).to.equal(true);
    expect(test(contextOf('alice'))).to.equal(false);
  });

  for (const [operator, value] of [
    ['StringIs', 'a'],
    ['ForSomeValues:StringEquals', 'a'],
    ['NumericEquals', 'seven'],
    ['DateEquals', 'tomorrow'],
    ['Bool', 'maybe'],
    ['IpAddress', '10.0.0.0/40'],
    ['IpAddress', 'localhost'],
    ['ArnLike', 'alice'],
    ['NullIfExists', 'true'],
    ['StringLike', '${no variable}'],
    ['toString', 'a'],
  ] as const) {
    it(`are refused where they say ${operator} of ${value}`, () => {
      expect(() => holds(operator, value, ABSENT))
        .to.throw(KmsError)
        .with.property('code', 'MalformedPolicyDocumentException');
    });
  }

  it('are refused without a value', () => {
    expect(() => holds('StringEquals', [], ABSENT)).to.throw(KmsError, 'has no value');
  });
});
