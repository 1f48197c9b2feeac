import { createHash, createPublicKey, constants, diffieHellman, generateKeyPairSync, publicEncrypt } from 'node:crypto';
import { expect } from 'chai';
import type { HsmError } from '../../src/hsm/errors.js';
import type { RegionHsm } from '../../src/hsm/region_hsm.js';
import type { StoredMaterial } from '../../src/hsm/material.js';
import {
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_EXTRACTABLE,
  CKA_LABEL,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
} from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { sessionObjects } from '../support/region_sessions.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { faultyRunner, withFlippedBit, type RunnerFaults } from '../support/runner_faults.js';
import { specUsages, verifiesOutside, type SpecUsage } from '../support/spec_usages.js';

const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
const message = Buffer.from('a message of somebody');

function digestOf(algorithm: string): Uint8Array {
  return createHash(`sha${algorithm.slice(-3)}`)
    .update(message)
    .digest();
}

for (const { kind, storage, place } of storageCases(['softhsm2'])) {
  describe(`keys of every spec on ${place}`, function () {
    this.timeout(120_000);
    let region: RegionToken;
    let hsm: RegionHsm;
    const made = new Map<string, StoredMaterial>();

    const materialOf = async ({ keySpec, keyUsage }: SpecUsage): Promise<StoredMaterial | string> => {
      const refusal = hsm.refusalOfSpec(keySpec, keyUsage);
      if (refusal !== undefined) return refusal;
      const name = `${keySpec} ${keyUsage}`;
      const binding = { keyId, keySpec, keyUsage, multiRegion: false, dataSuite: null };
      const material = made.get(name) ?? (await hsm.createMaterial(binding));
      made.set(name, material);
      return material;
    };
    const specs = (usage: string): readonly SpecUsage[] => specUsages.filter(({ keyUsage }) => keyUsage === usage);
    const materialFor = async (keySpec: string, keyUsage: string): Promise<StoredMaterial> => {
      const found = specUsages.find((each) => each.keySpec === keySpec && each.keyUsage === keyUsage);
      const material = await materialOf(found!);
      if (typeof material === 'string') throw new Error(material);
      return material;
    };

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: storage });
      hsm = region.hsm;
    });
    after(() => region.close());

    it('refuses the specs that the token cannot hold, naming the mechanism', async () => {
      const refusals = specUsages.flatMap(({ keySpec, keyUsage }) => {
        const refusal = hsm.refusalOfSpec(keySpec, keyUsage);
        return refusal === undefined ? [] : [[keySpec, refusal] as const];
      });
      const expected = kind === 'softhsm2' ? ['ECC_NIST_EDWARDS25519'] : ['ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519'];
      expect(refusals.map(([keySpec]) => keySpec)).to.deep.equal(expected);
      for (const [, refusal] of refusals) expect(refusal).to.match(/CKM_EC.*CKR_/);
      expect(hsm.refusalOfSpec('HMAC_256', 'SIGN_VERIFY')).to.match(/not for SIGN_VERIFY/);
    });

    for (const usage of specs('SIGN_VERIFY')) {
      it(`signs and verifies with ${usage.keySpec}, or says which mechanism is missing`, async () => {
        const material = await materialOf(usage);
        if (typeof material === 'string') {
          expect(material).to.include('CKM_');
          return;
        }
        expect(material.binding.materialId).to.equal(
          createHash('sha256')
            .update(material.publicKey ?? new Uint8Array())
            .digest('hex'),
        );
        for (const algorithm of usage.algorithms) {
          const inputs = [
            { kind: 'message', octets: message },
            { kind: 'digest', octets: digestOf(algorithm) },
          ] as const;
          for (const input of inputs) {
            const signature = await hsm.sign(material, algorithm, input);
            expect(verifiesOutside(material, algorithm, message, signature), algorithm).to.equal(true);
            for (const other of inputs) expect(await hsm.verify(material, algorithm, other, signature)).to.equal(true);
            for (const wrong of [
              withFlippedBit(signature, signature.length - 1),
              withFlippedBit(signature, 0),
              signature.subarray(0, -1),
              Buffer.concat([signature, Buffer.alloc(1)]),
              new Uint8Array(),
            ]) {
              expect(await hsm.verify(material, algorithm, input, wrong)).to.equal(false);
            }
            const otherMessage = { kind: 'message', octets: Buffer.from('another') } as const;
            expect(await hsm.verify(material, algorithm, otherMessage, signature)).to.equal(false);
          }
          const short = { kind: 'digest', octets: digestOf(algorithm).subarray(1) } as const;
          expect(await refusalOf(hsm.sign(material, algorithm, short))).to.match(/RangeError/);
          expect(await refusalOf(hsm.verify(material, algorithm, short, new Uint8Array(256)))).to.match(/RangeError/);
        }
      });
    }

    for (const usage of specs('GENERATE_VERIFY_MAC')) {
      it(`makes MACs with ${usage.keySpec} that another copy of the key makes too`, async () => {
        const material = await materialOf(usage);
        if (typeof material === 'string') throw new Error(material);
        const [algorithm = ''] = usage.algorithms;
        const mac = await hsm.generateMac(material, algorithm, message);
        expect(mac).to.have.lengthOf(Number(usage.keySpec.slice(-3)) / 8);
        await hsm.close();
        expect(Buffer.from(await hsm.generateMac(material, algorithm, message)).equals(mac)).to.equal(true);
        expect(Buffer.from(await hsm.generateMac(material, algorithm, Buffer.from('other'))).equals(mac)).to.equal(
          false,
        );
        expect(material.publicKey).to.equal(null);
        expect(await refusalOf(hsm.generateMac(material, 'HMAC_SHA_1', message))).to.equal('ERR_HSM_TYPE');
      });
    }

    it('encrypts and decrypts by RSAES-OAEP as OpenSSL does, or says that the token lacks the hash', async () => {
      const material = await materialFor('RSA_2048', 'ENCRYPT_DECRYPT');
      const key = createPublicKey({ key: Buffer.from(material.publicKey ?? []), format: 'der', type: 'spki' });
      for (const [algorithm, oaepHash] of [
        ['RSAES_OAEP_SHA_1', 'sha1'],
        ['RSAES_OAEP_SHA_256', 'sha256'],
      ] as const) {
        const padding = constants.RSA_PKCS1_OAEP_PADDING;
        const foreign = publicEncrypt({ key, padding, oaepHash }, message);
        if (kind === 'softhsm2' && oaepHash === 'sha256') {
          for (const work of [
            hsm.encryptRsa(material, algorithm, message),
            hsm.decryptRsa(material, algorithm, foreign),
          ]) {
            const error = await work.catch((thrown: unknown) => thrown);
            expect(error).to.have.property('code', 'ERR_HSM_STRATEGY');
            expect((error as HsmError).message).to.include('CKM_RSA_PKCS_OAEP with SHA-256');
          }
          continue;
        }
        expect(Buffer.from(await hsm.decryptRsa(material, algorithm, foreign)).equals(message)).to.equal(true);
        const own = await hsm.encryptRsa(material, algorithm, message);
        expect(own).to.have.lengthOf(256);
        expect(Buffer.from(await hsm.decryptRsa(material, algorithm, own)).equals(message)).to.equal(true);
        const refusals = new Set<string>();
        for (const wrong of [
          withFlippedBit(own, 0),
          withFlippedBit(own, 255),
          own.subarray(1),
          Buffer.concat([Buffer.alloc(1), own]),
          Buffer.alloc(256, 0xff),
          publicEncrypt({ key, padding, oaepHash: oaepHash === 'sha1' ? 'sha256' : 'sha1' }, message),
          publicEncrypt({ key, padding, oaepHash, oaepLabel: Buffer.from('label') }, message),
          publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, message),
        ]) {
          refusals.add(await refusalOf(hsm.decryptRsa(material, algorithm, wrong)));
        }
        expect([...refusals]).to.deep.equal(['ERR_HSM_CIPHERTEXT']);
      }
    });

    for (const usage of specs('KEY_AGREEMENT')) {
      it(`agrees with a peer on the shared secret that OpenSSL computes with ${usage.keySpec}`, async () => {
        const material = await materialOf(usage);
        if (typeof material === 'string') throw new Error(material);
        const publicKey = createPublicKey({ key: Buffer.from(material.publicKey ?? []), format: 'der', type: 'spki' });
        const namedCurve = `P-${usage.keySpec.slice(-3)}`;
        const before = await sessionObjects(region);
        for (let round = 0; round < 12; round += 1) {
          const peer = generateKeyPairSync('ec', { namedCurve });
          const spki = peer.publicKey.export({ type: 'spki', format: 'der' });
          const secret = await hsm.deriveSharedSecret(material, spki);
          expect(Buffer.from(secret).equals(diffieHellman({ privateKey: peer.privateKey, publicKey }))).to.equal(true);
        }
        expect((await sessionObjects(region)) - before).to.be.at.most(1);
        const other = generateKeyPairSync('ec', { namedCurve: namedCurve === 'P-256' ? 'P-384' : 'P-256' }).publicKey;
        const wrong = other.export({ type: 'spki', format: 'der' });
        expect(await refusalOf(hsm.deriveSharedSecret(material, wrong))).to.equal('ERR_HSM_TYPE');
      });
    }

    it('re-encrypts between a symmetric and an RSA key without showing the plaintext, both ways', async () => {
      const rsa = await materialFor('RSA_2048', 'ENCRYPT_DECRYPT');
      const [dataSuite] = hsm.dataSuites;
      const binding = { keyId: 'symmetric', keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT' } as const;
      const aes = await hsm.createMaterial({ ...binding, multiRegion: false, dataSuite: dataSuite! });
      const symmetric = { material: aes, algorithm: 'SYMMETRIC_DEFAULT', context: { a: 'b' } };
      const asymmetric = { material: rsa, algorithm: 'RSAES_OAEP_SHA_1', context: {} };
      const there = await hsm.reEncrypt(
        { ...symmetric, blob: await hsm.encrypt(aes, { a: 'b' }, message) },
        asymmetric,
      );
      expect(Buffer.from(await hsm.decryptRsa(rsa, 'RSAES_OAEP_SHA_1', there)).equals(message)).to.equal(true);
      const back = await hsm.reEncrypt({ ...asymmetric, blob: there }, symmetric);
      expect(Buffer.from(await hsm.decrypt(aes, { a: 'b' }, back)).equals(message)).to.equal(true);
      const damaged = hsm.reEncrypt({ ...asymmetric, blob: withFlippedBit(there, 9) }, symmetric);
      expect(await refusalOf(damaged)).to.equal('ERR_HSM_CIPHERTEXT');
    });

    it('loads each key for its one use, sensitive and not extractable', async () => {
      const uses = [
        { spec: 'RSA_2048', usage: 'SIGN_VERIFY', use: CKA_SIGN },
        { spec: 'RSA_2048', usage: 'ENCRYPT_DECRYPT', use: CKA_DECRYPT },
        { spec: 'ECC_NIST_P256', usage: 'SIGN_VERIFY', use: CKA_SIGN },
        { spec: 'ECC_NIST_P256', usage: 'KEY_AGREEMENT', use: CKA_DERIVE },
        { spec: 'HMAC_256', usage: 'GENERATE_VERIFY_MAC', use: CKA_SIGN },
      ] as const;
      for (const { spec, usage, use } of uses) {
        const material = await materialFor(spec, usage);
        await hsm.close();
        await hsm.sign(material, 'ECDSA_SHA_256', { kind: 'message', octets: message }).catch(() => undefined);
        await hsm.generateMac(material, 'HMAC_SHA_256', message).catch(() => undefined);
        await hsm.decryptRsa(material, 'RSAES_OAEP_SHA_1', Buffer.alloc(256)).catch(() => undefined);
        const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
        await hsm.deriveSharedSecret(material, peer.export({ type: 'spki', format: 'der' })).catch(() => undefined);
        const search = new Job('find', 'test');
        const label = Buffer.from(storage === 'wrapped' ? 'keyferry:backing-key' : `keyferry:key:${keyId}`);
        const found = search.findObjects(template([CKA_TOKEN, false], [CKA_LABEL, label]), 10);
        const handles = (await region.executor.run(search)).handles(found);
        expect(handles, spec).to.have.lengthOf(1);
        const job = new Job('read', 'test');
        const types = [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_SIGN, CKA_DECRYPT, CKA_DERIVE, CKA_UNWRAP];
        const read = job.getAttributes(handles[0]!, types);
        const attributes = (await region.executor.run(job)).attributes(read);
        const whereSet = types.filter((type) => attributes.get(type)?.octets[0] === 1);
        expect(whereSet, spec).to.deep.equal([CKA_SENSITIVE, use]);
      }
    });

    it('uses no key for another operation than its usage', async () => {
      const signing = await materialFor('RSA_2048', 'SIGN_VERIFY');
      const decrypting = await materialFor('RSA_2048', 'ENCRYPT_DECRYPT');
      const input = { kind: 'message', octets: message } as const;
      expect(await refusalOf(hsm.decryptRsa(signing, 'RSAES_OAEP_SHA_1', Buffer.alloc(256)))).to.match(/^ERR_HSM_/);
      const refused = await refusalOf(hsm.sign(decrypting, 'RSASSA_PKCS1_V1_5_SHA_256', input));
      expect(refused).to.match(/^ERR_HSM_/);
      expect(await refusalOf(hsm.encrypt(signing, {}, message))).to.equal('ERR_HSM_TYPE');
    });

    it('refuses a record in which the public half was exchanged, also for verification', async () => {
      const material = await materialFor('ECC_NIST_P256', 'SIGN_VERIFY');
      const binding = { ...material.binding, keyId: 'another' };
      const other = await hsm.createMaterial(binding);
      const forged = { ...material, publicKey: other.publicKey };
      const input = { kind: 'message', octets: message } as const;
      const signature = await hsm.sign(other, 'ECDSA_SHA_256', input);
      expect(await refusalOf(hsm.verify(forged, 'ECDSA_SHA_256', input, signature))).to.equal('ERR_HSM_RECORD');
      expect(await refusalOf(hsm.sign(forged, 'ECDSA_SHA_256', input))).to.equal('ERR_HSM_RECORD');
      const renamed = { ...material, binding: { ...material.binding, keyUsage: 'KEY_AGREEMENT' as const } };
      expect(await refusalOf(hsm.sign(renamed, 'ECDSA_SHA_256', input))).to.equal('ERR_HSM_RECORD');
    });

    it('stops when the token makes a signature that does not verify, of a message and of a digest', async () => {
      const material = await materialFor('ECC_NIST_P256', 'SIGN_VERIFY');
      for (const input of [
        { kind: 'message', octets: message },
        { kind: 'digest', octets: digestOf('ECDSA_SHA_256') },
      ] as const) {
        const faults: RunnerFaults = {};
        const runner = faultyRunner(region.executor, faults);
        const faulty = await region.openHsm(runner);
        faults.bytes = (job, octets) => (job.name === 'sign' ? withFlippedBit(octets, 40) : octets);
        expect(await refusalOf(faulty.sign(material, 'ECDSA_SHA_256', input))).to.equal('ERR_HSM_SELF_TEST');
        expect((await faulty.describe()).state).to.match(/^stopped/);
      }
    });

    it('leaves no object behind after keys of every kind were made and unloaded', async () => {
      await hsm.close();
      const before = await sessionObjects(region);
      for (const usage of specUsages.filter(({ keySpec }) => !/3072|4096/.test(keySpec))) {
        if (hsm.refusalOfSpec(usage.keySpec, usage.keyUsage) !== undefined) continue;
        const { keySpec, keyUsage } = usage;
        await hsm.createMaterial({ keyId, keySpec, keyUsage, multiRegion: true, dataSuite: null });
      }
      const material = await materialFor('HMAC_256', 'GENERATE_VERIFY_MAC');
      const macs = Array.from({ length: 20 }, () => hsm.generateMac(material, 'HMAC_SHA_256', message));
      await Promise.all([...macs, hsm.unload(material)]);
      await hsm.unload(material);
      expect(await sessionObjects(region)).to.equal(before);
    });
  });
}
