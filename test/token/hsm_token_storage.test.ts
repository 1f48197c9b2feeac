import { expect } from 'chai';
import { HsmError } from '../../src/hsm/errors.js';
import type { JobRunner } from '../../src/hsm/job_runner.js';
import { tokenObjectIdOf, type StoredMaterial } from '../../src/hsm/material.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import {
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_LABEL,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE,
} from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job, type AttributeValue } from '../../src/token/job.js';
import type { ObjectHandle } from '../../src/token/object.js';
import { CKR } from '../../src/token/return_value.js';
import { template, type Template } from '../../src/token/template.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { singleRegionBinding as binding } from '../support/material_bindings.js';
import { closeAllSessions } from '../support/region_sessions.js';
import { makeRegionToken, type RegionToken } from '../support/region_token.js';
import { tokenKinds } from '../support/token_directory.js';

const hello = Buffer.from('hello');

const USES = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_DERIVE];

for (const kind of tokenKinds()) {
  describe(`key storage "token" on ${kind}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let hsm: RegionHsm;

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: 'token' });
      hsm = region.hsm;
    });
    after(() => region.close());

    /** Makes a key whose record is kept. */
    const create = async (more: Partial<StoredMaterial['binding']> = {}): Promise<StoredMaterial> => {
      const material = await hsm.createMaterial({ ...binding, ...more });
      region.ledger.records.push(material);
      return material;
    };

    const objectsOf = async (objectId: string): Promise<readonly ObjectHandle[]> => {
      const job = new Job('find', 'test');
      const found = job.findObjects(template([CKA_TOKEN, true], [CKA_ID, Buffer.from(objectId, 'hex')]), 10);
      return (await region.executor.run(job)).handles(found);
    };

    const countOf = async (shape: Template): Promise<number> => {
      const job = new Job('count', 'test');
      const found = job.findObjects(shape, 4096);
      return (await region.executor.run(job)).handles(found).length;
    };

    const attributesOf = async (material: StoredMaterial): Promise<ReadonlyMap<number, AttributeValue>> => {
      const [handle] = await objectsOf(tokenObjectIdOf(material) ?? '');
      if (handle === undefined) throw new Error('no object');
      const job = new Job('read', 'test');
      const read = job.getAttributes(handle, [CKA_LABEL, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_VALUE, ...USES]);
      return (await region.executor.run(job)).attributes(read);
    };

    const truthOf = (attributes: ReadonlyMap<number, AttributeValue>, type: number): boolean =>
      attributes.get(type)?.octets[0] === 1;

    it('makes one token object for a key, and a record without octets of it', async () => {
      const material = await create();
      expect(material.exportedKeyToken).to.have.lengthOf(0);
      expect(await objectsOf(tokenObjectIdOf(material) ?? '')).to.have.lengthOf(1);
      const attributes = await attributesOf(material);
      expect(Buffer.from(attributes.get(CKA_LABEL)?.octets ?? []).toString()).to.equal(`keyferry:key:${binding.keyId}`);
    });

    it('keeps a single-Region key in the token for good, and gives it the one use that it is for', async () => {
      const attributes = await attributesOf(await create());
      expect(truthOf(attributes, CKA_SENSITIVE)).to.equal(true);
      expect(truthOf(attributes, CKA_EXTRACTABLE)).to.equal(false);
      expect(attributes.get(CKA_VALUE)?.state).to.equal('sensitive');
      expect(USES.filter((type) => truthOf(attributes, type))).to.deep.equal([CKA_DERIVE]);
    });

    it('lets only a multi-Region key be wrapped', async () => {
      expect(truthOf(await attributesOf(await create({ multiRegion: true })), CKA_EXTRACTABLE)).to.equal(true);
    });

    for (const copies of [true, false]) {
      it(`keeps the private half of a pair alone, ${copies ? 'as a copy of a session object' : 'made where it stays, where the token refuses the copy'}`, async () => {
        const refusing: JobRunner = {
          get epoch() {
            return region.executor.epoch;
          },
          run: (job) =>
            job.strategy === 'copy of a session object'
              ? Promise.reject(
                  new TokenError('ERR_TOKEN_CALL', { call: 'C_CopyObject', rv: CKR.CKR_FUNCTION_NOT_SUPPORTED }),
                )
              : region.executor.run(job),
        };
        const runner = copies ? region.executor : refusing;
        const { capabilities, ledger } = region;
        const other = await RegionHsm.open({ runner, capabilities, storage: { kind: 'token', ledger } });
        const before = await countOf(template([CKA_TOKEN, false]));
        const pair = { ...binding, keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY', dataSuite: null } as const;
        const material = await other.createMaterial(pair);
        ledger.records.push(material);
        expect(await countOf(template([CKA_TOKEN, false]))).to.equal(before);
        expect(await objectsOf(tokenObjectIdOf(material) ?? '')).to.have.lengthOf(1);
        const attributes = await attributesOf(material);
        expect(truthOf(attributes, CKA_EXTRACTABLE)).to.equal(false);
        const input = { kind: 'message', octets: hello } as const;
        const signature = await hsm.sign(material, 'ECDSA_SHA_256', input);
        expect(await hsm.verify(material, 'ECDSA_SHA_256', input, signature)).to.equal(true);
        await other.close();
      });
    }

    it('uses keys again after the HSM was opened anew, and wrapped keys beside them', async () => {
      const material = await create();
      const blob = await hsm.encrypt(material, { a: 'b' }, hello);
      const { executor: runner, capabilities, ledger } = region;
      const second = await RegionHsm.open({ runner, capabilities, storage: { kind: 'wrapped', ledger } });
      expect(Buffer.from(await second.decrypt(material, { a: 'b' }, blob)).toString()).to.equal('hello');
      const wrapped = await second.createMaterial(binding);
      expect(wrapped.exportedKeyToken).to.have.lengthOf(40);
      const other = await hsm.encrypt(wrapped, {}, hello);
      expect(Buffer.from(await second.decrypt(wrapped, {}, other)).toString()).to.equal('hello');
      await second.close();
    });

    it('refuses a record that names another object, another key or no object', async () => {
      const [material, other] = [await create(), await create({ keyId: 'another' })];
      const changed: readonly StoredMaterial[] = [
        { ...material, domainKeyId: other.domainKeyId },
        { ...material, domainKeyId: 'object:' },
        { ...material, domainKeyId: material.domainKeyId.slice('object:'.length) },
        { ...material, binding: { ...material.binding, keyId: 'another' } },
        { ...material, binding: { ...material.binding, multiRegion: true } },
      ];
      for (const record of changed) expect(await refusalOf(hsm.encrypt(record, {}, hello))).to.equal('ERR_HSM_RECORD');
    });

    it('destroys the object of a key whose record is gone, and its ledger entry', async () => {
      const material = await hsm.createMaterial(binding);
      const objectId = tokenObjectIdOf(material) ?? '';
      await hsm.encrypt(material, {}, hello);
      await hsm.unload(material);
      expect(await objectsOf(objectId)).to.have.lengthOf(0);
      expect(region.ledger.noted.has(objectId)).to.equal(false);
      expect(await refusalOf(hsm.encrypt(material, {}, hello))).to.equal('ERR_HSM_KEY_NOT_FOUND');
    });

    it('leaves no object and no entry of material that is another than it is said to be', async () => {
      const material = await create({ multiRegion: true });
      const before = region.ledger.count();
      const [here, there] = [
        await hsm.generateAgreementKey(Buffer.alloc(32, 1)),
        await hsm.generateAgreementKey(Buffer.alloc(32, 2)),
      ];
      const agreement = {
        suite: hsm.suites[0]!,
        fixedInfo: { rwk: Buffer.from('rwk'), kck: Buffer.from('kck') },
        salt: Buffer.alloc(48),
      };
      const wrapping = await hsm.agree({ ...agreement, key: here, peerPoint: there.point, direction: 'wrap' });
      const unwrapping = await hsm.agree({ ...agreement, key: there, peerPoint: here.point, direction: 'unwrap' });
      const wrapped = await hsm.wrap(wrapping, material);
      const renamed = { ...material.binding, keyId: 'another' };
      expect(await refusalOf(hsm.unwrap(unwrapping, wrapped, renamed))).to.equal('ERR_HSM_MATERIAL_ID');
      const cut = { ...wrapped, blob: Buffer.from(wrapped.blob).fill(0, 0, 8) };
      expect(await refusalOf(hsm.unwrap(unwrapping, cut, material.binding))).to.equal('ERR_HSM_UNWRAP');
      expect(region.ledger.count()).to.equal(before);
      const installed = await hsm.unwrap(unwrapping, wrapped, material.binding);
      region.ledger.records.push(installed);
      expect(tokenObjectIdOf(installed)).to.not.equal(tokenObjectIdOf(material));
      const blob = await hsm.encrypt(material, {}, hello);
      expect(Buffer.from(await hsm.decrypt(installed, {}, blob)).toString()).to.equal('hello');
      await hsm.release(here, there, wrapping, unwrapping);
    });

    it('destroys what a process that ended had made for no record, and nothing that a record uses', async () => {
      const kept = await create();
      const orphan = await hsm.createMaterial(binding);
      expect(await hsm.destroyUnusedObjects(), 'its record may still be on its way').to.equal(0);
      const next = await RegionHsm.open({
        runner: region.executor,
        capabilities: region.capabilities,
        storage: { kind: 'token', ledger: region.ledger },
      });
      expect(await next.destroyUnusedObjects()).to.equal(1);
      expect(await objectsOf(tokenObjectIdOf(orphan) ?? '')).to.have.lengthOf(0);
      expect(await refusalOf(next.encrypt(kept, {}, hello))).to.equal('accepted');
      expect((await next.describe()).tokenObjects).to.equal(region.ledger.records.length);
      await next.close();
    });

    it('says how to use a key in the token where nobody keeps a ledger', async () => {
      const material = await create();
      const without = await RegionHsm.open({ runner: region.executor, capabilities: region.capabilities });
      const error = await without.encrypt(material, {}, hello).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(HsmError).with.property('code', 'ERR_HSM_STRATEGY');
      await without.close();
    });

    it('finds its keys again after the sessions were lost', async () => {
      const material = await create();
      const blob = await hsm.encrypt(material, {}, hello);
      closeAllSessions(region);
      expect(Buffer.from(await hsm.decrypt(material, {}, blob)).toString()).to.equal('hello');
    });
  });
}
