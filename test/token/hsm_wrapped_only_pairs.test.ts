import { expect } from 'chai';
import { capabilitiesOf } from '../../src/hsm/capability.js';
import type { KeySpec } from '../../src/hsm/material.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { agreeKeys } from '../support/agreed_keys.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { MemoryLedger } from '../support/memory_ledger.js';
import { accessToScratch, makeRegionToken, openScratch, profileOf, type RegionToken } from '../support/region_token.js';

const CKA_WRAP = '106';

/** C_UnwrapKey wants to know whether the key is to wrap, which no private key can: they come out of this token, and none goes into it. */
describe('a token that wraps its private keys and unwraps none', function () {
  this.timeout(60_000);
  let token: FaultyToken;
  let profile: TokenProfile;
  let hsm: RegionHsm;
  let destination: RegionToken;
  let close: () => Promise<void>;

  before(async () => {
    token = await makeFaultyToken('softhsm2');
    token.setFaults(`C_UnwrapKey * need ${CKA_WRAP}`);
    profile = await profileOf(token);
    const capabilities = capabilitiesOf(profile);
    await provisionRegion(accessToScratch(token), capabilities);
    const opened = await openScratch(token);
    hsm = await RegionHsm.open({
      runner: opened.executor,
      capabilities,
      storage: { kind: 'token', ledger: new MemoryLedger() },
    });
    close = async () => {
      await hsm.close();
      await opened.close();
    };
    destination = await makeRegionToken('nss');
  });
  after(async () => {
    await destination.close();
    await close();
    token.dispose();
  });

  it('is seen to do the one and not the other', () => {
    const { ecPrivateWrap, rsaPrivateWrap, ecPrivateUnwrap, rsaPrivateUnwrap } = profile.facts;
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
