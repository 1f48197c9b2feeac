import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { AgreementKey, SessionKeys } from '../../src/replication/replication_hsm.js';
import type { ReplicationSuite } from '../../src/wire/suite.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { keyWrapPad, keyWrapWith, softwareMaterialId, softwareSource } from '../support/software_source.js';

const keyId = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const fixedInfo = { rwk: Buffer.from('RWK'), kck: Buffer.from('KCK') };
const salt = Buffer.alloc(48, 7);
const material = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7 + 1));
const secondHalf = (lengthOctets: number): Buffer => Buffer.from([0xa6, 0x59, 0x59, 0xa6, 0, 0, 0, lengthOctets]);

for (const { kind, storage, place } of storageCases()) {
  describe(`unwrapping what a source that lies has wrapped, on ${place}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let suite: ReplicationSuite;
    let rakb: AgreementKey;
    let keys: SessionKeys;
    let rwk: Uint8Array;

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: storage });
      suite = region.hsm.suites[0]!;
      const source = softwareSource();
      rakb = await region.hsm.generateAgreementKey(randomBytes(32));
      rwk = source.rwk(rakb.point, suite, salt, fixedInfo.rwk);
      keys = await region.hsm.agree({
        key: rakb,
        peerPoint: source.point,
        suite,
        fixedInfo,
        salt,
        direction: 'unwrap',
      });
    });
    after(async () => {
      await region.hsm.release(rakb, keys);
      expect(await region.hsm.ephemeralCount()).to.equal(0);
      await region.close();
    });

    const unwrap = (blob: Uint8Array, materialId = softwareMaterialId(material, keyId)): Promise<unknown> =>
      region.hsm.unwrap(
        keys,
        { materialId, class: 'CKO_SECRET_KEY', keyType: 'CKK_AES', lengthOctets: 32, publicKey: null, blob },
        {
          keyId,
          keySpec: 'SYMMETRIC_DEFAULT',
          keyUsage: 'ENCRYPT_DECRYPT',
          multiRegion: true,
          dataSuite: 'CBCDATA-GCM',
          materialId,
        },
      );

    it('takes what software wrapped by RFC 5649 under the same RWK, with the id that software computes', async () => {
      expect(await refusalOf(unwrap(keyWrapPad(rwk, material)))).to.equal('accepted');
    });

    it('refuses an AES-128 key, an AES-192 key and a longer secret', async () => {
      for (const octets of [16, 24, 33, 48, 64]) {
        expect(await refusalOf(unwrap(keyWrapPad(rwk, Buffer.alloc(octets, 1)))), `${octets}`).to.equal(
          'ERR_HSM_UNWRAP',
        );
      }
    });

    it('refuses a secret of 25 to 31 octets, whose blob is as long as that of a right one', async () => {
      for (let octets = 25; octets < 32; octets += 1) {
        const blob = keyWrapPad(rwk, material.subarray(0, octets));
        expect(blob).to.have.lengthOf(40);
        expect(await refusalOf(unwrap(blob)), `${octets}`).to.be.oneOf(['ERR_HSM_TYPE', 'ERR_HSM_UNWRAP']);
      }
    });

    it('refuses a wrong length indicator, padding that is not zero, and a wrap of RFC 3394', async () => {
      for (const lengthOctets of [0, 1, 24, 33, 40, 255]) {
        const blob = keyWrapWith(rwk, secondHalf(lengthOctets), material);
        expect(await refusalOf(unwrap(blob)), `length ${lengthOctets}`).to.equal('ERR_HSM_UNWRAP');
      }
      expect(await refusalOf(unwrap(keyWrapWith(rwk, secondHalf(30), material)))).to.equal('ERR_HSM_UNWRAP');
      expect(await refusalOf(unwrap(keyWrapWith(rwk, Buffer.alloc(8, 0xa6), material)))).to.equal('ERR_HSM_UNWRAP');
    });

    it('refuses a 256-bit secret that is not the material that was named', async () => {
      const other = Buffer.alloc(32, 9);
      expect(await refusalOf(unwrap(keyWrapPad(rwk, other)))).to.equal('ERR_HSM_MATERIAL_ID');
      expect(await refusalOf(unwrap(keyWrapPad(rwk, other), softwareMaterialId(other, 'mrk-other')))).to.equal(
        'ERR_HSM_MATERIAL_ID',
      );
    });

    it('answers a thousand random blobs with one code', async () => {
      const codes = new Set<string>();
      await Promise.all(Array.from({ length: 1000 }, async () => codes.add(await refusalOf(unwrap(randomBytes(40))))));
      expect([...codes]).to.deep.equal(['ERR_HSM_UNWRAP']);
    });
  });
}
