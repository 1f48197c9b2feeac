import { expect } from 'chai';
import { capabilitiesOf } from '../../src/hsm/capability.js';
import { HsmError } from '../../src/hsm/errors.js';
import type { StoredMaterial } from '../../src/hsm/material.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { parseCiphertextBlob, type DataSuite } from '../../src/wire/ciphertext_blob.js';
import { agreeKeys } from '../support/agreed_keys.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { multiRegionBinding } from '../support/material_bindings.js';
import { makeRegionToken, openRegionToken, profileOf, type RegionToken } from '../support/region_token.js';
import { tokenKinds } from '../support/token_directory.js';

const binding = { ...multiRegionBinding, dataSuite: 'CBCDATA-GCM-TOKENIV' } as const;
const context = { purpose: 'test' };
const hello = Buffer.from('hello');
const IV_AT = 50;

async function decrypted(hsm: RegionHsm, material: StoredMaterial, blob: Uint8Array): Promise<string> {
  return Buffer.from(await hsm.decrypt(material, context, blob)).toString();
}

/** Carries material from one HSM to another as a replication does. */
async function carried(from: RegionHsm, to: RegionHsm, material: StoredMaterial): Promise<StoredMaterial> {
  const { wrapping, unwrapping, release } = await agreeKeys(from, to);
  const installed = await to.unwrap(unwrapping, await from.wrap(wrapping, material), material.binding);
  await release();
  return installed;
}

