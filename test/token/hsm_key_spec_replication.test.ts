import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { StoredMaterial, WrappedMaterial } from '../../src/hsm/material.js';
import { agreeKeys, type AgreedPair } from '../support/agreed_keys.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { sessionObjects } from '../support/region_sessions.js';
import { makeRegionPairs, storageCases, storages, type RegionToken } from '../support/region_token.js';
import { withFlippedBit } from '../support/runner_faults.js';
import { specUsages, verifiesOutside, type SpecUsage } from '../support/spec_usages.js';
import { tokenKinds } from '../support/token_directory.js';

const keyId = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const message = Buffer.from('a message of somebody');

/** What two regions that hold the same material both can do, and nobody without it. */
async function worksInBoth(
  usage: SpecUsage,
  source: RegionToken,
  destination: RegionToken,
  [own, installed]: readonly [StoredMaterial, StoredMaterial],
): Promise<void> {
  const [algorithm = ''] = usage.algorithms;
  switch (usage.keyUsage) {
    case 'GENERATE_VERIFY_MAC': {
      const mac = await source.hsm.generateMac(own, algorithm, message);
      expect(Buffer.from(await destination.hsm.generateMac(installed, algorithm, message)).equals(mac)).to.equal(true);
      return;
    }
    case 'SIGN_VERIFY': {
      const input = { kind: 'message', octets: message } as const;
      const signature = await destination.hsm.sign(installed, algorithm, input);
      expect(await source.hsm.verify(own, algorithm, input, signature)).to.equal(true);
      expect(verifiesOutside(own, algorithm, message, signature)).to.equal(true);
      return;
    }
    case 'ENCRYPT_DECRYPT': {
      const ciphertext = await source.hsm.encryptRsa(own, algorithm, message);
      expect(Buffer.from(await destination.hsm.decryptRsa(installed, algorithm, ciphertext))).to.deep.equal(message);
      return;
    }
    case 'KEY_AGREEMENT': {
      const { keySpec, keyUsage } = usage;
      const binding = { keyId: 'peer', keySpec, keyUsage, multiRegion: false, dataSuite: null };
      const peer = await source.hsm.createMaterial(binding);
      const secret = await source.hsm.deriveSharedSecret(own, peer.publicKey ?? new Uint8Array());
      const other = await source.hsm.deriveSharedSecret(peer, installed.publicKey ?? new Uint8Array());
      const there = await destination.hsm.deriveSharedSecret(installed, peer.publicKey ?? new Uint8Array());
      expect(Buffer.from(there).equals(secret) && Buffer.from(other).equals(secret)).to.equal(true);
    }
  }
}

