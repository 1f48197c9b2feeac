import { expect } from 'chai';
import type { KeySpec } from '../../src/hsm/material.js';
import type { RegionHsm } from '../../src/hsm/region_hsm.js';
import { agreeKeys } from '../support/agreed_keys.js';
import { makeFaultyToken } from '../support/faulty_token.js';
import { makeRegionToken, openRegionToken, type RegionToken } from '../support/region_token.js';

const CKA_WRAP = '106';

/** C_UnwrapKey wants to know whether the key is to wrap, which no private key can: they come out of this token, and none goes into it. */
describe('a token that wraps its private keys and unwraps none', function () {
  this.timeout(60_000);
  let source: RegionToken;
  let hsm: RegionHsm;
  let destination: RegionToken;

  before(async () => {
    const token = await makeFaultyToken('softhsm2');
    token.setFaults(`C_UnwrapKey * need ${CKA_WRAP}`);
    source = await openRegionToken(token, { keyStorage: 'token' });
    hsm = source.hsm;
    destination = await makeRegionToken('nss');
  });
  after(async () => {
    await destination.close();
    await source.close();
  });

  it('is seen to do the one and not the other', () => {
    const { ecPrivateWrap, rsaPrivateWrap, ecPrivateUnwrap, rsaPrivateUnwrap } = source.profile.facts;
    expect([ecPrivateWrap.works, rsaPrivateWrap.works]).to.deep.equal([true, true]);
    expect([ecPrivateUnwrap, rsaPrivateUnwrap].map(({ answer }) => answer)).to.deep.equal(
      Array(2).fill('C_UnwrapKey returned CKR_TEMPLATE_INCOMPLETE'),
    );
  });

  for (const keySpec of ['ECC_NIST_P256', 'ECC_NIST_P521', 'RSA_2048'] satisfies KeySpec[]) {
    it(`is not said to export no ${keySpec} keys: another token takes them in`, async () => {
      expect(hsm.refusalOfExport(keySpec)).to.equal(undefined);
      const binding = { keyId: keySpec, keySpec, keyUsage: 'SIGN_VERIFY', multiRegion: true, dataSuite: null } as const;
      const pair = await agreeKeys(hsm, destination.hsm);
      const own = await hsm.createMaterial(binding);
      const installed = await destination.hsm.unwrap(pair.unwrapping, await hsm.wrap(pair.wrapping, own), own.binding);
      await pair.release();
      expect(installed.binding).to.deep.equal(own.binding);
    });
  }
});
