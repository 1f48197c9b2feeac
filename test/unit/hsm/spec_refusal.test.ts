import { expect } from 'chai';
import { capabilitiesOf } from '../../../src/hsm/capability.js';
import { refusalOfSpec } from '../../../src/hsm/key_operations.js';
import { profileBut } from '../../support/profile.js';

describe('what a token cannot hold', () => {
  const capabilities = capabilitiesOf(profileBut({ facts: ['rsaPrivateWrap', 'rsaPrivateUnwrap'] }));

  it('is an RSA key where it wraps no private keys and keys rest wrapped', () => {
    expect(refusalOfSpec(capabilities, 'RSA_2048', 'SIGN_VERIFY')).to.match(/CKR_MECHANISM_INVALID/u);
  });

  it('is none where keys rest in the token', () => {
    expect(refusalOfSpec(capabilities, 'RSA_2048', 'SIGN_VERIFY', 'token')).to.equal(undefined);
  });

  it('is in either storage what it cannot do with the key', () => {
    const without = capabilitiesOf(profileBut({ facts: ['rsaPkcs1Signature'] }));
    expect(refusalOfSpec(without, 'RSA_2048', 'SIGN_VERIFY', 'token')).to.match(/CKR_MECHANISM_INVALID/u);
  });
});
