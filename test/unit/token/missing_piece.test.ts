import { expect } from 'chai';
import { CKM_AES_GCM, CKM_AES_KEY_WRAP_PAD, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA } from '../../../src/token/cryptoki.js';
import { explainMissingJob } from '../../../src/token/missing_piece.js';
import { notTried, reasonNotTried } from '../../../src/token/not_tried.js';
import type { FactName, TokenProfile } from '../../../src/token/profile.js';
import { profileBut } from '../../support/profile.js';

describe('what keeps a token from a job', () => {
  /** A token that lists these mechanisms, where these facts do not work. */
  function token(listed: readonly number[], failing: Readonly<Partial<Record<FactName, string>>>): TokenProfile {
    const profile = profileBut({});
    const facts = Object.entries(failing).map(([name, answer]) => {
      const mechanism = name === 'aesGcm' ? CKM_AES_GCM : null;
      return [name, { works: false, mechanism, answer }];
    });
    return {
      ...profile,
      mechanisms: listed.map((type) => ({ type, name: '', keySizeMin: 0, keySizeMax: 0, flags: 0 })),
      facts: { ...profile.facts, ...(Object.fromEntries(facts) as Partial<TokenProfile['facts']>) },
    };
  }

  it('is the mechanism that it does not list, and not what follows from that', () => {
    const profile = token([], {
      aesKeyWrapPad: 'CKM_AES_KEY_WRAP_KWP: C_WrapKey returned CKR_MECHANISM_INVALID',
      aesKeyUnwrapPad: notTried('aesKeyWrapPad'),
    });
    expect(explainMissingJob(profile, 'unwrap')).to.equal('unwrap: the token does not list CKM_AES_KEY_WRAP_KWP');
  });

  it('is the call that it refuses, with the answer, where it lists the mechanism', () => {
    const refusal = 'C_GenerateKeyPair returned CKR_ATTRIBUTE_VALUE_INVALID';
    const profile = token([CKM_EC_KEY_PAIR_GEN, CKM_ECDSA], {
      ecKeyPairP384: refusal,
      ecdsa: notTried('ecKeyPairP384'),
      ecdsaSha384: notTried('ecKeyPairP384'),
    });
    expect(explainMissingJob(profile, 'sign')).to.equal(
      `sign: it refuses CKM_EC_KEY_PAIR_GEN for P-384: ${refusal} (for sign-ecdsa, which lacks least)`,
    );
  });

  it('takes RFC 5649 under another number for listed', () => {
    const profile = token([CKM_AES_KEY_WRAP_PAD], { aesKeyWrapPad: 'another result than the known answer' });
    expect(explainMissingJob(profile, 'wrap')).to.equal(
      'wrap: it refuses CKM_AES_KEY_WRAP_KWP (RFC 5649, under any number), wrapping: another result than the known answer',
    );
  });

  it('names the strategy that lacks least', () => {
    const refusal = 'C_DeriveKey returned CKR_MECHANISM_INVALID';
    const profile = token([], {
      aesGcm: 'C_EncryptInit returned CKR_MECHANISM_INVALID',
      sp800108HmacSha256OnAes: refusal,
      aesCbcEncryptDataAes256: refusal,
    });
    expect(explainMissingJob(profile, 'messageKey')).to.equal(
      'messageKey: the token does not list CKM_AES_GCM (for message-key-direct, which lacks least)',
    );
  });

  it('follows what was not tried to what was, and ends where answers go in a circle', () => {
    expect(reasonNotTried(notTried('aesGcm'))).to.equal('aesGcm');
    expect(reasonNotTried('not tried, since nothing like it does not work')).to.equal(undefined);
    const profile = token([CKM_ECDSA], { ecKeyPairP384: notTried('ecdsa'), ecdsa: notTried('ecKeyPairP384') });
    expect(explainMissingJob(profile, 'sign')).to.be.a('string');
  });
});
