import { expect } from 'chai';
import { OpenToken } from '../../src/token/open_token.js';
import { probeToken } from '../../src/token/probe/probe.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { checks } from '../../src/validation/catalogue.js';
import { CheckContext } from '../../src/validation/check_context.js';
import { destroyLeftovers } from '../../src/validation/object_watch.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A module that is worse than another one, and the check that has to find the difference. */
interface Mutant {
  readonly check: string;
  readonly what: string;
  /** Rules of the shim (native/test/shim/rules.h). */
  readonly faults: readonly string[];
  /** Rules that make SoftHSM2 better than it is, where it has the fault itself; none for SoftHSM2 as it is. */
  readonly better?: readonly string[];
  /** Part of what is found that is not found without the fault. */
  readonly sees: string;
}

const RSA_KINDS = 4;
/** A fault of one of the kinds of blobs of POL-14, which come in turn after a good one: in the rounds and their repetition. */
function ofEachRound(kind: number, action: string): readonly string[] {
  return Array.from({ length: 30 }, (_, round) => `C_UnwrapKey ${2 + kind + RSA_KINDS * round} ${action}`);
}
const firstKindIsSlow = ofEachRound(0, 'delay 6');
const secondKindIsTold = ofEachRound(1, 'call-return 110');
const resultIsSensitive = ['C_DeriveKey * true 103', 'C_DeriveKey * false 162'];

const mutants: readonly Mutant[] = [
  {
    check: 'POL-01',
    what: 'also wraps by CBC with padding',
    faults: ['C_WrapKey * instead 1085 1082', 'C_DecryptInit * instead 1085 1082'],
    sees: 'CKM_AES_CBC_PAD: the key in clear',
  },
  {
    check: 'POL-02',
    what: 'also wraps by RSA without padding',
    faults: ['C_WrapKey * instead 3 1', 'C_DecryptInit * instead 3 1'],
    sees: 'CKM_RSA_X_509: the key in clear',
  },
  {
    check: 'POL-03',
    what: 'ignores CKA_SENSITIVE',
    faults: ['C_CreateObject * false 103', 'C_CreateObject * true 162'],
    sees: 'CKA_VALUE can be read',
  },
  {
    check: 'POL-04',
    what: 'makes a key extractable by a change',
    faults: ['C_SetAttributeValue * silent', 'C_CreateObject * true 162'],
    sees: 'CKA_EXTRACTABLE false to true, : changed',
  },
  {
    check: 'POL-05',
    what: 'ignores CKA_MODIFIABLE',
    faults: ['C_CreateObject * true 170'],
    sees: 'CKA_MODIFIABLE false, : CKR_OK',
  },
  {
    check: 'POL-05',
    what: 'changes what a key is for',
    better: ['C_SetAttributeValue * return 10', 'C_CopyObject * return 10'],
    faults: [],
    sees: 'CKA_DECRYPT set on a key with CKA_WRAP, : CKR_OK',
  },
  {
    check: 'POL-06',
    what: 'ignores CKA_UNWRAP_TEMPLATE',
    faults: ['C_CreateObject * forget 40000212'],
    sees: 'CKA_UNWRAP_TEMPLATE says true',
  },
  {
    check: 'POL-07',
    what: 'ignores CKA_UNWRAP_TEMPLATE',
    faults: ['C_CreateObject * forget 40000212'],
    sees: 'CKA_UNWRAP_TEMPLATE says CKK_AES',
  },
  {
    check: 'POL-08',
    what: 'ignores CKA_WRAP_WITH_TRUSTED',
    faults: ['C_CreateObject * false 210'],
    sees: 'CKR_OK: wrapped',
  },
  {
    check: 'POL-08',
    what: 'wraps under keys that are not trusted',
    faults: ['C_WrapKey * silent'],
    sees: 'CKR_OK: wrapped',
  },
  {
    check: 'POL-09',
    what: 'takes CKA_WRAP_WITH_TRUSTED off',
    faults: ['C_SetAttributeValue * silent', 'C_CreateObject * false 210'],
    sees: 'CKA_WRAP_WITH_TRUSTED is false',
  },
  { check: 'POL-10', what: 'wraps under triple DES', faults: ['C_WrapKey * silent'], sees: 'CKM_DES3_CBC: CKR_OK' },
  {
    check: 'POL-10',
    what: 'wraps under weaker keys',
    better: ['C_WrapKey * return 114'],
    faults: [],
    sees: 'under an AES-128 key',
  },
  {
    check: 'POL-11',
    what: 'ignores CKA_EXTRACTABLE',
    faults: ['C_CreateObject * true 162'],
    sees: 'a key with CKA_EXTRACTABLE false',
  },
  {
    check: 'POL-11',
    what: 'ignores CKA_WRAP',
    faults: ['C_CreateObject * true 106'],
    sees: 'with a key that has CKA_WRAP false',
  },
  {
    check: 'POL-12',
    what: 'takes every point',
    faults: ['C_DeriveKey * any-point'],
    sees: 'a point of order 2 of another curve',
  },
  {
    check: 'POL-13',
    what: 'agrees with another point than it was given',
    faults: ['C_DeriveKey * any-point'],
    sees: 'other octets',
  },
  {
    check: 'POL-14',
    what: 'takes longer to refuse one kind of blob',
    faults: firstKindIsSlow,
    sees: 'how long the refusals take',
  },
  {
    check: 'POL-14',
    what: 'has another answer to a wrong separator',
    faults: secondKindIsTold,
    sees: 'CKR_WRAPPED_KEY_INVALID: no separator',
  },
  {
    check: 'POL-15',
    what: 'tells a wrong length from a wrong tag',
    faults: ['C_UnwrapKey 3 call-return 110'],
    sees: 'CKR_WRAPPED_KEY_INVALID: a length of zero',
  },
  {
    check: 'POL-16',
    what: 'makes a readable key of a sensitive one',
    better: resultIsSensitive,
    faults: [],
    sees: 'CKM_AES_CBC_ENCRYPT_DATA: CKR_OK',
  },
  {
    check: 'POL-17',
    what: 'agrees with another point than it was given',
    faults: ['C_DeriveKey * any-point'],
    sees: 'other octets',
  },
  { check: 'POL-18', what: 'ignores CKA_ENCRYPT', faults: ['C_CreateObject * true 104'], sees: 'CKA_ENCRYPT false' },
  { check: 'POL-18', what: 'ignores CKA_DERIVE', faults: ['C_CreateObject * true 10c'], sees: 'CKA_DERIVE false' },
  {
    check: 'POL-18',
    what: 'ignores CKA_SIGN of EC keys',
    faults: ['C_GenerateKeyPair * true 108'],
    sees: 'CKA_SIGN false, CKM_ECDSA',
  },
  { check: 'POL-19', what: 'signs with a key without octets', faults: ['C_Sign * silent'], sees: 'd of no octets' },
  {
    check: 'POL-19',
    what: 'signs wrongly with a wrong CRT exponent',
    faults: ['C_Sign 13 flip'],
    sees: 'CRT exponent of another',
  },
  {
    check: 'POL-20',
    what: 'ignores CKA_ALWAYS_AUTHENTICATE',
    faults: ['C_GenerateKeyPair * false 202'],
    sees: 'the attribute reads false',
  },
  {
    check: 'POL-21',
    what: 'ignores CKA_ALLOWED_MECHANISMS',
    faults: ['C_CreateObject * forget 40000600'],
    sees: 'a key that allows another mechanism only, CKM_AES_ECB',
  },
  {
    check: 'POL-21',
    what: 'ignores the list of a generated key',
    faults: ['C_GenerateKey * forget 40000600'],
    sees: 'a generated key that allows',
  },
  {
    check: 'POL-22',
    what: 'shows private keys without a login',
    faults: ['C_GenerateKey * false 2'],
    sees: 'found without a login, : 2',
  },
  { check: 'POL-22', what: 'does not log out', faults: ['C_Logout * silent'], sees: 'found without a login, : 2' },
  {
    check: 'POL-23',
    what: 'keeps what was destroyed',
    faults: ['C_DestroyObject * silent'],
    sees: '64 of 64 still work',
  },
  {
    check: 'POL-23',
    what: 'keeps session keys beyond a login',
    faults: ['C_Logout * silent'],
    sees: 'after the next login',
  },
  {
    check: 'POL-24',
    what: 'takes a nonce twice',
    better: ['C_EncryptInit 2 return 71'],
    faults: [],
    sees: 'a second message with the same key and nonce',
  },
  {
    check: 'POL-24',
    what: 'leaves the tag out',
    better: ['C_EncryptInit 3 return 71'],
    faults: [],
    sees: 'a tag of 0 bits',
  },
];

