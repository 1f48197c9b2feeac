import { expect } from 'chai';
import { ConfigError } from '../../../src/errors.js';
import { encodeProfile, identityChanges, parseProfile, withFact } from '../../../src/token/profile.js';
import { thrown } from '../../support/failure.js';
import { profileBut } from '../../support/profile.js';

describe('a stored token profile', () => {
  const profile = profileBut({ facts: ['hkdfSha384'] });

  it('is read back as it was written', () => {
    expect(parseProfile(encodeProfile(profile))).to.deep.equal(profile);
  });

  it('is refused with anything missing, added, of another version or of another type', () => {
    const { facts, ...withoutFacts } = profile;
    const { random, ...fewerFacts } = facts;
    const broken: readonly unknown[] = [
      withoutFacts,
      { ...profile, facts: fewerFacts },
      { ...profile, facts: { ...facts, telepathy: random } },
      { ...profile, version: 1 },
      { ...profile, extra: true },
      { ...profile, facts: { ...facts, random: { ...random, works: 'yes' } } },
      { ...profile, rules: { ...profile.rules, ecdh1Truncation: 'middle' } },
      [],
      null,
    ];
    for (const value of broken) {
      expect(thrown(ConfigError, () => parseProfile(JSON.stringify(value))).code).to.equal('ERR_CONFIG_STATE');
    }
    expect(thrown(ConfigError, () => parseProfile('{"version":1')).code).to.equal('ERR_CONFIG_STATE');
  });

  it('is of one token: it is to be probed again when anything but the label has changed', () => {
    const { identity } = profile;
    expect(identityChanges(identity, { ...identity, label: 'renamed' })).to.deep.equal([]);
    expect(identityChanges(identity, { ...identity, firmwareVersion: '1.1', serial: '2' })).to.deep.equal([
      'serial',
      'firmwareVersion',
    ]);
  });

  it('takes a fact that was found later, and stays as it was otherwise', () => {
    const fact = { works: true, mechanism: 0x1080, answer: 'the copied key is trusted and private' };
    const later = withFact(profile, 'trustedKeyBySo', fact);
    expect(later.facts.trustedKeyBySo).to.deep.equal(fact);
    expect(later.facts.hkdfSha384).to.deep.equal(profile.facts.hkdfSha384);
    expect(profile.facts.trustedKeyBySo).to.not.deep.equal(fact);
  });
});
