import { expect } from 'chai';
import type { HsmError } from '../../src/hsm/errors.js';
import { tokenObjectIdOf, type StoredMaterial } from '../../src/hsm/material.js';
import type { RegionHsm } from '../../src/hsm/region_hsm.js';
import type { KeyHsm } from '../../src/kms/ports.js';
import { CKA_CLASS, CKA_LABEL, CKA_TOKEN } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { BLOB_OCTETS_MAX, DATA_SUITES, parseCiphertextBlob } from '../../src/wire/ciphertext_blob.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { singleRegionBinding as binding } from '../support/material_bindings.js';
import { sessionObjects } from '../support/region_sessions.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { faultyRunner, withFlippedBit, type RunnerFaults } from '../support/runner_faults.js';

const hello = Buffer.from('hello');

for (const { kind, storage, place } of storageCases()) {
  describe(`backing keys and messages on ${place}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let hsm: RegionHsm;
    let material: StoredMaterial;
    const labelOfLoaded = storage === 'wrapped' ? 'keyferry:backing-key' : `keyferry:key:${binding.keyId}`;

    before(async () => {
      region = await makeRegionToken(kind, { loadedKeysMax: 3, keyStorage: storage });
      hsm = region.hsm;
      material = await hsm.createMaterial(binding);
    });
    after(() => region.close());

    it('is what the key manager asks for', () => {
      const fits: KeyHsm = hsm;
      expect(fits.dataSuites).to.include('CBCDATA-GCM');
    });

    it(`makes material that ${storage === 'wrapped' ? 'is wrapped under the domain key' : 'stays in the token'} and has an id`, () => {
      expect(material.exportedKeyToken).to.have.lengthOf(storage === 'wrapped' ? 40 : 0);
      expect(tokenObjectIdOf(material) === null).to.equal(storage === 'wrapped');
      expect(material.binding.materialId).to.match(/^[0-9a-f]{64}$/);
      expect(material.recordMac).to.have.lengthOf(48);
    });

    it('makes other material each time', async () => {
      const other = await hsm.createMaterial(binding);
      expect(other.binding.materialId).to.not.equal(material.binding.materialId);
    });

    it('leaves no object behind after making material', async () => {
      const before = await sessionObjects(region);
      for (let i = 0; i < 10; i += 1) await hsm.createMaterial({ ...binding, multiRegion: i % 2 === 0 });
      expect(await sessionObjects(region)).to.equal(before);
    });

    for (const dataSuite of DATA_SUITES) {
      it(`encrypts and decrypts with ${dataSuite}, or says which mechanism is missing`, async () => {
        const own = await hsm.createMaterial({ ...binding, dataSuite });
        const encrypted = hsm.encrypt(own, { a: 'b' }, hello);
        if (!hsm.dataSuites.includes(dataSuite)) {
          const error = await encrypted.catch((thrown: unknown) => thrown);
          expect(error).to.have.property('code', 'ERR_HSM_STRATEGY');
          expect((error as HsmError).message).to.include('CKM_');
          return;
        }
        const blob = await encrypted;
        expect(parseCiphertextBlob(blob)).to.include({ suite: dataSuite, materialId: own.binding.materialId });
        expect(Buffer.from(await hsm.decrypt(own, { a: 'b' }, blob)).toString()).to.equal('hello');
      });
    }

    it('encrypts from 1 to 4,096 octets, and 4,096 fit in 6,144', async () => {
      for (const octets of [1, 15, 16, 17, 4095, 4096]) {
        const plaintext = Buffer.alloc(octets, 0x5a);
        const blob = await hsm.encrypt(material, {}, plaintext);
        expect(blob.length).to.be.at.most(BLOB_OCTETS_MAX);
        expect(Buffer.from(await hsm.decrypt(material, {}, blob)).equals(plaintext)).to.equal(true);
      }
      expect(await refusalOf(hsm.encrypt(material, {}, Buffer.alloc(4097)))).to.match(/RangeError/);
      expect(await refusalOf(hsm.encrypt(material, {}, Buffer.alloc(0)))).to.match(/RangeError/);
    });

    it('never makes the same blob twice', async () => {
      const blobs = await Promise.all(Array.from({ length: 300 }, () => hsm.encrypt(material, {}, hello)));
      const nonces = new Set(blobs.map((blob) => Buffer.from(parseCiphertextBlob(blob)!.nonce).toString('hex')));
      const ivs = new Set(blobs.map((blob) => Buffer.from(parseCiphertextBlob(blob)!.iv).toString('hex')));
      expect([nonces.size, ivs.size]).to.deep.equal([300, 300]);
    });

    it('refuses a blob with any octet changed, always with the same error', async () => {
      const blob = await hsm.encrypt(material, { a: 'b' }, hello);
      const refusals = new Set<string>();
      for (let at = 0; at < blob.length; at += 1) {
        refusals.add(await refusalOf(hsm.decrypt(material, { a: 'b' }, withFlippedBit(blob, at))));
      }
      expect([...refusals]).to.deep.equal(['ERR_HSM_CIPHERTEXT']);
    });

    it('refuses a blob that is cut short or has octets behind it', async () => {
      const blob = await hsm.encrypt(material, {}, hello);
      for (const wrong of [
        blob.subarray(0, -1),
        blob.subarray(0, 20),
        Buffer.concat([blob, Buffer.alloc(1)]),
        Buffer.alloc(0),
      ]) {
        expect(await refusalOf(hsm.decrypt(material, {}, wrong))).to.equal('ERR_HSM_CIPHERTEXT');
      }
    });

    it('refuses another encryption context, and takes the same in another order', async () => {
      const blob = await hsm.encrypt(material, { a: '1', b: '2' }, hello);
      for (const wrong of [{}, { a: '1' }, { a: '1', b: '3' }, { a: '1', b: '2', c: '3' }, { A: '1', b: '2' }]) {
        expect(await refusalOf(hsm.decrypt(material, wrong, blob))).to.equal('ERR_HSM_CIPHERTEXT');
      }
      expect(Buffer.from(await hsm.decrypt(material, { b: '2', a: '1' }, blob)).toString()).to.equal('hello');
    });

    it('refuses a blob of another key, and one whose key material id was exchanged', async () => {
      const other = await hsm.createMaterial(binding);
      const blob = await hsm.encrypt(material, {}, hello);
      expect(await refusalOf(hsm.decrypt(other, {}, blob))).to.equal('ERR_HSM_CIPHERTEXT');
      const renamed = Uint8Array.from(blob);
      renamed.set(Buffer.from(other.binding.materialId, 'hex'), 2);
      expect(await refusalOf(hsm.decrypt(other, {}, renamed))).to.equal('ERR_HSM_CIPHERTEXT');
    });

    it('refuses a record in which anything was changed, also while the right one is loaded', async () => {
      await hsm.encrypt(material, {}, hello);
      const other = await hsm.createMaterial(binding);
      const changed: readonly StoredMaterial[] = [
        { ...material, binding: { ...material.binding, keyId: 'another' } },
        { ...material, binding: { ...material.binding, multiRegion: true } },
        { ...material, binding: { ...material.binding, dataSuite: 'DIRECT-GCM' } },
        { ...material, binding: { ...material.binding, materialId: 'ab'.repeat(32) } },
        ...(storage === 'wrapped'
          ? [{ ...material, exportedKeyToken: other.exportedKeyToken }]
          : [
              { ...material, domainKeyId: other.domainKeyId },
              { ...material, exportedKeyToken: Buffer.alloc(40) },
            ]),
        { ...material, recordMac: withFlippedBit(material.recordMac) },
        { ...material, recordMac: material.recordMac.subarray(0, 47) },
        {
          ...material,
          exportedKeyToken: other.exportedKeyToken,
          domainKeyId: other.domainKeyId,
          recordMac: other.recordMac,
          binding: { ...material.binding, keyId: 'another' },
        },
      ];
      for (const record of changed) expect(await refusalOf(hsm.encrypt(record, {}, hello))).to.equal('ERR_HSM_RECORD');
      expect(await refusalOf(hsm.encrypt({ ...material, domainKeyId: 'ff' }, {}, hello))).to.equal('ERR_HSM_RECORD');
      expect(await refusalOf(hsm.encrypt(material, {}, hello))).to.equal('accepted');
    });

    it('re-encrypts under another key and context, and refuses a bad source', async () => {
      const destination = await hsm.createMaterial({ ...binding, keyId: 'destination' });
      const blob = await hsm.encrypt(material, { a: '1' }, hello);
      const moved = await hsm.reEncrypt(
        { material, algorithm: 'SYMMETRIC_DEFAULT', context: { a: '1' }, blob },
        { material: destination, algorithm: 'SYMMETRIC_DEFAULT', context: { b: '2' } },
      );
      expect(Buffer.from(await hsm.decrypt(destination, { b: '2' }, moved)).toString()).to.equal('hello');
      const refused = hsm.reEncrypt(
        { material, algorithm: 'SYMMETRIC_DEFAULT', context: {}, blob },
        { material: destination, algorithm: 'SYMMETRIC_DEFAULT', context: {} },
      );
      expect(await refusalOf(refused)).to.equal('ERR_HSM_CIPHERTEXT');
    });

    it('makes data keys, and tells their plaintext only where it is asked to', async () => {
      const shown = await hsm.generateDataKey(material, {}, { octets: 32, reveal: true });
      const hidden = await hsm.generateDataKey(material, {}, { octets: 32, reveal: false });
      expect(hidden.plaintext).to.equal(null);
      expect(Buffer.from(await hsm.decrypt(material, {}, shown.blob)).equals(shown.plaintext!)).to.equal(true);
      const second = Buffer.from(await hsm.decrypt(material, {}, hidden.blob));
      expect(second).to.have.lengthOf(32);
      expect(second.equals(shown.plaintext!)).to.equal(false);
    });

    it('keeps the bound on loaded keys, and keys that are thrown out in use go on working', async () => {
      const materials = await Promise.all(Array.from({ length: 8 }, () => hsm.createMaterial(binding)));
      const blobs = await Promise.all(materials.map((own) => hsm.encrypt(own, {}, hello)));
      const plaintexts = await Promise.all(
        Array.from({ length: 80 }, (_, at) => hsm.decrypt(materials[at % 8]!, {}, blobs[at % 8]!)),
      );
      expect(plaintexts.every((plaintext) => Buffer.from(plaintext).toString() === 'hello')).to.equal(true);
      expect((await hsm.describe()).loadedKeys).to.be.at.most(3);
      await hsm.close();
      expect(await sessionObjects(region, labelOfLoaded)).to.equal(0);
    });

    it('holds the number of objects over thousands of messages', async () => {
      const before = await sessionObjects(region);
      for (let round = 0; round < 20; round += 1) {
        await Promise.all(Array.from({ length: 100 }, () => hsm.encrypt(material, {}, hello)));
      }
      expect((await sessionObjects(region)) - before).to.be.at.most(1);
    });

    it('reads the attributes of a loaded key back and unloads one that is not as asked', async () => {
      const faults: RunnerFaults = {};
      const liar = await region.openHsm(faultyRunner(region.executor, faults));
      const before = await sessionObjects(region);
      faults.attributes = (job, attributes) =>
        job.name === 'load backing key' || job.name === 'copy token key'
          ? new Map([...attributes, [CKA_CLASS, { type: CKA_CLASS, state: 'value', octets: Buffer.alloc(8, 1) }]])
          : attributes;
      expect(await refusalOf(liar.encrypt(material, {}, hello))).to.equal('ERR_HSM_TYPE');
      expect(await sessionObjects(region)).to.equal(before);
    });

    it('names no octets of keys or plaintext in an error', async () => {
      const blob = await hsm.encrypt(material, {}, Buffer.from('a very secret plaintext'));
      const error = await hsm.decrypt(material, { x: 'y' }, blob).catch((thrown: unknown) => thrown as HsmError);
      const shown = JSON.stringify([(error as HsmError).message, (error as HsmError).details]);
      expect(shown).to.not.include('secret plaintext');
      if (storage === 'wrapped') {
        expect(shown).to.not.include(Buffer.from(material.exportedKeyToken).toString('hex'));
      }
    });

    it('labels what it loads, and loads no key that could be wrapped', async () => {
      await hsm.encrypt(material, {}, hello);
      const search = new Job('find', 'test');
      const found = search.findObjects(template([CKA_TOKEN, false], [CKA_LABEL, Buffer.from(labelOfLoaded)]), 10);
      const [handle] = (await region.executor.run(search)).handles(found);
      const job = new Job('wrap', 'test');
      const read = job.getAttributes(handle!, [0x162]);
      expect((await region.executor.run(job)).attributes(read).get(0x162)?.octets[0]).to.equal(0);
    });
  });
}
