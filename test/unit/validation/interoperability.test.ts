import { expect } from 'chai';
import type { FactName, TokenProfile } from '../../../src/token/profile.js';
import { strategies } from '../../../src/token/strategy.js';
import { interoperability, type InteropPair } from '../../../src/validation/interoperability.js';
import { verdictsOf } from '../../../src/validation/verdict.js';
import { REPLICATION_SUITES, type ReplicationSuite } from '../../../src/wire/suite.js';
import { profileBut } from '../../support/profile.js';
import { finding, report } from '../../support/validation_report.js';

const rich = profileBut({});
/** A token that can carry one suite of the table, and no other. */
function only(suite: ReplicationSuite): TokenProfile {
  const needs = strategies.flatMap((each) => (each.suite === suite ? each.needs : []));
  const others = strategies.filter((each) => each.suite !== undefined && each.suite !== suite);
  return profileBut({ facts: others.flatMap((each) => each.needs.filter((need) => !needs.includes(need))) });
}

const onlyCbc = only('CBCDERIVE-A256KWP');
const onlyHkdf = only('HKDF384-A256KWP');

function pair(
  from: TokenProfile,
  to: TokenProfile,
  floor: ReplicationSuite = 'CBCDERIVE-A256KWP',
): InteropPair | undefined {
  const modules = [
    { name: 'a', profile: from, report: null },
    { name: 'b', profile: to, report: null },
  ];
  return interoperability(modules, { floor }).find((each) => each.from === 'a' && each.to === 'b');
}

const without = (...facts: readonly FactName[]): TokenProfile => profileBut({ facts });

describe('which modules can replicate with each other', () => {
  it('answers for each pair in each direction, and for two tokens of the same', () => {
    const modules = [rich, onlyCbc].map((profile, at) => ({ name: `m${at}`, profile, report: null }));
    const pairs = interoperability(modules, { floor: 'CBCDERIVE-A256KWP' });
    expect(pairs.map(({ from, to, suite }) => `${from} ${to} ${suite}`)).to.deep.equal([
      'm0 m0 OSKDF-A256KWP',
      'm0 m1 CBCDERIVE-A256KWP',
      'm1 m0 CBCDERIVE-A256KWP',
      'm1 m1 CBCDERIVE-A256KWP',
    ]);
    expect(pairs[1]).to.deep.include({
      answer: 'yes',
      strategies: { source: 'ecdh-cbc-data', destination: 'ecdh-cbc-data' },
      missing: [],
    });
  });

  it('says for each suite what each side lacks where they share none', () => {
    const found = pair(onlyCbc, onlyHkdf);
    expect(found).to.deep.include({ answer: 'no', suite: null });
    expect(found?.missing).to.have.length(REPLICATION_SUITES.length);
    expect(found?.missing.join('\n')).to.contain('for CBCDERIVE-A256KWP: b lacks ');
    expect(found?.missing.join('\n')).to.contain('for HKDF384-A256KWP: a lacks ');
  });

  it('keeps to the floor of the partition', () => {
    expect(pair(rich, onlyHkdf, 'HKDF384-A256KWP')).to.deep.include({ answer: 'yes', suite: 'HKDF384-A256KWP' });
    const below = pair(onlyHkdf, onlyHkdf, 'OSKDF-A256KWP');
    expect(below?.answer).to.equal('no');
    expect(below?.missing[0]).to.equal('they share only HKDF384-A256KWP, which is below the floor OSKDF-A256KWP');
  });

  it('refuses a token that cannot be a region’s at all, and says what it lacks', () => {
    const found = pair(rich, without('ecdsa', 'ecdsaSha384'));
    expect(found?.answer).to.equal('no');
    expect(found?.missing.join()).to.match(/^b: the token cannot do sign/u);
  });

  it('refuses two tokens whose ciphertexts the other could not decrypt', () => {
    const found = pair(without('aesGcm', 'aesGcmAnyIv'), rich);
    expect(found).to.deep.include({ answer: 'no', dataSuite: null });
  });

  it('lists the key specs that cannot travel, with the side that refuses', () => {
    const found = pair(rich, without('ecKeySecp256k1', 'rsaKeyPair2048'));
    expect(found?.keySpecs).to.include('SYMMETRIC_DEFAULT').and.not.include('ECC_SECG_P256K1');
    expect(found?.otherKeySpecs.find(({ keySpec }) => keySpec === 'ECC_SECG_P256K1')?.reason).to.match(/^b: /u);
  });

  it('lets a finding that blocks a flow decide, whatever the profile says', () => {
    const checks = [{ ...finding('COR-05', 'wrong octets'), severity: 'blocks' } as const];
    const blocked = { ...report(...checks), verdicts: [...verdictsOf(rich, checks)] };
    const modules = [
      { name: 'a', profile: rich, report: null },
      { name: 'b', profile: rich, report: blocked },
    ];
    const pairs = interoperability(modules, { floor: 'CBCDERIVE-A256KWP' });
    expect(pairs.map(({ answer }) => answer)).to.deep.equal(['yes', 'no', 'no', 'no']);
    expect(pairs[1]?.missing).to.deep.equal(['b: blocked by the finding of COR-05']);
  });
});
