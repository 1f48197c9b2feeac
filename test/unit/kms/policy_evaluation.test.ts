import { expect } from 'chai';
import fc from 'fast-check';
import { KmsError } from '../../../src/kms/errors.js';
import { compilePolicy, evaluatePolicy, type PolicyVerdict } from '../../../src/kms/policy_evaluation.js';
import { identityOf } from '../../../src/kms/policy_principal.js';

const ACCOUNT = '111122223333';
const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;
const SESSION = `arn:aws:sts::${ACCOUNT}:assumed-role/writer/s1`;
const KEY = `arn:aws:kms:us-east-1:${ACCOUNT}:key/0987dcba-09fe-87dc-65ba-ab0987654321`;

type Statement = Readonly<Record<string, unknown>>;

const allow = (Principal: unknown, more: Statement = {}): Statement => ({
  Effect: 'Allow',
  Principal,
  Action: 'kms:*',
  Resource: '*',
  ...more,
});
const deny = (Principal: unknown, more: Statement = {}): Statement => ({ ...allow(Principal, more), Effect: 'Deny' });
const documentOf = (...statements: readonly Statement[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });

function ask(
  text: string,
  about: { readonly principal?: string; readonly action?: string; readonly resource?: string },
) {
  const principal = about.principal ?? ALICE;
  return evaluatePolicy(compilePolicy(text, 'key'), {
    caller: identityOf({ principal, account: principal.split(':')[4] ?? '' }),
    action: (about.action ?? 'kms:Encrypt').toLowerCase(),
    resource: about.resource ?? KEY,
    context: { valuesOf: () => undefined },
  });
}

