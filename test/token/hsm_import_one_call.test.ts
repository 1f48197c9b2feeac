import { generateKeyPairSync, verify } from 'node:crypto';
import { expect } from 'chai';
import type { StoredImportKey } from '../../src/hsm/import_key.js';
import type { RegionImports } from '../../src/hsm/import_region.js';
import { importCapabilitiesOf } from '../../src/hsm/import_strategy.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { openRegionToken, type RegionToken } from '../support/region_token.js';

/** NSS softoken behind a library that lends it CKM_RSA_AES_KEY_WRAP, which no module at hand has. */
describe('a token that does CKM_RSA_AES_KEY_WRAP in one call', function () {
  this.timeout(60_000);
  let token: FaultyToken;
  let region: RegionToken;
  let imports: RegionImports;
  let importKey: StoredImportKey;
  const message = Buffer.from('signed with what was imported');

  before(async () => {
    token = await makeFaultyToken('nss');
    token.setFaults('C_UnwrapKey * rsa-aes 210b', '* * list 1054');
    region = await openRegionToken(token);
    imports = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'refuse' }));
    importKey = await imports.generateImportKey('RSA_2048');
  });
  after(() => region.close());

  for (const algorithm of ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'] as const) {
    it(`imports private keys by it, by ${algorithm}`, async () => {
      for (const [keySpec, { privateKey, publicKey }, signing, options] of [
        ['ECC_NIST_P256', generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ECDSA_SHA_256', {}],
        ['RSA_2048', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RSASSA_PKCS1_V1_5_SHA_256', {}],
      ] as const) {
        const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
        const calls = token.callCount('C_UnwrapKey');
        const imported = await imports.importMaterial({
          importKey,
          algorithm,
          encrypted: wrapForImport(algorithm, importKey.publicKey, pkcs8),
          binding: { keyId: keySpec, keySpec, keyUsage: 'SIGN_VERIFY', multiRegion: false, dataSuite: null },
        });
        expect(token.callCount('C_UnwrapKey')).to.be.greaterThan(calls);
        expect(imported.strategy).to.match(/^import-rsa-aes-sha(1|256)$/u);
        expect(imported.outsideToken).to.equal(false);
        const signature = await region.hsm.sign(imported.material, signing, { kind: 'message', octets: message });
        expect(verify('sha256', message, { key: publicKey, ...options }, signature), keySpec).to.equal(true);
      }
    });

    it(`refuses what does not unwrap with one answer, by ${algorithm}`, async () => {
      const pkcs8 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
        type: 'pkcs8',
        format: 'der',
      });
      const good = wrapForImport(algorithm, importKey.publicKey, pkcs8);
      const codes = new Set<unknown>();
      for (const at of [0, 255, 256, good.length - 1]) {
        const encrypted = Uint8Array.from(good);
        encrypted[at] = (encrypted[at] ?? 0) ^ 1;
        const binding = { keyId: 'k', keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY' } as const;
        const error = await imports
          .importMaterial({
            importKey,
            algorithm,
            encrypted,
            binding: { ...binding, multiRegion: false, dataSuite: null },
          })
          .catch((thrown: unknown) => thrown);
        codes.add((error as { code?: unknown }).code);
      }
      expect([...codes]).to.deep.equal(['ERR_HSM_UNWRAP']);
    });
  }
});
