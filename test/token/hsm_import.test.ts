import { constants, createHmac, createPublicKey, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import type { HsmError } from '../../src/hsm/errors.js';
import { importKeyFingerprint, type StoredImportKey } from '../../src/hsm/import_key.js';
import type { ImportedMaterial } from '../../src/hsm/import_material.js';
import type { RegionImports } from '../../src/hsm/import_region.js';
import {
  importCapabilitiesOf,
  IMPORT_WRAPPING_ALGORITHMS,
  type ImportWrappingAlgorithm,
} from '../../src/hsm/import_strategy.js';
import { RegionImportTokens } from '../../src/import/import_token.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { oaepEncrypt, wrapForImport } from '../support/import_wrapping.js';
import { singleRegionBinding as binding } from '../support/material_bindings.js';
import { sessionObjects } from '../support/region_sessions.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { softwareMaterialId } from '../support/software_source.js';

const refusals = ['ERR_HSM_UNWRAP', 'ERR_HSM_TYPE'];

for (const { kind, storage, place } of storageCases(['softhsm2'])) {
  describe(`importing secrets into ${place}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let imports: RegionImports;
    let importKey: StoredImportKey;
    let objectsBefore: number;

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: storage });
      imports = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'allow' }));
      importKey = await imports.generateImportKey('RSA_2048');
      objectsBefore = await sessionObjects(region);
    });
    afterEach(async () => {
      await region.hsm.close();
      expect(await sessionObjects(region)).to.equal(objectsBefore);
    });
    after(() => region.close());

    const importing = (
      algorithm: ImportWrappingAlgorithm,
      encrypted: Uint8Array,
      key: StoredImportKey = importKey,
    ): Promise<ImportedMaterial> => imports.importMaterial({ importKey: key, algorithm, encrypted, binding });
    const importingMac = (
      algorithm: ImportWrappingAlgorithm,
      bits: 224 | 256 | 384 | 512,
      secret: Uint8Array,
    ): Promise<ImportedMaterial> =>
      imports.importMaterial({
        importKey,
        algorithm,
        encrypted: wrapForImport(algorithm, importKey.publicKey, secret),
        binding: { ...binding, keySpec: `HMAC_${bits}`, keyUsage: 'GENERATE_VERIFY_MAC', dataSuite: null },
      });

    for (const algorithm of ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const) {
      const isOutside = kind === 'softhsm2' && algorithm === 'RSAES_OAEP_SHA_256';

      it(`takes an AES-256 key by ${algorithm}, with the id that software computes, and encrypts with it`, async () => {
        const material = randomBytes(32);
        const imported = await importing(algorithm, wrapForImport(algorithm, importKey.publicKey, material));
        expect(imported.material.binding.materialId).to.equal(softwareMaterialId(material, binding.keyId));
        expect(imported.outsideToken).to.equal(isOutside);
        expect(imported.strategy).to.match(isOutside ? /^import-oaep-.*-outside$/ : /^import-oaep-sha(1|256)$/);
        const blob = await region.hsm.encrypt(imported.material, {}, Buffer.from('hello'));
        expect(Buffer.from(await region.hsm.decrypt(imported.material, {}, blob)).toString()).to.equal('hello');
      });

      it(`refuses AES keys of other lengths by ${algorithm}`, async () => {
        for (const octets of [0, 1, 16, 24, 25, 31, 33, 40, 64, 128]) {
          const encrypted = oaepEncrypt(algorithm, importKey.publicKey, randomBytes(octets));
          expect(await refusalOf(importing(algorithm, encrypted)), `${octets}`).to.be.oneOf(refusals);
        }
      });

      it(`takes HMAC secrets of the lengths that AWS KMS takes, by ${algorithm}, and makes the same MACs`, async () => {
        const message = randomBytes(100);
        for (const [bits, octets] of [
          [224, 28],
          [224, 33],
          [256, 63],
          [256, 64],
          [256, 128],
          [384, 49],
          [512, 101],
          [512, 128],
        ] as const) {
          const secret = randomBytes(octets);
          const { material } = await importingMac(algorithm, bits, secret);
          const mac = await region.hsm.generateMac(material, `HMAC_SHA_${bits}`, message);
          const expected = createHmac(`sha${bits}`, secret).update(message).digest();
          expect(Buffer.from(mac).equals(expected), `HMAC_${bits} of ${octets} octets`).to.equal(true);
        }
      });

      it(`refuses HMAC secrets that are too short or too long, by ${algorithm}`, async () => {
        for (const [bits, octets] of [
          [224, 27],
          [256, 31],
          [384, 47],
          [512, 63],
          [256, 129],
          [256, 1],
        ] as const) {
          expect(await refusalOf(importingMac(algorithm, bits, randomBytes(octets))), `${bits}: ${octets}`).to.be.oneOf(
            refusals,
          );
        }
      });

      it(`never stores an HMAC secret that would make other MACs, by ${algorithm}`, async () => {
        const secret = randomBytes(101);
        const outcome = await importingMac(algorithm, 256, secret).then(
          ({ material }) => region.hsm.generateMac(material, 'HMAC_SHA_256', secret),
          (error: unknown) => (error as HsmError).code,
        );
        // Where it stays in the token, nothing fills it up.
        if (kind === 'softhsm2' && storage === 'wrapped') expect(outcome).to.equal('ERR_HSM_STRATEGY');
        else expect(outcome).to.deep.equal(new Uint8Array(createHmac('sha256', secret).update(secret).digest()));
        expect((await region.hsm.describe()).state).to.equal('working');
      });
    }

    it('answers every kind of wrong blob with one code', async () => {
      const good = wrapForImport('RSAES_OAEP_SHA_256', importKey.publicKey, randomBytes(32));
      const other = await imports.generateImportKey('RSA_2048');
      const wrong: readonly Uint8Array[] = [
        new Uint8Array(),
        new Uint8Array(1),
        new Uint8Array(256),
        Buffer.alloc(256, 0xff),
        good.subarray(1),
        Buffer.concat([good, Buffer.alloc(1)]),
        randomBytes(256),
        wrapForImport('RSAES_OAEP_SHA_256', other.publicKey, randomBytes(32)),
        wrapForImport('RSAES_OAEP_SHA_1', importKey.publicKey, randomBytes(32)),
        publicEncrypt({ key: publicKeyOf(importKey), padding: constants.RSA_PKCS1_PADDING }, randomBytes(32)),
        publicEncrypt({ key: publicKeyOf(importKey), padding: constants.RSA_NO_PADDING }, Buffer.alloc(256, 1)),
        oaepWithLabel(importKey),
      ];
      for (const [at, blob] of wrong.entries()) {
        const error = await importing('RSAES_OAEP_SHA_256', blob).catch((thrown: unknown) => thrown);
        expect(error, `blob ${at}`).to.have.property('code', 'ERR_HSM_UNWRAP');
        expect((error as HsmError).message).to.equal('the wrapped material does not unwrap');
      }
    });

    it('answers a blob whose padding is right and one whose padding is wrong in one time class', async () => {
      const raw = (octets: Uint8Array): Uint8Array =>
        publicEncrypt({ key: publicKeyOf(importKey), padding: constants.RSA_NO_PADDING }, octets);
      const probes = {
        'first octet 0': () => raw(block(0)),
        'first octet 1': () => raw(block(1)),
        'good padding, wrong length': () => oaepEncrypt('RSAES_OAEP_SHA_256', importKey.publicKey, randomBytes(31)),
        'no RSA block at all': () => new Uint8Array(3),
      };
      const times = new Map<string, number[]>();
      for (let round = 0; round < 8; round += 1) {
        for (const [name, make] of Object.entries(probes)) {
          const blob = make();
          const startMs = performance.now();
          expect(await refusalOf(importing('RSAES_OAEP_SHA_256', blob))).to.be.oneOf(refusals);
          times.set(name, [...(times.get(name) ?? []), performance.now() - startMs]);
        }
      }
      // A busy machine makes single answers late; the earliest of each kind is what an attacker would wait for.
      const earliest = [...times.values()].map((all) => Math.min(...all));
      expect(Math.max(...earliest) - Math.min(...earliest), JSON.stringify([...times])).to.be.below(10);
    });

    it('refuses an import key whose record was changed, and one of another region', async () => {
      const encrypted = wrapForImport('RSAES_OAEP_SHA_1', importKey.publicKey, randomBytes(32));
      const other = await imports.generateImportKey('RSA_2048');
      const changes: readonly Partial<StoredImportKey>[] = [
        { id: other.id },
        { publicKey: other.publicKey },
        { exportedKeyToken: other.exportedKeyToken },
        { keySpec: 'RSA_3072' },
        { recordMac: other.recordMac },
        { recordMac: new Uint8Array() },
      ];
      for (const change of changes) {
        const error = await refusalOf(importing('RSAES_OAEP_SHA_1', encrypted, { ...importKey, ...change }));
        expect(error, Object.keys(change).join()).to.equal('ERR_HSM_RECORD');
      }
    });

    it('neither crashes nor takes anything in from two hundred mutated blobs of each algorithm', async () => {
      const material = randomBytes(32);
      for (const algorithm of IMPORT_WRAPPING_ALGORITHMS) {
        const blob = wrapForImport(algorithm, importKey.publicKey, material);
        const outcomes = await Promise.all(
          Array.from({ length: 200 }, (_, at) => refusalOf(importing(algorithm, mutated(blob, at)))),
        );
        expect([...new Set(outcomes)], algorithm).to.deep.equal(['ERR_HSM_UNWRAP']);
      }
    });

    it('refuses by name what would take octets out of the token where the configuration refuses that', async () => {
      const strict = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'refuse' }));
      const encrypted = wrapForImport('RSAES_OAEP_SHA_256', importKey.publicKey, randomBytes(32));
      const work = strict.importMaterial({ importKey, algorithm: 'RSAES_OAEP_SHA_256', encrypted, binding });
      expect(strict.refusalOfImport('SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1')).to.equal(undefined);
      const refusal = strict.refusalOfImport('SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_256');
      if (kind === 'nss') {
        expect(refusal).to.equal(undefined);
        expect((await work).outsideToken).to.equal(false);
        return;
      }
      expect(refusal).to.include('CKM_RSA_PKCS_OAEP').and.to.include('configuration');
      expect(await refusalOf(work)).to.equal('ERR_HSM_STRATEGY');
    });

    it('signs import tokens that this region opens', async () => {
      const tokens = new RegionImportTokens(imports, { partition: 'aws', region: 'eu-west-1' });
      const claims = {
        keyId: binding.keyId,
        importKeyId: importKey.id,
        publicKeyHash: Buffer.from(importKeyFingerprint(importKey)).toString('hex'),
        wrappingKeySpec: importKey.keySpec,
        algorithm: 'RSAES_OAEP_SHA_256',
        issuedMs: 1_700_000_000_000,
        expiresMs: 1_700_086_400_000,
      } as const;
      expect(await tokens.open(await tokens.issue(claims))).to.deep.equal(claims);
    });

    it('keeps pairs ready once it is warm, and gives none of them out twice', async () => {
      const warm = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'refuse' }));
      warm.expectImports();
      const taken = [await warm.generateImportKey('RSA_2048')];
      while (warm.readyCount('RSA_2048') === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const ready = warm.readyCount('RSA_2048');
      const next = warm.generateImportKey('RSA_2048');
      expect(warm.readyCount('RSA_2048')).to.equal(ready - 1);
      taken.push(await next);
      taken.push(await warm.generateImportKey('RSA_2048'));
      await warm.close();
      expect(new Set(taken.map(({ id }) => id)).size).to.equal(3);
      expect(new Set(taken.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).size).to.equal(3);
    });
  });
}

function publicKeyOf({ publicKey }: StoredImportKey): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
}

function block(first: number): Buffer {
  return Buffer.concat([Buffer.of(first), randomBytes(255)]);
}

function oaepWithLabel(key: StoredImportKey): Uint8Array {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt(
    { key: publicKeyOf(key), padding, oaepHash: 'sha256', oaepLabel: Buffer.from('x') },
    randomBytes(32),
  );
}

/** A blob with one octet changed, cut short, or longer; never the blob itself. */
function mutated(blob: Uint8Array, seed: number): Uint8Array {
  const octets = Buffer.from(blob);
  const at = (seed * 7919) % octets.length;
  if (seed % 8 === 0) return octets.subarray(0, at);
  if (seed % 8 === 1) return Buffer.concat([octets, Buffer.alloc(1 + (seed % 16))]);
  octets[at] = (octets[at] ?? 0) ^ (1 + (seed % 255));
  return octets;
}
