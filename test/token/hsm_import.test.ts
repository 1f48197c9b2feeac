import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { HsmError } from '../../src/hsm/errors.js';
import type { StoredImportKey } from '../../src/hsm/import_key.js';
import type { RegionImports } from '../../src/hsm/import_region.js';
import { importCapabilitiesOf } from '../../src/hsm/import_strategy.js';
import { CKA_TOKEN } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { oaepEncrypt, wrapForImport } from '../support/import_wrapping.js';
import { makeRegionToken, type RegionToken } from '../support/region_token.js';
import { softwareMaterialId } from '../support/software_source.js';
import { tokenKinds } from '../support/token_directory.js';

const binding = {
  keyId: '1234abcd-12ab-34cd-56ef-1234567890ab',
  keySpec: 'SYMMETRIC_DEFAULT',
  keyUsage: 'ENCRYPT_DECRYPT',
  multiRegion: false,
  dataSuite: 'CBCDATA-GCM',
} as const;

async function refusalOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'accepted',
    (error: unknown) => error,
  );
  return outcome instanceof HsmError ? outcome.code : String(outcome);
}

async function sessionObjects(region: RegionToken): Promise<number> {
  const job = new Job('count', 'test');
  const found = job.findObjects(template([CKA_TOKEN, false]), 4096);
  return (await region.executor.run(job)).handles(found).length;
}

for (const kind of tokenKinds()) {
  describe(`importing AES-256 material into ${kind}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let imports: RegionImports;
    let importKey: StoredImportKey;

    before(async () => {
      region = await makeRegionToken(kind);
      imports = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'allow' }));
      importKey = await imports.generateImportKey('RSA_2048');
    });
    after(() => region.close());

    const importing = (
      algorithm: 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256',
      encrypted: Uint8Array,
    ): ReturnType<RegionImports['importMaterial']> =>
      imports.importMaterial({ importKey, algorithm, encrypted, binding });

    for (const algorithm of ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const) {
      it(`takes a key wrapped by ${algorithm}, with the id that software computes, and encrypts with it`, async () => {
        const before = await sessionObjects(region);
        const material = randomBytes(32);
        const imported = await importing(algorithm, wrapForImport(algorithm, importKey.publicKey, material));
        expect(imported.material.binding.materialId).to.equal(softwareMaterialId(material, binding.keyId));
        expect(await sessionObjects(region)).to.equal(before);
        const blob = await region.hsm.encrypt(imported.material, {}, Buffer.from('hello'));
        expect(Buffer.from(await region.hsm.decrypt(imported.material, {}, blob)).toString()).to.equal('hello');
      });

      it(`refuses other lengths wrapped by ${algorithm}`, async () => {
        const before = await sessionObjects(region);
        for (const octets of [1, 16, 24, 25, 31, 33, 40, 64, 128]) {
          const encrypted = oaepEncrypt(algorithm, importKey.publicKey, randomBytes(octets));
          expect(await refusalOf(importing(algorithm, encrypted)), `${octets}`).to.be.oneOf([
            'ERR_HSM_UNWRAP',
            'ERR_HSM_TYPE',
          ]);
        }
        expect(await sessionObjects(region)).to.equal(before);
      });
    }
  });
}
