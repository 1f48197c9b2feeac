import { createECDH, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { HsmError } from '../../src/hsm/errors.js';
import type { StoredMaterial } from '../../src/hsm/material.js';
import type { RegionHsm } from '../../src/hsm/region_hsm.js';
import { CKA_EC_POINT, CKA_EXTRACTABLE, CKA_ID } from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { CKR } from '../../src/token/return_value.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { multiRegionBinding as binding } from '../support/material_bindings.js';
import { closeAllSessions } from '../support/region_sessions.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { faultyRunner, withFlippedBit, type RunnerFaults } from '../support/runner_faults.js';

const fixedInfo = { rwk: Buffer.from('RWK'), kck: Buffer.from('KCK') };
const salt = Buffer.alloc(48, 7);

for (const { kind, storage, place } of storageCases(['softhsm2'])) {
  describe(`an HSM whose token fails, on ${place}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let faults: RunnerFaults;
    let hsm: RegionHsm;
    let material: StoredMaterial;

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: storage });
    });
    after(() => region.close());
    beforeEach(async () => {
      faults = {};
      hsm = await region.openHsm(faultyRunner(region.executor, faults));
      material = await hsm.createMaterial(binding);
    });
    afterEach(() => hsm.close());

    const agreement = async (direction: 'wrap' | 'unwrap' = 'wrap') => {
      const key = await hsm.generateAgreementKey(randomBytes(32));
      const peer = await region.hsm.generateAgreementKey(randomBytes(32));
      await region.hsm.release(peer);
      return { key, peerPoint: peer.point, suite: hsm.suites[0]!, fixedInfo, salt, direction };
    };

    it('goes on when all sessions are closed under it', async () => {
      const blob = await hsm.encrypt(material, {}, Buffer.from('before'));
      const [signingKey] = await hsm.signingKeys();
      const { epoch } = await hsm.describe();
      closeAllSessions(region);
      const plaintexts = await Promise.all(Array.from({ length: 50 }, () => hsm.decrypt(material, {}, blob)));
      expect(plaintexts.every((plaintext) => Buffer.from(plaintext).toString() === 'before')).to.equal(true);
      expect(await hsm.sign(signingKey!.kid, Buffer.from('x'))).to.have.lengthOf(96);
      expect((await hsm.createMaterial(binding)).exportedKeyToken).to.have.lengthOf(storage === 'wrapped' ? 40 : 0);
      expect((await hsm.describe()).epoch).to.not.equal(epoch);
    });

    it('says that an agreement has to begin again when the sessions are lost, and counts its objects as gone', async () => {
      const request = await agreement();
      const keys = await hsm.agree(request);
      closeAllSessions(region);
      const code = await refusalOf(hsm.confirm(keys, Buffer.from('x')));
      expect(code).to.equal('ERR_HSM_SESSION_LOST');
      expect(await refusalOf(hsm.agree(request))).to.equal('ERR_HSM_SESSION_LOST');
      await hsm.release(request.key, keys);
      expect(await hsm.ephemeralCount()).to.equal(0);
    });

    it('stops when a signature does not verify: only the status works then', async () => {
      const [signingKey] = await hsm.signingKeys();
      faults.bytes = (job, octets) => (job.name === 'sign' ? withFlippedBit(octets, 50) : octets);
      expect(await refusalOf(hsm.sign(signingKey!.kid, Buffer.from('x')))).to.equal('ERR_HSM_SELF_TEST');
      faults.bytes = (_job, octets) => octets;
      expect(await refusalOf(hsm.sign(signingKey!.kid, Buffer.from('x')))).to.equal('ERR_HSM_SELF_TEST');
      expect(await refusalOf(hsm.encrypt(material, {}, Buffer.from('x')))).to.equal('ERR_HSM_SELF_TEST');
      expect(await refusalOf(hsm.random(8))).to.equal('ERR_HSM_SELF_TEST');
      expect((await hsm.describe()).state).to.match(/^stopped: .*does not verify/);
    });

    it('keeps no new signing key whose first signature does not verify', async () => {
      const before = await region.hsm.signingKeys();
      faults.bytes = (job, octets) => (job.name === 'sign' ? withFlippedBit(octets) : octets);
      expect(await refusalOf(hsm.generateSigningKey())).to.equal('ERR_HSM_SELF_TEST');
      expect(await region.hsm.signingKeys()).to.deep.equal(before);
    });

    it('stops when a new agreement key does not agree with its public half', async () => {
      faults.bytes = (job, octets) => (job.name === 'agreement key consistency' ? withFlippedBit(octets) : octets);
      expect(await refusalOf(hsm.generateAgreementKey(randomBytes(32)))).to.equal('ERR_HSM_SELF_TEST');
      expect(await region.hsm.ephemeralCount()).to.equal(0);
      expect((await hsm.describe()).state).to.match(/^stopped/);
    });

    it('stops when the public half of a new agreement key is that of another key, or no point of the curve', async () => {
      const foreign = createECDH('secp384r1').generateKeys();
      const offCurve = (point: Uint8Array): Uint8Array => withFlippedBit(point, point.length - 1);
      for (const change of [() => foreign, offCurve]) {
        const fresh = await region.openHsm(faultyRunner(region.executor, faults));
        faults.attributes = (job, attributes) => {
          const point = attributes.get(CKA_EC_POINT);
          if (job.name !== 'generate agreement key' || point === undefined) return attributes;
          return new Map(attributes).set(CKA_EC_POINT, { ...point, octets: change(point.octets.slice(-97)) });
        };
        expect(await refusalOf(fresh.generateAgreementKey(randomBytes(32)))).to.equal('ERR_HSM_SELF_TEST');
        delete faults.attributes;
        expect(await region.hsm.ephemeralCount()).to.equal(0);
      }
    });

    it('does not open when any known answer is wrong', async () => {
      let wrongAt = 0;
      // Opening costs softoken 200 ms: its token keys are decrypted anew each time.
      for (; wrongAt < 50; wrongAt += kind === 'softhsm2' ? 1 : 4) {
        let seen = -1;
        const lying = faultyRunner(region.executor, {
          bytes: (job, octets) => {
            if (job.name !== 'known answers') return octets;
            seen += 1;
            return seen === wrongAt ? withFlippedBit(octets, octets.length - 1) : octets;
          },
        });
        const code = await refusalOf(region.openHsm(lying));
        if (seen < wrongAt) {
          expect(code).to.equal('accepted');
          break;
        }
        expect(code, `answer ${wrongAt}`).to.equal('ERR_HSM_SELF_TEST');
      }
      expect(wrongAt, 'answers that were tampered with').to.be.greaterThan(5);
      expect(await region.hsm.ephemeralCount()).to.equal(0);
    });

    it('does not open when the random generator repeats itself, or gives one octet for ever', async () => {
      for (const constant of [Buffer.from(randomBytes(64)), Buffer.alloc(64)]) {
        const runner = faultyRunner(region.executor, {
          bytes: (job, octets) => (job.name === 'random' ? constant : octets),
        });
        expect(await refusalOf(region.openHsm(runner))).to.equal('ERR_HSM_SELF_TEST');
      }
    });

    it('says it when the token does not destroy what it was told to destroy', async () => {
      const key = await hsm.generateAgreementKey(randomBytes(32));
      faults.before = (job) => {
        if (job.name !== 'destroy ephemeral key') return;
        throw new TokenError('ERR_TOKEN_NOT_DESTROYED', { call: 'C_DestroyObject', rv: CKR.CKR_OK });
      };
      expect(await refusalOf(hsm.release(key))).to.equal('ERR_HSM_NOT_DESTROYED');
      expect((await hsm.describe()).undestroyed).to.equal(1);
      closeAllSessions(region);
    });

    it('ends with the mechanism that the token refused, and tries no other strategy', async () => {
      const request = await agreement();
      const jobs: string[] = [];
      faults.before = (job) => {
        jobs.push(job.name);
        if (job.name !== 'agree') return;
        const rv = CKR.CKR_MECHANISM_INVALID;
        throw new TokenError('ERR_TOKEN_CALL', { call: 'C_DeriveKey', rv, mechanism: 'CKM_ECDH1_DERIVE' });
      };
      const error = await hsm.agree(request).catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'ERR_HSM_MECHANISM');
      expect((error as HsmError).cause).to.be.instanceOf(TokenError);
      expect(jobs).to.deep.equal(['resolve agreement key', 'agree']);
      await hsm.release(request.key);
    });

    it('uses no handle that names another object than the agreement key', async () => {
      const request = await agreement();
      faults.attributes = (job, attributes) =>
        job.name === 'resolve agreement key'
          ? new Map([...attributes, [CKA_ID, { type: CKA_ID, state: 'value', octets: randomBytes(32) }]])
          : attributes;
      expect(await refusalOf(hsm.agree(request))).to.equal('ERR_HSM_AGREEMENT_KEY');
      await hsm.release(request.key);
    });

    /** Where keys in the token are read back: with their first use; and when they are loaded, a copy of them or they themselves. */
    const inToken: Readonly<Record<string, readonly string[]>> = {
      'create material': ['key material id'],
      'wrap for another region': ['copy token key', 'load backing key'],
    };
    for (const jobName of ['generate agreement key', 'agree', 'wrap for another region', 'create material']) {
      it(`compares attributes after "${jobName}", and keeps nothing that is not as asked`, async () => {
        const request = await agreement();
        const objects = region.ledger.count();
        const readingJobs = (storage === 'token' ? inToken[jobName] : undefined) ?? [jobName];
        faults.attributes = (job, attributes) => {
          const extractable = attributes.get(CKA_EXTRACTABLE);
          if (!readingJobs.includes(job.name) || extractable === undefined) return attributes;
          const octets = withFlippedBit(extractable.octets);
          return new Map([...attributes, [CKA_EXTRACTABLE, { ...extractable, octets }]]);
        };
        const work = {
          'generate agreement key': () => hsm.generateAgreementKey(randomBytes(32)),
          agree: () => hsm.agree(request),
          'wrap for another region': async () => hsm.wrap(await hsm.agree(request), material),
          'create material': () => hsm.createMaterial(binding),
        }[jobName];
        const ephemeralBefore = await region.hsm.ephemeralCount();
        expect(await refusalOf(work!())).to.equal('ERR_HSM_TYPE');
        const held = jobName === 'wrap for another region' ? 2 : 0;
        expect((await region.hsm.ephemeralCount()) - ephemeralBefore).to.equal(held);
        expect(region.ledger.count()).to.equal(objects);
        closeAllSessions(region);
      });
    }
  });
}
