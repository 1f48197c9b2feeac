import { expect } from 'chai';
import { strategies, type StrategyJob } from '../../../src/token/strategy.js';
import {
  chooseStrategies,
  commonSuites,
  describeProfile,
  missingForCommonSuite,
} from '../../../src/token/strategy_choice.js';
import { DATA_SUITES } from '../../../src/wire/ciphertext_blob.js';
import { REPLICATION_SUITES } from '../../../src/wire/suite.js';
import { profileBut } from '../../support/profile.js';

describe('the strategies', () => {
  it('have names of their own', () => {
    const ids = strategies.map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it('cover every suite once, in the order in which the protocol prefers them', () => {
    expect(strategies.flatMap(({ suite }) => suite ?? [])).to.deep.equal(REPLICATION_SUITES);
    expect(strategies.flatMap(({ dataSuite }) => dataSuite ?? [])).to.deep.equal(DATA_SUITES);
  });

  it('put those outside the token after all others of their job', () => {
    const seen = new Set<StrategyJob>();
    for (const { job, isOutsideToken } of strategies) {
      if (isOutsideToken === true) seen.add(job);
      else expect(seen.has(job), job).to.equal(false);
    }
  });
});

describe('the choice of strategies', () => {
  it('takes the first of each job that the token can do, and keeps the others available', () => {
    const choice = chooseStrategies(profileBut({}));
    expect(choice.chosen.deriveRwk?.suite).to.equal('OSKDF-A256KWP');
    expect(choice.suites).to.deep.equal(REPLICATION_SUITES);
    expect(choice.dataSuites).to.deep.equal(DATA_SUITES);
    expect(choice.outcomes.find(({ strategy }) => strategy.id === 'ecdh-x963')?.state).to.equal('available');
  });

  it('steps down where a mechanism is missing, and says what the token answered', () => {
    const choice = chooseStrategies(profileBut({ facts: ['ecdh1Sp800Sha384', 'hkdfSha384', 'sp800108HmacSha384OnZ'] }));
    expect(choice.chosen.deriveRwk?.id).to.equal('ecdh-x963');
    expect(choice.suites).to.deep.equal(['X963-A256KWP', 'CBCDERIVE-A256KWP']);
    const missing = choice.outcomes.find(({ strategy }) => strategy.id === 'ecdh-hkdf');
    expect(missing?.state).to.equal('missing');
    expect(missing?.reason).to.equal(
      'CKM_HKDF_DERIVE with SHA-384 after CKM_ECDH1_DERIVE: C_DeriveKey returned CKR_MECHANISM_INVALID',
    );
  });

  it('has no suite for a token whose derived keys cannot wrap', () => {
    expect(chooseStrategies(profileBut({ facts: ['derivedKeyWraps'] })).suites).to.deep.equal([]);
  });

  it('does not offer the suite with truncation on a token that keeps the leading octets', () => {
    const choice = chooseStrategies(profileBut({ facts: ['ecdh1NullAes256Trailing'] }));
    expect(choice.suites).to.not.include('CBCDERIVE-A256KWP');
  });

  it('leaves the token only where the configuration allows it', () => {
    const profile = profileBut({ facts: ['rsaOaepSha256Unwrap'] });
    expect(chooseStrategies(profile).chosen.importOaepSha256).to.equal(undefined);
    const refused = chooseStrategies(profile).outcomes.find(
      ({ strategy }) => strategy.id === 'import-oaep-sha256-outside',
    );
    expect(refused?.reason).to.contain('configuration');
    const allowed = chooseStrategies(profile, { outsideToken: 'allow' }).chosen.importOaepSha256;
    expect(allowed?.isOutsideToken).to.equal(true);
  });

  it('prefers the token to the outside even where both are allowed', () => {
    const choice = chooseStrategies(profileBut({}), { outsideToken: 'allow' });
    expect(Object.values(choice.chosen).filter(({ isOutsideToken }) => isOutsideToken === true)).to.deep.equal([]);
  });

  it('does not call a domain key trusted on a token that does not enforce it', () => {
    expect(chooseStrategies(profileBut({})).chosen.trustedDomainKey?.id).to.equal('domain-key-trusted');
    const lax = chooseStrategies(profileBut({ enforcement: ['wrapWithTrusted'] }));
    expect(lax.chosen.trustedDomainKey?.id).to.equal('domain-key-plain');
    const reason = lax.outcomes.find(({ strategy }) => strategy.id === 'domain-key-trusted')?.reason;
    expect(reason).to.equal('CKA_WRAP_WITH_TRUSTED is not enforced: C_WrapKey returned CKR_OK');
  });
});

describe('two tokens', () => {
  const onlyX963 = profileBut({ facts: ['ecdh1Sp800Sha384', 'hkdfSha384', 'sp800108HmacSha384OnZ', 'cbcDerive'] });
  const onlyCbc = profileBut({
    facts: ['ecdh1Sp800Sha384', 'hkdfSha384', 'sp800108HmacSha384OnZ', 'ecdh1X963Sha384'],
  });

  it('share the suites that both can do', () => {
    const common = commonSuites(onlyX963, profileBut({ facts: ['ecdh1Sp800Sha384'] }));
    expect(common.suites).to.deep.equal(['X963-A256KWP']);
    expect(missingForCommonSuite(onlyX963, profileBut({}))).to.deep.equal([]);
  });

  it('that share none are told which mechanisms would change it, the smallest change first', () => {
    expect(commonSuites(onlyX963, onlyCbc).suites).to.deep.equal([]);
    const gaps = missingForCommonSuite(onlyX963, onlyCbc);
    const [smallest] = gaps;
    expect(smallest?.suite).to.equal('X963-A256KWP');
    expect(smallest?.missingOnA).to.deep.equal([]);
    expect(smallest?.missingOnB).to.deep.equal([
      'CKM_ECDH1_DERIVE with CKD_SHA384_KDF: C_DeriveKey returned CKR_MECHANISM_INVALID',
    ]);
    expect(gaps.map(({ suite }) => suite)).to.have.members([...REPLICATION_SUITES]);
  });
});

describe('the table of a profile', () => {
  it('has one row for each strategy, and a reason exactly where one is missing', () => {
    const rows = describeProfile(profileBut({ facts: ['aesGcm', 'ecdsa'] }));
    expect(rows).to.have.length(strategies.length);
    for (const { state, reason, strategy } of rows) {
      expect(reason === '', strategy).to.equal(state !== 'missing');
    }
    expect(rows.find(({ job, state }) => job === 'sign' && state === 'chosen')?.strategy).to.equal('sign-ecdsa-sha384');
  });
});
