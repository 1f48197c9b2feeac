import { expect } from 'chai';
import { capabilitiesOf } from '../../../src/hsm/capability.js';
import { refusalOfSpec } from '../../../src/hsm/key_operations.js';
import { profileBut } from '../../support/profile.js';

describe('what a token cannot hold', () => {
  const facts = ['rsaPrivateWrap', 'rsaPrivateUnwrap', 'ecPrivateWrap', 'ecPrivateUnwrap'] as const;
  const capabilities = capabilitiesOf(profileBut({ facts }));
  const pairs = [
    ['RSA_2048', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  ] as const;

  for (const [keySpec, keyUsage] of pairs) {
    it(`is a ${keySpec} key for ${keyUsage} where it wraps no private keys and keys rest wrapped`, () => {
      expect(refusalOfSpec(capabilities, keySpec, keyUsage)).to.match(/C_WrapKey of an .*CKR_MECHANISM_INVALID/u);
    });

    it(`is no ${keySpec} key for ${keyUsage} where keys rest in the token`, () => {
      expect(refusalOfSpec(capabilities, keySpec, keyUsage, 'token')).to.equal(undefined);
    });
  }

  it('is in either storage what it cannot do with the key', () => {
    const without = capabilitiesOf(profileBut({ facts: ['rsaPkcs1Signature'] }));
    expect(refusalOfSpec(without, 'RSA_2048', 'SIGN_VERIFY', 'token')).to.match(/CKR_MECHANISM_INVALID/u);
  });
});
