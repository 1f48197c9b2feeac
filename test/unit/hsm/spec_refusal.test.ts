import { expect } from 'chai';
import { capabilitiesOf, type HsmCapabilities } from '../../../src/hsm/capability.js';
import { refusalOfSpec } from '../../../src/hsm/key_operations.js';
import { KEY_SPECS } from '../../../src/hsm/material.js';
import { refusalOfExport } from '../../../src/hsm/wrapping_refusal.js';
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

describe('what a token can wrap for no other region', () => {
  const without = (...facts: Parameters<typeof profileBut>[0]['facts'] & object) =>
    capabilitiesOf(profileBut({ facts, answer: 'C_WrapKey returned CKR_KEY_NOT_WRAPPABLE' }));

  it('is nothing, where it has been seen to wrap everything', () => {
    for (const keySpec of KEY_SPECS) expect(refusalOfExport(keySpec, without()), keySpec).to.equal(undefined);
  });

  it('are the private keys that it does not wrap, with the call that it refuses, and no others', () => {
    const refused = (capabilities: HsmCapabilities) =>
      KEY_SPECS.filter((keySpec) => refusalOfExport(keySpec, capabilities) !== undefined);
    expect(refused(without('rsaPrivateWrap'))).to.deep.equal(['RSA_2048', 'RSA_3072', 'RSA_4096']);
    expect(refused(without('ecPrivateWrap'))).to.deep.equal([
      'ECC_NIST_P256',
      'ECC_NIST_P384',
      'ECC_NIST_P521',
      'ECC_SECG_P256K1',
    ]);
    expect(refusalOfExport('RSA_3072', without('rsaPrivateWrap'))).to.equal(
      'the token of this region can wrap no RSA_3072 key for another region: C_WrapKey of an RSA private key under RFC 5649: C_WrapKey returned CKR_KEY_NOT_WRAPPABLE',
    );
  });

  it('is not what it wraps and cannot unwrap', () => {
    const capabilities = without('rsaPrivateUnwrap', 'ecPrivateUnwrap');
    for (const keySpec of KEY_SPECS) expect(refusalOfExport(keySpec, capabilities), keySpec).to.equal(undefined);
  });

  it('is everything, where it can agree on no key to wrap under', () => {
    const capabilities = without('derivedKeyWraps');
    expect(capabilities.suites).to.deep.equal([]);
    for (const keySpec of KEY_SPECS) {
      expect(refusalOfExport(keySpec, capabilities), keySpec).to.match(
        /no replication suite: OSKDF-A256KWP needs CKM_ECDH1_DERIVE/u,
      );
    }
  });
});
