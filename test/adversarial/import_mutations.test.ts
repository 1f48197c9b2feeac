import { expect } from 'chai';
import { ImportMutations } from '../support/import_mutations.js';
import { importsOf, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { makeRegionToken, type RegionToken } from '../support/region_token.js';
import { countObjects } from '../support/lab_token.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';

/** Cases on each token; `make mutations` runs 10,000 of each kind. */
const TOKEN_CASES = 2500;
const BLOB_CASES = 1000;
const PARAMETER_CASES = 2500;

for (const kind of ['softhsm2', 'nss'] as const) {
  describe(`Imports of which something was changed, on ${kind}`, function () {
    this.timeout(120_000);
    let token: RegionToken;
    let region: RegionFixture;
    let mutations: ImportMutations;
    const objects = () => countObjects({ ...token, kind });

    before(async () => {
      token = await makeRegionToken(kind);
      region = await makeRegionFixture({ hsm: token.hsm, imports: importsOf(token) });
      // What a disk keeps after a power cut is not in question here, and its waits are long.
      region.database.prepare('PRAGMA synchronous = OFF').all();
      const call = { region: region.region, caller: { principal: ROOT, account: ACCOUNT } };
      mutations = await ImportMutations.prepare(call, 0xa48a49);
    });
    after(async () => {
      await region.close();
      await token.close();
    });

    it(`A48 no change of a token imports anything or fails inside, in ${TOKEN_CASES} seeded cases`, async () => {
      const tally = await mutations.run('tokens', TOKEN_CASES);
      expect(tally).to.deep.equal({ InvalidImportTokenException: TOKEN_CASES });
      // The cases get past the form, and past the kid.
      expect([...mutations.audited]).to.include.members([
        'ERR_IMPORT_TOKEN_FORM',
        'ERR_IMPORT_TOKEN_SIGNING_KEY',
        'ERR_IMPORT_TOKEN_SIGNATURE',
      ]);
    });

    it(`A49 no change of a blob imports anything or fails inside, in ${BLOB_CASES} seeded cases`, async () => {
      const before = await objects();
      const tally = await mutations.run('blobs', BLOB_CASES);
      expect(tally).to.deep.equal({ InvalidCiphertextException: BLOB_CASES });
      expect(await objects()).to.deep.equal(before);
    });

    it(`no change of a request imports half a key or fails inside, in ${PARAMETER_CASES} seeded cases`, async () => {
      const before = await objects();
      const tally = await mutations.run('parameter sets', PARAMETER_CASES);
      expect(tally).to.include.keys('ValidationException', 'SerializationException', 'NotFoundException', 'answered');
      expect(await objects()).to.deep.equal(before);
    });
  });
}