for (const storage of storages()) {
  describe(`keys of every spec between tokens, keys ${storage === 'token' ? 'in them' : 'wrapped'}`, function () {
    this.timeout(120_000);
    let regions: ReadonlyMap<string, RegionToken>;

    before(async () => {
      regions = await makeRegionPairs(storage);
    });
    after(async () => {
      for (const region of regions.values()) await region.close();
    });

    const directions = tokenKinds().flatMap((from) => tokenKinds().map((to) => [`${from} A`, `${to} B`] as const));
    // A second time only from one kind to the other: each makes and takes in every spec then.
    for (const [from, to] of directions.filter(
      ([from, to]) => storage === storages()[0] || from.split(' ')[0] !== to.split(' ')[0],
    )) {
      it(`go from ${from} to ${to}, each that both tokens can hold`, async () => {
        const [source, destination] = [regions.get(from)!, regions.get(to)!];
        const pair = await agreeKeys(source.hsm, destination.hsm);
        let carried = 0;
        for (const usage of specUsages) {
          const { keySpec, keyUsage } = usage;
          if (keySpec === 'RSA_3072') continue;
          if ([source, destination].some(({ hsm }) => hsm.refusalOfSpec(keySpec, keyUsage) !== undefined)) continue;
          const binding = { keyId, keySpec, keyUsage, multiRegion: true, dataSuite: null };
          const own = await source.hsm.createMaterial(binding);
          const wrapped = await source.hsm.wrap(pair.wrapping, own);
          expect(wrapped.publicKey).to.deep.equal(own.publicKey);
          const installed = await destination.hsm.unwrap(pair.unwrapping, wrapped, own.binding);
          expect(installed.binding).to.deep.equal(own.binding);
          await worksInBoth(usage, source, destination, [own, installed]);
          carried += 1;
        }
        await pair.release();
        expect(carried).to.be.at.least(13);
      });
    }

    for (const { kind } of storageCases(['softhsm2']).filter((each) => each.storage === storage)) {
      describe(`on ${kind}`, () => {
        let pair: AgreedPair;
        const source = (): RegionToken => regions.get(`${kind} A`)!;
        const destination = (): RegionToken => regions.get(`${kind} B`)!;
        const make = (keySpec: 'ECC_NIST_P256' | 'RSA_2048' | 'HMAC_224', changes = {}): Promise<StoredMaterial> =>
          source().hsm.createMaterial({
            keyId,
            keySpec,
            keyUsage: keySpec === 'HMAC_224' ? 'GENERATE_VERIFY_MAC' : 'SIGN_VERIFY',
            multiRegion: true,
            dataSuite: null,
            ...changes,
          });

        beforeEach(async () => {
          pair = await agreeKeys(source().hsm, destination().hsm);
        });
        afterEach(() => pair.release());

        it('refuses a private key under the public half of another, with the id of either', async () => {
          const [one, other] = [await make('ECC_NIST_P256'), await make('ECC_NIST_P256')];
          const wrapped = await source().hsm.wrap(pair.wrapping, one);
          const swapped: WrappedMaterial = { ...wrapped, publicKey: other.publicKey };
          const before = await sessionObjects(destination());
          for (const binding of [one.binding, other.binding]) {
            const renamed = { ...swapped, materialId: binding.materialId };
            expect(await refusalOf(destination().hsm.unwrap(pair.unwrapping, renamed, binding))).to.equal(
              'ERR_HSM_MATERIAL_ID',
            );
          }
          expect(await sessionObjects(destination())).to.equal(before);
        });

        it('refuses the point of the same x with the other y, which agrees on the same secrets', async () => {
          const own = await make('ECC_NIST_P256', { keyUsage: 'KEY_AGREEMENT' });
          const wrapped = await source().hsm.wrap(pair.wrapping, own);
          const mirrored = Uint8Array.from(own.publicKey ?? []);
          const p = BigInt('0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff');
          const y = BigInt(`0x${Buffer.from(mirrored.subarray(-32)).toString('hex')}`);
          mirrored.set(Buffer.from((p - y).toString(16).padStart(64, '0'), 'hex'), mirrored.length - 32);
          const work = destination().hsm.unwrap(pair.unwrapping, { ...wrapped, publicKey: mirrored }, own.binding);
          expect(await refusalOf(work)).to.equal('ERR_HSM_MATERIAL_ID');
        });

        it('refuses a key of another spec than its certificate says, and leaves no object', async () => {
          const before = await sessionObjects(destination());
          const [ec, rsa, hmac] = [await make('ECC_NIST_P256'), await make('RSA_2048'), await make('HMAC_224')];
          for (const [sent, named] of [
            [ec, rsa],
            [rsa, ec],
            [hmac, ec],
            [ec, hmac],
          ] as const) {
            const wrapped = await source().hsm.wrap(pair.wrapping, sent);
            const honest = await refusalOf(destination().hsm.unwrap(pair.unwrapping, wrapped, named.binding));
            expect(honest).to.be.oneOf(['ERR_HSM_TYPE', 'ERR_HSM_MATERIAL_ID']);
            const {
              class: declaredClass,
              keyType,
              lengthOctets,
              publicKey,
              materialId,
            } = await source().hsm.wrap(pair.wrapping, named);
            const declared = { class: declaredClass, keyType, lengthOctets, publicKey, materialId, blob: wrapped.blob };
            const outcome = await refusalOf(destination().hsm.unwrap(pair.unwrapping, declared, named.binding));
            expect(outcome).to.be.oneOf(['ERR_HSM_UNWRAP', 'ERR_HSM_TYPE', 'ERR_HSM_MATERIAL_ID']);
          }
          expect(await sessionObjects(destination())).to.equal(before);
        });

        it('refuses damaged and cut blobs of private keys with one code', async () => {
          const own = await make('RSA_2048');
          const wrapped = await source().hsm.wrap(pair.wrapping, own);
          const { blob } = wrapped;
          const codes = new Set<string>();
          for (const octets of [
            withFlippedBit(blob, 0),
            withFlippedBit(blob, blob.length - 1),
            withFlippedBit(blob, blob.length >>> 1),
            blob.subarray(8),
            blob.subarray(0, 40),
            blob.subarray(0, -1),
            Buffer.concat([blob, Buffer.alloc(2048)]),
            randomBytes(blob.length),
            new Uint8Array(),
          ]) {
            codes.add(
              await refusalOf(destination().hsm.unwrap(pair.unwrapping, { ...wrapped, blob: octets }, own.binding)),
            );
          }
          expect([...codes]).to.deep.equal(['ERR_HSM_UNWRAP']);
        });

        it('wraps no asymmetric or HMAC material of a single-Region key', async () => {
          for (const keySpec of ['ECC_NIST_P256', 'RSA_2048', 'HMAC_224'] as const) {
            const single = await make(keySpec, { multiRegion: false });
            expect(await refusalOf(source().hsm.wrap(pair.wrapping, single))).to.equal('ERR_HSM_POLICY_REFUSED');
            const forged = { ...single, binding: { ...single.binding, multiRegion: true } };
            expect(await refusalOf(source().hsm.wrap(pair.wrapping, forged))).to.equal('ERR_HSM_RECORD');
          }
        });
      });
    }
  });
}