describe('A key policy', () => {
  const cases: readonly (readonly [string, Statement, string, PolicyVerdict])[] = [
    ['a user by its ARN', allow({ AWS: ALICE }), ALICE, 'allowed'],
    ['another user', allow({ AWS: ALICE }), `${ALICE}a`, 'silent'],
    ['one of several principals', allow({ AWS: [ROOT, ALICE] }), ALICE, 'allowed'],
    ['everybody', allow('*'), 'arn:aws:iam::999988887777:user/eve', 'allowed'],
    ['everybody by AWS', allow({ AWS: '*' }), ALICE, 'allowed'],
    ['the account of a user', allow({ AWS: ROOT }), ALICE, 'delegated'],
    ['the account by its number', allow({ AWS: ACCOUNT }), ALICE, 'delegated'],
    ['the account, of which the root calls', allow({ AWS: ROOT }), ROOT, 'allowed'],
    ['another account', allow({ AWS: '999988887777' }), ALICE, 'silent'],
    ['the role of a session', allow({ AWS: `arn:aws:iam::${ACCOUNT}:role/writer` }), SESSION, 'allowed'],
    ['a role with a path', allow({ AWS: `arn:aws:iam::${ACCOUNT}:role/a/b/writer` }), SESSION, 'allowed'],
    ['the session itself', allow({ AWS: SESSION }), SESSION, 'allowed'],
    ['another session', allow({ AWS: SESSION }), SESSION.replace('s1', 's2'), 'silent'],
    ['a service', allow({ Service: 'ec2.amazonaws.com' }), ALICE, 'silent'],
    ['a principal that was deleted', allow({ AWS: 'AIDACKCEVSQ6C2EXAMPLE' }), ALICE, 'silent'],
    [
      'everybody but a user, who calls',
      { ...allow(undefined), Principal: undefined, NotPrincipal: { AWS: ALICE } },
      ALICE,
      'silent',
    ],
    ['everybody but another user', { ...allow(undefined), NotPrincipal: { AWS: `${ALICE}2` } }, ALICE, 'allowed'],
    ['a denied account', deny({ AWS: ROOT }), ALICE, 'denied'],
    ['another action', allow('*', { Action: 'kms:Decrypt' }), ALICE, 'silent'],
    ['an action in other case', allow('*', { Action: 'KMS:ENCRYPT' }), ALICE, 'allowed'],
    ['a pattern of actions', allow('*', { Action: ['kms:De*', 'kms:En*pt'] }), ALICE, 'allowed'],
    ['all actions but this', allow('*', { Action: undefined, NotAction: ['kms:Encrypt'] }), ALICE, 'silent'],
    ['all actions but others', allow('*', { Action: undefined, NotAction: 'kms:Decrypt' }), ALICE, 'allowed'],
    ['the key by its ARN', allow('*', { Resource: KEY }), ALICE, 'allowed'],
    ['another key', allow('*', { Resource: `${KEY}0` }), ALICE, 'silent'],
    ['keys by a pattern', allow('*', { Resource: `arn:aws:kms:*:${ACCOUNT}:key/*` }), ALICE, 'allowed'],
    ['all resources but the key', allow('*', { Resource: undefined, NotResource: KEY }), ALICE, 'silent'],
    ['nothing, without an action', allow('*', { Action: undefined }), ALICE, 'silent'],
    ['nothing, without a resource', allow('*', { Resource: undefined }), ALICE, 'silent'],
    ['a condition that does not hold', allow('*', { Condition: { Null: { 'kms:X': 'false' } } }), ALICE, 'silent'],
    [
      'two conditions of which one does not hold',
      allow('*', { Condition: { Null: { 'kms:X': 'true' }, Bool: { 'kms:X': 'true' } } }),
      ALICE,
      'silent',
    ],
    ['a condition that holds', allow('*', { Condition: { Null: { 'kms:X': 'true' } } }), ALICE, 'allowed'],
    [
      'a denial whose condition does not hold',
      deny('*', { Condition: { Bool: { 'kms:X': 'true' } } }),
      ALICE,
      'silent',
    ],
  ];
  for (const [what, statement, principal, verdict] of cases) {
    it(`is ${verdict} where it names ${what}`, () => {
      expect(ask(documentOf(statement), { principal })).to.equal(verdict);
    });
  }

  it('lets a denial win wherever it stands', () => {
    const denial = deny({ AWS: ALICE }, { Action: 'kms:Enc*' });
    expect(ask(documentOf(denial, allow('*')), {})).to.equal('denied');
    expect(ask(documentOf(allow('*'), denial), {})).to.equal('denied');
    expect(ask(documentOf(allow('*'), denial), { action: 'kms:Decrypt' })).to.equal('allowed');
  });

  it('prefers what names the caller to what names its account', () => {
    expect(ask(documentOf(allow({ AWS: ALICE }), allow({ AWS: ROOT })), {})).to.equal('allowed');
    expect(ask(documentOf(allow({ AWS: ROOT }), allow({ AWS: ALICE })), {})).to.equal('allowed');
  });

  it('never allows more for another Deny, and never less for another Allow', () => {
    const principal = fc.constantFrom<unknown>('*', { AWS: ALICE }, { AWS: ROOT }, { AWS: SESSION });
    const action = fc.constantFrom('kms:*', 'kms:Encrypt', 'kms:De*', '*');
    const condition = fc.constantFrom(
      {},
      { Condition: { Bool: { 'kms:X': 'true' } } },
      { Condition: { Null: { 'kms:X': 'true' } } },
    );
    const statement = fc
      .tuple(fc.boolean(), principal, action, condition)
      .map(([isAllow, who, Action, more]) => (isAllow ? allow : deny)(who, { Action, ...more }));
    const rank: Readonly<Record<PolicyVerdict, number>> = { denied: 0, silent: 1, delegated: 2, allowed: 3 };
    fc.assert(
      fc.property(
        fc.array(statement, { minLength: 1, maxLength: 5 }),
        fc.tuple(principal, action, condition),
        fc.nat(5),
        fc.constantFrom(ALICE, ROOT, SESSION),
        fc.constantFrom('kms:Encrypt', 'kms:Decrypt'),
        (statements, [who, Action, more], place, caller, asked) => {
          const before = ask(documentOf(...statements), { principal: caller, action: asked });
          const withOne = (added: Statement) =>
            ask(documentOf(...statements.toSpliced(place, 0, added)), { principal: caller, action: asked });
          const denied = withOne(deny(who, { Action, ...more }));
          expect(denied === before || denied === 'denied').to.equal(true);
          expect(rank[withOne(allow(who, { Action, ...more }))]).to.be.at.least(rank[before]);
        },
      ),
      { numRuns: 500 },
    );
  });

  for (const [what, text] of [
    ['no JSON', '{'],
    ['a list', '[]'],
    ['no statement', documentOf()],
    ['an unknown version', JSON.stringify({ Version: '2020-01-01', Statement: [allow('*')] })],
    ['an unknown member', JSON.stringify({ Statement: [allow('*')], Statements: [] })],
    ['an unknown member of a statement', documentOf({ ...allow('*'), Actions: 'kms:*' })],
    ['a statement that is a text', JSON.stringify({ Statement: ['x'] })],
    ['no effect', documentOf({ ...allow('*'), Effect: undefined })],
    ['an effect in other case', documentOf({ ...allow('*'), Effect: 'allow' })],
    ['no principal', documentOf({ ...allow('*'), Principal: undefined })],
    ['both kinds of principals', documentOf({ ...allow('*'), NotPrincipal: '*' })],
    ['a principal with a wildcard', documentOf(allow({ AWS: `arn:aws:iam::${ACCOUNT}:user/*` }))],
    ['a group', documentOf(allow({ AWS: `arn:aws:iam::${ACCOUNT}:group/g` }))],
    ['an unknown kind of principals', documentOf(allow({ Google: 'x' }))],
    ['an empty list of principals', documentOf(allow({ AWS: [] }))],
    ['a principal that is a number', documentOf(allow({ AWS: 111122223333 }))],
    ['an action without a service', documentOf(allow('*', { Action: 'Encrypt' }))],
    ['an action that is a number', documentOf(allow('*', { Action: 7 }))],
    ['both kinds of actions', documentOf(allow('*', { NotAction: 'kms:*' }))],
    ['both kinds of resources', documentOf(allow('*', { NotResource: '*' }))],
    ['a condition that is a list', documentOf(allow('*', { Condition: [] }))],
    ['an operator that is a text', documentOf(allow('*', { Condition: { Bool: 'kms:X' } }))],
    ['a value that is an object', documentOf(allow('*', { Condition: { Bool: { 'kms:X': {} } } }))],
    ['an Id that is a number', JSON.stringify({ Id: 1, Statement: [allow('*')] })],
    ['a Sid that is a number', documentOf({ ...allow('*'), Sid: 1 })],
  ] as const) {
    it(`is refused with ${what}`, () => {
      expect(() => compilePolicy(text, 'key'))
        .to.throw(KmsError)
        .with.property('code', 'MalformedPolicyDocumentException');
    });
  }

  it('compiles a text once', () => {
    const text = documentOf(allow('*'), { ...allow('*'), Sid: 'compiled once' });
    expect(compilePolicy(text, 'key')).to.equal(compilePolicy(text, 'key'));
  });
});

describe('A policy of a principal', () => {
  it('names no principal, and has action and resource', () => {
    const good = { Effect: 'Allow', Action: 'kms:*', Resource: '*' };
    expect(() => compilePolicy(documentOf(good), 'identity')).not.to.throw();
    for (const bad of [
      { ...good, Principal: '*' },
      { ...good, Action: undefined },
      { ...good, Resource: undefined },
    ]) {
      expect(() => compilePolicy(documentOf(bad), 'identity')).to.throw(KmsError);
    }
  });
});