for (const { what, rule, gcmIv } of [
  { what: 'writes the IV of AES-GCM back', rule: 'C_EncryptInit * iv-back', gcmIv: 'written-back' },
  { what: 'puts the IV of AES-GCM before the ciphertext', rule: 'C_EncryptInit * iv-front', gcmIv: 'prepended' },
] as const) {
  describe(`a token that ${what}`, function () {
    this.timeout(60_000);
    let token: FaultyToken;
    let faulty: RegionToken;
    let hsm: RegionHsm;
    let material: StoredMaterial;

    before(async () => {
      token = await makeFaultyToken('softhsm2');
      token.setFaults(rule);
      faulty = await openRegionToken(token, { keyStorage: 'wrapped' });
      hsm = faulty.hsm;
      material = await hsm.createMaterial(binding);
    });
    after(() => faulty.close());

    it('is found out by what it does with an IV', () => {
      const { profile } = faulty;
      expect(profile.facts.aesGcm).to.include({ works: false, answer: 'another result than the known answer' });
      expect(profile.facts.aesGcmAnyIv.works).to.equal(true);
      expect(profile.rules.gcmIv).to.equal(gcmIv);
    });

    it('carries a region by the suites that leave the IV to it, and by no other', () => {
      expect(faulty.capabilities.dataSuites).to.deep.equal(['CBCDATA-GCM-TOKENIV']);
    });

    it('cannot carry one without them, and is told why', () => {
      const { profile } = faulty;
      const without = (answer: string): TokenProfile => ({
        ...profile,
        facts: { ...profile.facts, aesGcmAnyIv: { ...profile.facts.aesGcmAnyIv, works: false, answer } },
      });
      expect(() => capabilitiesOf(without('refused'))).to.throw(
        HsmError,
        /messageKey.*CKM_AES_GCM with an IV of the caller’s: another result/u,
      );
    });

    it('encrypts with an IV of its own each time, which the blob tells', async () => {
      const blobs = await Promise.all(Array.from({ length: 50 }, () => hsm.encrypt(material, context, hello)));
      const ivs = blobs.map((blob) => Buffer.from(parseCiphertextBlob(blob)?.iv ?? []).toString('hex'));
      expect(new Set(ivs).size).to.equal(50);
      for (const blob of blobs.slice(0, 5)) expect(await decrypted(hsm, material, blob)).to.equal('hello');
    });

    it('encrypts from 1 to 4,096 octets', async () => {
      for (const octets of [1, 16, 4096]) {
        const plaintext = Buffer.alloc(octets, 0x5a);
        const blob = await hsm.encrypt(material, context, plaintext);
        expect(Buffer.from(await hsm.decrypt(material, context, blob)).equals(plaintext)).to.equal(true);
      }
    });

    it('refuses a blob with any octet changed, those of the IV too, always with the same error', async () => {
      const blob = await hsm.encrypt(material, context, hello);
      const refusals = new Set<string>();
      for (let at = 0; at < blob.length; at += 1) {
        const changed = Uint8Array.from(blob);
        changed[at] = (changed[at] ?? 0) ^ 1;
        refusals.add(await refusalOf(hsm.decrypt(material, context, changed)));
      }
      expect([...refusals]).to.deep.equal(['ERR_HSM_CIPHERTEXT']);
    });

    it('makes data keys and encrypts again without the plaintext leaving it', async () => {
      const { blob, plaintext } = await hsm.generateDataKey(material, context, { octets: 32, reveal: true });
      const other = await hsm.createMaterial({ ...binding, keyId: 'other' });
      const again = await hsm.reEncrypt(
        { material, context, algorithm: 'SYMMETRIC_DEFAULT', blob },
        { material: other, context, algorithm: 'SYMMETRIC_DEFAULT' },
      );
      expect(Buffer.from(await hsm.decrypt(other, context, again))).to.deep.equal(Buffer.from(plaintext ?? []));
    });

    it('refuses to encrypt under a suite that gives the IV, and still decrypts what was encrypted so', async () => {
      const dataSuite: DataSuite = 'CBCDATA-GCM';
      const old = await hsm.createMaterial({ ...binding, keyId: 'old', dataSuite });
      token.setFaults();
      const asBefore = await RegionHsm.open({
        runner: faulty.executor,
        capabilities: capabilitiesOf(await profileOf(token)),
      });
      const blob = await asBefore.encrypt(old, context, hello);
      token.setFaults(rule);
      expect(await decrypted(hsm, old, blob)).to.equal('hello');
      expect(await refusalOf(hsm.encrypt(old, context, hello))).to.equal('ERR_HSM_STRATEGY');
    });

    for (const kind of gcmIv === 'written-back' ? tokenKinds() : (['softhsm2'] as const)) {
      describe(`beside ${kind}, which takes the caller’s IV`, () => {
        let region: RegionToken;

        before(async () => {
          region = await makeRegionToken(kind);
        });
        after(() => region.close());

        it('shares the suite that leaves the IV to the token, and the blobs of a key that is in both', async () => {
          expect(region.hsm.dataSuites).to.include(binding.dataSuite);
          const replica = await carried(hsm, region.hsm, material);
          const fromHere = await hsm.encrypt(material, context, hello);
          expect(await decrypted(region.hsm, replica, fromHere)).to.equal('hello');
          const fromThere = await region.hsm.encrypt(replica, context, hello);
          expect(await decrypted(hsm, material, fromThere)).to.equal('hello');

          const damaged = Uint8Array.from(fromHere);
          damaged[IV_AT] = (damaged[IV_AT] ?? 0) ^ 1;
          expect(await refusalOf(region.hsm.decrypt(replica, context, damaged))).to.equal('ERR_HSM_CIPHERTEXT');
        });

        it('takes a key from there', async () => {
          const made = await region.hsm.createMaterial({ ...binding, keyId: `of ${kind}` });
          const here = await carried(region.hsm, hsm, made);
          const blob = await hsm.encrypt(here, context, hello);
          expect(await decrypted(region.hsm, made, blob)).to.equal('hello');
        });
      });
    }
  });
}

describe('a token that tells no IV', function () {
  this.timeout(60_000);
  let token: FaultyToken;

  before(async () => {
    token = await makeFaultyToken('softhsm2');
  });
  after(() => token.dispose());

  it('is refused where its IV is always zero', async () => {
    token.setFaults('C_EncryptInit * iv-zero');
    const profile = await profileOf(token);
    expect(profile.rules.gcmIv).to.equal(null);
    expect(profile.facts.aesGcmAnyIv.answer).to.contain('with an IV of its own, written-back: an IV of zeros');
    expect(() => capabilitiesOf(profile)).to.throw(HsmError, /messageKey/u);
  });

  it('stops its HSM as soon as it has told none', async () => {
    token.setFaults('C_EncryptInit * iv-back');
    const { hsm, close } = await openRegionToken(token);
    try {
      const material = await hsm.createMaterial(binding);
      token.setFaults('C_EncryptInit * iv-zero');
      expect(await refusalOf(hsm.encrypt(material, context, hello))).to.equal('ERR_HSM_SELF_TEST');
      token.setFaults('C_EncryptInit * iv-back');
      expect(await refusalOf(hsm.encrypt(material, context, hello))).to.equal('ERR_HSM_SELF_TEST');
    } finally {
      await close();
    }
  });
});