describe('policy checks of the validation on broken modules', function () {
  this.timeout(60_000);
  let faulty: FaultyToken;
  let token: OpenToken;
  let profile: TokenProfile;
  const withoutFault = new Map<string, ReadonlySet<string>>();

  before(async () => {
    faulty = await makeFaultyToken('softhsm2');
    token = await OpenToken.open(faulty.module, { token: { slotId: faulty.slotId }, userPin: faulty.userPin });
    profile = await probeToken(token, clock);
  });
  after(async () => {
    faulty.setFaults();
    await token.close();
    faulty.dispose();
  });

  /** What a check finds, each thing as a text. */
  async function findings(id: string, rules: readonly string[]): Promise<ReadonlySet<string>> {
    const check = checks.find((each) => each.id === id);
    if (check === undefined) throw new Error(`there is no check ${id}`);
    const context = new CheckContext({
      ...{ token, profile, seed: 'mutants', checkId: id, isQuick: true, keyImport: null, soPin: faulty.soPin },
      onObservation: () => undefined,
    });
    faulty.setFaults(...rules);
    try {
      await context.conduct((itself) => check.run(itself));
    } finally {
      faulty.setFaults();
      await destroyLeftovers(token.executor);
    }
    const { observations, status } = context.outcome();
    expect(status, id).to.be.oneOf(['passed', 'finding']);
    return new Set(
      observations
        .filter(({ isAsExpected }) => !isAsExpected)
        .map(({ what, mechanism, seen }) => `${what}, ${mechanism ?? ''}: ${seen}`),
    );
  }

  for (const { check, what, faults, sees, better = [] } of mutants) {
    it(`${check} tells a module that ${what} (${faults[0] ?? `SoftHSM2, against one with ${better[0] ?? ''}`})`, async () => {
      const key = [check, ...better].join('\n');
      const before = withoutFault.get(key) ?? (await findings(check, better));
      withoutFault.set(key, before);
      const found = await findings(check, faults);
      expect([...found].filter((each) => !before.has(each)).join('\n')).to.contain(sees);
    });
  }

  it('has a broken module for every policy check', () => {
    const covered = new Set(mutants.map(({ check }) => check));
    const policy = checks.filter(({ group }) => group === 'POL').map(({ id }) => id);
    expect(policy.filter((id) => !covered.has(id))).to.deep.equal([]);
    expect(policy).to.have.length(24);
  });
});
