import { expect } from 'chai';
import { capabilitiesOf } from '../../src/hsm/capability.js';
import { HsmError } from '../../src/hsm/errors.js';
import { dialectForm } from '../../src/token/dialect.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { agreeKeys } from '../support/agreed_keys.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { multiRegionBinding as binding } from '../support/material_bindings.js';
import { openRegionToken, profileOf } from '../support/region_token.js';

const KWP_OF_ITS_OWN = '80000aaa';

/** Modules that depart from the standard, each with the data that says how. */
const modules = [
  {
    what: 'has another number for RFC 5649',
    faults: [`* * instead ${KWP_OF_ITS_OWN} 210b`, '* * no-mechanism 210b'],
    dialect: { mechanisms: { CKM_AES_KEY_WRAP_KWP: `0x${KWP_OF_ITS_OWN}` } },
    complaint: /cannot do wrap.*CKM_AES_KEY_WRAP_KWP/u,
  },
  {
    what: 'unwraps no key whose template does not say CKA_MODIFIABLE',
    faults: ['C_UnwrapKey * need 170'],
    dialect: { attributes: [{ calls: ['unwrap'], require: { CKA_MODIFIABLE: true } }] },
    complaint: /cannot do unwrap.*CKR_TEMPLATE_INCOMPLETE/u,
  },
  {
    what: 'makes and derives no secret key whose template says CKA_VERIFY',
    faults: ['C_DeriveKey * forbid 10a', 'C_CreateObject * forbid 10a'],
    dialect: { attributes: [{ calls: ['derive', 'create'], class: 'CKO_SECRET_KEY', forbid: ['CKA_VERIFY'] }] },
    complaint: /HKDF384-A256KWP: .*C_DeriveKey returned CKR_TEMPLATE_INCONSISTENT/u,
  },
] as const;

/** What a region's HSM on such a token would lack: everything, or its suites. */
function refusalsOf(profile: TokenProfile): string {
  try {
    const { suites, missing } = capabilitiesOf(profile);
    expect(suites).to.deep.equal([]);
    return missing.map(({ strategy, reason }) => `${strategy}: ${reason}`).join('\n');
  } catch (error) {
    if (error instanceof HsmError && error.code === 'ERR_HSM_STRATEGY') return error.message;
    throw error;
  }
}

for (const { what, faults, dialect, complaint } of modules) {
  describe(`a module that ${what}`, function () {
    this.timeout(60_000);
    let token: FaultyToken;

    beforeEach(async () => {
      token = await makeFaultyToken('nss');
      token.setFaults(...faults);
    });
    afterEach(() => token.dispose());

    it('is refused with what is missing, where nobody says so', async () => {
      const profile = await profileOf(token);
      expect(refusalsOf(profile)).to.match(complaint);
    });

    it('carries a region where its dialect is known', async () => {
      token.module.speak(dialectForm.parse(dialect));
      const region = await openRegionToken(token);
      try {
        const { hsm } = region;
        const material = await hsm.createMaterial(binding);
        const blob = await hsm.encrypt(material, { a: 'b' }, Buffer.from('hello'));
        expect(Buffer.from(await hsm.decrypt(material, { a: 'b' }, blob)).toString()).to.equal('hello');

        const { wrapping, unwrapping, release } = await agreeKeys(hsm, hsm);
        const installed = await hsm.unwrap(unwrapping, await hsm.wrap(wrapping, material), material.binding);
        expect(Buffer.from(await hsm.decrypt(installed, { a: 'b' }, blob)).toString()).to.equal('hello');
        await release();
      } finally {
        await region.close();
      }
    });
  });
}
