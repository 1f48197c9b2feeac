import { createCipheriv, createDecipheriv, createECDH, createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { MaterialBinding, StoredMaterial, WrappedMaterial } from '../../src/hsm/material.js';
import type { RegionHsm } from '../../src/hsm/region_hsm.js';
import type { AgreementKey, ReplicationHsm, SessionKeys } from '../../src/replication/replication_hsm.js';
import { REPLICATION_SUITES, type ReplicationSuite } from '../../src/wire/suite.js';
import { verifyEs384 } from '../support/es384.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { multiRegionBinding as multiRegion } from '../support/material_bindings.js';
import { sessionObjects } from '../support/region_sessions.js';
import { makeRegionPairs, storages, type RegionToken } from '../support/region_token.js';
import { withFlippedBit } from '../support/runner_faults.js';
import { unwrapAsExtractable, wrapObject } from '../support/taking_out.js';
import { tokenKinds } from '../support/token_directory.js';

const fixedInfo = { rwk: Buffer.from('fixed info for RWK'), kck: Buffer.from('fixed info for KCK') };
const salt = Buffer.alloc(48, 0x51);

interface Pair {
  readonly source: ReplicationHsm;
  readonly destination: ReplicationHsm;
  readonly raka: AgreementKey;
  readonly rakb: AgreementKey;
  readonly wrapping: SessionKeys;
  readonly unwrapping: SessionKeys;
  release(): Promise<void>;
}

async function agreed(
  source: ReplicationHsm,
  destination: ReplicationHsm,
  suite: ReplicationSuite,
  changes: { readonly destinationRwk?: Uint8Array } = {},
): Promise<Pair> {
  const raka = await source.generateAgreementKey(randomBytes(32));
  const rakb = await destination.generateAgreementKey(randomBytes(32));
  const wrapping = await source.agree({ key: raka, peerPoint: rakb.point, suite, fixedInfo, salt, direction: 'wrap' });
  const unwrapping = await destination.agree({
    key: rakb,
    peerPoint: raka.point,
    suite,
    fixedInfo: { ...fixedInfo, rwk: changes.destinationRwk ?? fixedInfo.rwk },
    salt,
    direction: 'unwrap',
  });
  return {
    source,
    destination,
    raka,
    rakb,
    wrapping,
    unwrapping,
    release: async () => {
      await source.release(raka, wrapping);
      await destination.release(rakb, unwrapping);
    },
  };
}

/** One derived key, written down from the standards a second time. */
function outsideKey(suite: ReplicationSuite, z: Buffer, info: Uint8Array, octets: number): Buffer {
  const one = Buffer.from([0, 0, 0, 1]);
  const sha384 = (...parts: readonly Uint8Array[]): Buffer =>
    createHash('sha384').update(Buffer.concat(parts)).digest();
  switch (suite) {
    case 'OSKDF-A256KWP':
      return sha384(one, z, info).subarray(0, octets);
    case 'X963-A256KWP':
      return sha384(z, one, info).subarray(0, octets);
    case 'HKDF384-A256KWP': {
      const extracted = createHmac('sha384', salt).update(z).digest();
      return createHmac('sha384', extracted)
        .update(info)
        .update(Buffer.from([1]))
        .digest()
        .subarray(0, octets);
    }
    case 'SP800108-A256KWP':
      return createHmac('sha384', z).update(one).update(info).digest().subarray(0, octets);
    case 'CBCDERIVE-A256KWP': {
      const cipher = createCipheriv('aes-256-cbc', z.subarray(16), Buffer.alloc(16));
      return cipher.update(sha384(info)).subarray(0, octets);
    }
  }
}

for (const storage of storages()) {
  describe(`replication between tokens, keys ${storage === 'token' ? 'in them' : 'wrapped'}`, function () {
    this.timeout(60_000);
    let regions: ReadonlyMap<string, RegionToken>;

    before(async () => {
      regions = await makeRegionPairs(storage);
    });
    after(async () => {
      for (const region of regions.values()) await region.close();
    });

    const hsmOf = (name: string): RegionHsm => regions.get(name)!.hsm;
    const names = tokenKinds().flatMap((kind) => [`${kind} A`, `${kind} B`]);
    const directions = names.flatMap((from) => names.filter((to) => to !== from).map((to) => [from, to] as const));

    for (const [from, to] of directions.filter(([one, other]) => one.endsWith('A') && other.endsWith('B'))) {
      for (const suite of REPLICATION_SUITES) {
        it(`carries material from ${from} to ${to} with ${suite}, or refuses the suite`, async () => {
          const [source, destination] = [hsmOf(from), hsmOf(to)];
          if (!source.suites.includes(suite) || !destination.suites.includes(suite)) {
            const poor = source.suites.includes(suite) ? destination : source;
            const key = await poor.generateAgreementKey(randomBytes(32));
            const request = { key, peerPoint: key.point, suite, fixedInfo, salt, direction: 'wrap' } as const;
            expect(await refusalOf(poor.agree(request))).to.equal('ERR_HSM_STRATEGY');
            await poor.release(key);
            return;
          }
          const material = await source.createMaterial(multiRegion);
          const blob = await source.encrypt(material, { region: from }, Buffer.from('moved'));
          const pair = await agreed(source, destination, suite);
          const octets = Buffer.from('confirm me');
          const macs = [
            await source.confirm(pair.wrapping, octets),
            await destination.confirm(pair.unwrapping, octets),
          ];
          expect(macs[0]).to.have.lengthOf(48);
          expect(Buffer.from(macs[0]!).equals(macs[1]!)).to.equal(true);
          const wrapped = await source.wrap(pair.wrapping, material);
          const installed = await destination.unwrap(pair.unwrapping, wrapped, material.binding);
          await pair.release();
          expect(installed.binding).to.deep.equal(material.binding);
          expect(Buffer.from(await destination.decrypt(installed, { region: from }, blob)).toString()).to.equal(
            'moved',
          );
          const back = await destination.encrypt(installed, {}, Buffer.from('and back'));
          expect(Buffer.from(await source.decrypt(material, {}, back)).toString()).to.equal('and back');
          expect([await source.ephemeralCount(), await destination.ephemeralCount()]).to.deep.equal([0, 0]);
        });
      }
    }

    for (const kind of tokenKinds()) {
      for (const suite of REPLICATION_SUITES) {
        it(`derives on ${kind} by ${suite} what OpenSSL computes from Z and FixedInfo, where it has the suite`, async () => {
          const hsm = hsmOf(`${kind} A`);
          if (!hsm.suites.includes(suite)) return;
          const peer = createECDH('secp384r1');
          const key = await hsm.generateAgreementKey(randomBytes(32));
          const peerPoint = peer.generateKeys();
          const keys = await hsm.agree({ key, peerPoint, suite, fixedInfo, salt, direction: 'wrap' });
          const kck = outsideKey(suite, peer.computeSecret(key.point), fixedInfo.kck, 48);
          const octets = Buffer.from('confirm me');
          const mac = Buffer.from(await hsm.confirm(keys, octets));
          expect(mac.equals(createHmac('sha384', kck).update(octets).digest())).to.equal(true);
          const material = await hsm.createMaterial(multiRegion);
          const rwk = outsideKey(suite, peer.computeSecret(key.point), fixedInfo.rwk, 32);
          const { blob } = await hsm.wrap(keys, material);
          const unwrap = createDecipheriv('id-aes256-wrap-pad', rwk, Buffer.from('a65959a6', 'hex'));
          expect(Buffer.concat([unwrap.update(blob), unwrap.final()])).to.have.lengthOf(32);
          await hsm.release(key, keys);
        });
      }

      describe(`on ${kind}`, () => {
        const source = (): RegionHsm => hsmOf(`${kind} A`);
        const destination = (): RegionHsm => hsmOf(`${kind} B`);
        let suite: ReplicationSuite;
        let material: StoredMaterial;
        let pair: Pair;
        let wrapped: WrappedMaterial;

        before(async () => {
          suite = source().suites[0]!;
          material = await source().createMaterial(multiRegion);
        });
        beforeEach(async () => {
          pair = await agreed(source(), destination(), suite);
          wrapped = await source().wrap(pair.wrapping, material);
        });
        afterEach(() => pair.release());

        it('is what the replication protocol asks for', () => {
          const fits: ReplicationHsm = source();
          expect(fits.suites).to.not.have.lengthOf(0);
          expect(fits.fingerprint).to.match(/\S/);
        });

        it('signs with a replication signing key, and another public key does not verify it', async () => {
          const [own] = await source().signingKeys();
          const [other] = await destination().signingKeys();
          const octets = Buffer.from('a message');
          const signature = await source().sign(own!.kid, octets);
          expect(signature).to.have.lengthOf(96);
          expect(verifyEs384(own!.jwk, octets, signature)).to.equal(true);
          expect(verifyEs384(other!.jwk, octets, signature)).to.equal(false);
          expect(await refusalOf(source().sign(other!.kid, octets))).to.equal('ERR_HSM_KEY_NOT_FOUND');
        });

        it('holds several signing keys, the newest first, and destroys one that is asked for', async () => {
          const [old] = await source().signingKeys();
          const made = await source().generateSigningKey();
          expect((await source().signingKeys()).map(({ kid }) => kid)).to.deep.equal([made.kid, old!.kid]);
          const octets = Buffer.from('both sign');
          expect(verifyEs384(old!.jwk, octets, await source().sign(old!.kid, octets))).to.equal(true);
          expect(verifyEs384(made.jwk, octets, await source().sign(made.kid, octets))).to.equal(true);
          await source().destroySigningKey(made.kid);
          expect(await refusalOf(source().sign(made.kid, octets))).to.equal('ERR_HSM_KEY_NOT_FOUND');
          expect((await source().signingKeys()).map(({ kid }) => kid)).to.deep.equal([old!.kid]);
        });

        it('counts the ephemeral objects that are held, and none after they were released', async () => {
          expect(await source().ephemeralCount()).to.equal(3);
          await pair.release();
          expect(await source().ephemeralCount()).to.equal(0);
          await pair.release();
        });

        it('wraps no material of a single-Region key, not even under a record that says otherwise', async () => {
          const single = await source().createMaterial({ ...multiRegion, multiRegion: false });
          expect(await refusalOf(source().wrap(pair.wrapping, single))).to.equal('ERR_HSM_POLICY_REFUSED');
          const forged = { ...single, binding: { ...single.binding, multiRegion: true } };
          expect(await refusalOf(source().wrap(pair.wrapping, forged))).to.equal('ERR_HSM_RECORD');
        });

        it('shows whether the token itself keeps single-Region material from being wrapped for another region', async () => {
          const { enforcedByToken, domainKeyIsTrusted } = await source().describe();
          expect(enforcedByToken.singleRegion).to.equal(kind === 'softhsm2');
          expect(enforcedByToken.singleRegionUnreadable).to.equal(kind === 'softhsm2');
          expect(domainKeyIsTrusted).to.equal(kind === 'softhsm2');
          const single = await source().createMaterial({ ...multiRegion, multiRegion: false });
          const taken = await (storage === 'wrapped' ? unwrapAsExtractable : wrapObject)(
            regions.get(`${kind} A`)!,
            single,
          );
          expect(taken).to.equal(kind === 'nss');
        });

        it('takes no material for a single-Region key', async () => {
          const binding: MaterialBinding = { ...material.binding, multiRegion: false };
          expect(await refusalOf(destination().unwrap(pair.unwrapping, wrapped, binding))).to.equal(
            'ERR_HSM_POLICY_REFUSED',
          );
        });

        it('refuses every damaged blob with one code and leaves no object', async () => {
          const before = await sessionObjects(regions.get(`${kind} B`)!);
          const { blob } = wrapped;
          const damaged: Uint8Array[] = [
            blob.subarray(0, 32),
            blob.subarray(0, 39),
            blob.subarray(8),
            Buffer.concat([blob, Buffer.alloc(8)]),
            Buffer.alloc(40),
            new Uint8Array(),
          ];
          for (let at = 0; at < blob.length; at += 3) damaged.push(withFlippedBit(blob, at));
          const codes = new Set<string>();
          for (const octets of damaged) {
            codes.add(
              await refusalOf(destination().unwrap(pair.unwrapping, { ...wrapped, blob: octets }, material.binding)),
            );
          }
          expect([...codes]).to.deep.equal(['ERR_HSM_UNWRAP']);
          expect(await sessionObjects(regions.get(`${kind} B`)!)).to.equal(before);
        });

        it('refuses material that was wrapped with another FixedInfo', async () => {
          const other = await agreed(source(), destination(), suite, {
            destinationRwk: Buffer.from('another context'),
          });
          const blob = await source().wrap(other.wrapping, material);
          expect(await refusalOf(destination().unwrap(other.unwrapping, blob, material.binding))).to.equal(
            'ERR_HSM_UNWRAP',
          );
          await other.release();
        });

        it('refuses material that is declared to be another key', async () => {
          const declarations = [{ lengthOctets: 16 }, { keyType: 'CKK_GENERIC_SECRET' }, { class: 'CKO_PRIVATE_KEY' }];
          for (const declaration of declarations) {
            const declared = { ...wrapped, ...declaration } as WrappedMaterial;
            expect(await refusalOf(destination().unwrap(pair.unwrapping, declared, material.binding))).to.equal(
              'ERR_HSM_TYPE',
            );
          }
        });

        it('refuses other material than was named, and the right material for another key id', async () => {
          const other = await source().createMaterial(multiRegion);
          const otherWrapped = await source().wrap(pair.wrapping, other);
          const swapped = { ...otherWrapped, materialId: material.binding.materialId };
          expect(await refusalOf(destination().unwrap(pair.unwrapping, swapped, material.binding))).to.equal(
            'ERR_HSM_MATERIAL_ID',
          );
          expect(await refusalOf(destination().unwrap(pair.unwrapping, otherWrapped, material.binding))).to.equal(
            'ERR_HSM_MATERIAL_ID',
          );
          const renamed = { ...material.binding, keyId: 'mrk-00000000000000000000000000000000' };
          expect(await refusalOf(destination().unwrap(pair.unwrapping, wrapped, renamed))).to.equal(
            'ERR_HSM_MATERIAL_ID',
          );
        });

        it('lets a wrapping key wrap only, and an unwrapping key unwrap only', async () => {
          const installed = await destination().unwrap(pair.unwrapping, wrapped, material.binding);
          expect(await refusalOf(destination().wrap(pair.unwrapping, installed))).to.equal('ERR_HSM_POLICY_REFUSED');
          expect(await refusalOf(source().unwrap(pair.wrapping, wrapped, material.binding))).to.equal(
            'ERR_HSM_POLICY_REFUSED',
          );
        });

        it('knows no keys after they were released', async () => {
          await pair.release();
          expect(await refusalOf(source().wrap(pair.wrapping, material))).to.equal('ERR_HSM_KEY_NOT_FOUND');
          expect(await refusalOf(source().confirm(pair.wrapping, Buffer.from('x')))).to.equal('ERR_HSM_KEY_NOT_FOUND');
          const request = {
            key: pair.raka,
            peerPoint: pair.rakb.point,
            suite,
            fixedInfo,
            salt,
            direction: 'wrap',
          } as const;
          expect(await refusalOf(source().agree(request))).to.equal('ERR_HSM_AGREEMENT_KEY');
        });

        it('refuses a point that is not on the curve, and leaves no object', async () => {
          const key = await source().generateAgreementKey(randomBytes(32));
          const before = await source().ephemeralCount();
          const peerPoint = createECDH('secp384r1').generateKeys();
          peerPoint[96] = (peerPoint[96] ?? 0) ^ 1;
          const request = { key, peerPoint, suite, fixedInfo, salt, direction: 'wrap' } as const;
          expect(await refusalOf(source().agree(request))).to.match(/^ERR_HSM_/);
          expect(await source().ephemeralCount()).to.equal(before);
          await source().release(key);
        });

        it('confirms other octets with another MAC', async () => {
          const one = await source().confirm(pair.wrapping, Buffer.from('one'));
          const two = await source().confirm(pair.wrapping, Buffer.from('two'));
          expect(Buffer.from(one).equals(two)).to.equal(false);
        });
      });
    }
  });
}
