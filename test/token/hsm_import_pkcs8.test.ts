import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { HsmError } from '../../src/hsm/errors.js';
import type { StoredImportKey } from '../../src/hsm/import_key.js';
import type { ImportedMaterial } from '../../src/hsm/import_material.js';
import type { RegionImports } from '../../src/hsm/import_region.js';
import { importCapabilitiesOf, type ImportWrappingAlgorithm } from '../../src/hsm/import_strategy.js';
import type { KeySpec } from '../../src/hsm/material.js';
import { refusalOf } from '../support/hsm_refusal.js';
import { wrapForImport } from '../support/import_wrapping.js';
import {
  CURVE_OIDS,
  der,
  ecNumbers,
  ecPkcs8,
  indefinite,
  newEcKey,
  rsaNumbersOf,
  rsaPkcs8,
  threePrimePkcs8,
} from '../support/pkcs8.js';
import { sessionObjects } from '../support/region_sessions.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';

const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
const { prime256v1, secp384r1 } = CURVE_OIDS;
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const refusals = ['ERR_HSM_UNWRAP', 'ERR_HSM_TYPE'];

function spki(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

for (const { kind, storage, place } of storageCases(['nss'])) {
  describe(`private keys that are not what they should be, imported into ${place}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let imports: RegionImports;
    let importKey: StoredImportKey;
    let objectsBefore: number;
    const key = newEcKey('prime256v1');
    const { scalar, point } = ecNumbers(key);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

    const importing = (
      algorithm: ImportWrappingAlgorithm,
      keySpec: KeySpec,
      octets: Uint8Array,
    ): Promise<ImportedMaterial> =>
      imports.importMaterial({
        importKey,
        algorithm,
        encrypted: wrapForImport(algorithm, importKey.publicKey, octets),
        binding: { keyId, keySpec, keyUsage: 'SIGN_VERIFY', multiRegion: false, dataSuite: null },
      });
    /** What becomes of a key by each algorithm that can carry it. */
    const outcomes = async (keySpec: KeySpec, octets: Uint8Array): Promise<Readonly<Record<string, string>>> => {
      const algorithms: readonly ImportWrappingAlgorithm[] = [
        ...(octets.length <= 318 ? (['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const) : []),
        'RSA_AES_KEY_WRAP_SHA_1',
        'RSA_AES_KEY_WRAP_SHA_256',
      ];
      const results: Record<string, string> = {};
      for (const algorithm of algorithms) {
        results[algorithm] = await importing(algorithm, keySpec, octets).then(
          (imported) =>
            spki(key).equals(imported.material.publicKey ?? Buffer.alloc(0)) ? 'the same key' : 'another key',
          (error: unknown) => (error instanceof HsmError ? error.code : String(error)),
        );
      }
      return results;
    };
    const expectRefused = async (keySpec: KeySpec, octets: Uint8Array, what: string): Promise<void> => {
      for (const [algorithm, outcome] of Object.entries(await outcomes(keySpec, octets))) {
        expect(outcome, `${what} by ${algorithm}`).to.be.oneOf(refusals);
      }
    };

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: storage });
      imports = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'allow' }));
      importKey = await imports.generateImportKey('RSA_3072');
      objectsBefore = await sessionObjects(region);
    });
    afterEach(async () => expect(await sessionObjects(region)).to.equal(objectsBefore));
    after(() => region.close());

    it('takes an EC key without its public half, with it, and with the curve named twice', async () => {
      for (const parts of [{}, { point }, { point, innerCurve: prime256v1 }]) {
        const results = await outcomes('ECC_NIST_P256', ecPkcs8({ curve: prime256v1, scalar, ...parts }));
        for (const [algorithm, outcome] of Object.entries(results)) {
          expect(outcome, `${Object.keys(parts).join('+')} by ${algorithm}`).to.equal('the same key');
        }
      }
    });

    it('takes BER where the token or the addon reads it, and never another key for it', async () => {
      const ber = ecPkcs8({ curve: prime256v1, scalar, point, sequence: indefinite });
      for (const [algorithm, outcome] of Object.entries(await outcomes('ECC_NIST_P256', ber))) {
        expect(outcome, algorithm).to.be.oneOf(['the same key', ...refusals]);
        if (kind === 'softhsm2') expect(outcome, algorithm).to.equal('the same key');
      }
    });

    it('refuses a key of another curve or size', async () => {
      await expectRefused('ECC_NIST_P384', ecPkcs8({ curve: prime256v1, scalar }), 'P-256 for P-384');
      const p384 = ecNumbers(newEcKey('secp384r1'));
      await expectRefused('ECC_NIST_P256', ecPkcs8({ curve: secp384r1, ...p384 }), 'P-384 for P-256');
      const secp256k1 = newEcKey('secp256k1').export({ type: 'pkcs8', format: 'der' });
      await expectRefused('ECC_NIST_P256', secp256k1, 'secp256k1 for P-256');
      const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
      await expectRefused('RSA_2048', small.export({ type: 'pkcs8', format: 'der' }), 'RSA-1024 for RSA-2048');
      await expectRefused('RSA_3072', rsa.export({ type: 'pkcs8', format: 'der' }), 'RSA-2048 for RSA-3072');
    });

    it('refuses a key of another type, a secret, and a public key', async () => {
      await expectRefused('ECC_NIST_P256', rsa.export({ type: 'pkcs8', format: 'der' }), 'RSA for EC');
      await expectRefused('RSA_2048', ecPkcs8({ curve: prime256v1, scalar, point }), 'EC for RSA');
      await expectRefused('ECC_NIST_P256', randomBytes(32), 'a secret');
      await expectRefused('ECC_NIST_P256', spki(key), 'a public key');
      const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' });
      await expectRefused('ECC_NIST_P256', ed25519, 'Ed25519 for P-256');
    });

    it('refuses explicit curve parameters, also those of the right curve', async () => {
      const explicit = newEcKey('prime256v1', 'explicit').export({ type: 'pkcs8', format: 'der' });
      await expectRefused('ECC_NIST_P256', explicit, 'explicit parameters');
    });

    it('refuses an encrypted key, PEM, and the forms that are not PKCS#8', async () => {
      const cipher = { cipher: 'aes-256-cbc', passphrase: 'test' };
      await expectRefused('ECC_NIST_P256', key.export({ type: 'pkcs8', format: 'der', ...cipher }), 'encrypted');
      await expectRefused('ECC_NIST_P256', Buffer.from(key.export({ type: 'pkcs8', format: 'pem' })), 'PEM');
      await expectRefused('ECC_NIST_P256', key.export({ type: 'sec1', format: 'der' }), 'SEC 1');
      await expectRefused('RSA_2048', rsa.export({ type: 'pkcs1', format: 'der' }), 'PKCS#1');
    });

    it('refuses a private value of zero and of the order', async () => {
      for (const wrong of [Buffer.alloc(32), order]) {
        await expectRefused('ECC_NIST_P256', ecPkcs8({ curve: prime256v1, scalar: wrong }), wrong.toString('hex'));
      }
    });

    it('refuses a private value above the order where it is seen, and takes its remainder for it in a token', async () => {
      const longer = ecPkcs8({ curve: prime256v1, scalar: Buffer.alloc(33, 1) });
      for (const outcome of Object.values(await outcomes('ECC_NIST_P256', longer))) {
        expect(outcome).to.be.oneOf(kind === 'nss' ? ['another key', ...refusals] : refusals);
      }
      const above = Buffer.from((BigInt(`0x${order.toString('hex')}`) + 5n).toString(16), 'hex');
      const five = Buffer.concat([Buffer.alloc(31), Buffer.of(5)]);
      for (const algorithm of ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const) {
        const isSeen = kind === 'softhsm2' && algorithm === 'RSAES_OAEP_SHA_256';
        const work = importing(algorithm, 'ECC_NIST_P256', ecPkcs8({ curve: prime256v1, scalar: above }));
        if (isSeen) {
          expect(await refusalOf(work), algorithm).to.equal('ERR_HSM_UNWRAP');
          continue;
        }
        const same = await importing(algorithm, 'ECC_NIST_P256', ecPkcs8({ curve: prime256v1, scalar: five }));
        expect((await work).material.publicKey, algorithm).to.deep.equal(same.material.publicKey);
      }
    });

    it('never takes a key whose public half is another’s for the other key', async () => {
      const other = ecNumbers(newEcKey('prime256v1')).point;
      const mixed = ecPkcs8({ curve: prime256v1, scalar, point: other });
      for (const [algorithm, outcome] of Object.entries(await outcomes('ECC_NIST_P256', mixed))) {
        // A token that throws the public half away leaves nothing to compare: the private half decides then.
        expect(outcome, algorithm).to.be.oneOf(['the same key', ...refusals]);
        const isSeen = kind === 'softhsm2' && algorithm === 'RSAES_OAEP_SHA_256';
        if (isSeen) expect(outcome, algorithm).to.equal('ERR_HSM_TYPE');
      }
    });

    it('refuses an RSA key of three primes', async () => {
      await expectRefused('RSA_2048', threePrimePkcs8(), 'three primes');
    });

    it('refuses an RSA key whose numbers do not fit each other', async () => {
      const [n = 0n, e = 0n, d = 0n, ...rest] = rsaNumbersOf(rsa);
      const [p = 0n, q = 0n, dp = 0n, dq = 0n, qi = 0n] = rest;
      const other = rsaNumbersOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
      const wrong = {
        'another modulus': [other[0] ?? 0n, e, d, p, q, dp, dq, qi],
        'another key’s secrets': [n, e, ...other.slice(2)],
        'an even public exponent': [n, 65_536n, d, p, q, dp, dq, qi],
      };
      for (const [what, numbers] of Object.entries(wrong)) await expectRefused('RSA_2048', rsaPkcs8(0n, numbers), what);
      // A token that does without primes that are wrong works with the right exponent: nobody outside can tell.
      const otherPrimes = rsaPkcs8(0n, [n, e, d, other[3] ?? 0n, other[4] ?? 0n, dp, dq, qi]);
      const outcome = await refusalOf(importing('RSA_AES_KEY_WRAP_SHA_1', 'RSA_2048', otherPrimes));
      expect(outcome).to.be.oneOf(kind === 'softhsm2' ? ['accepted', ...refusals] : refusals);
    });

    it('refuses what is cut short, has octets behind it, or has its versions wrong', async () => {
      const good = ecPkcs8({ curve: prime256v1, scalar, point });
      await expectRefused('ECC_NIST_P256', good.subarray(0, -1), 'cut short');
      await expectRefused('ECC_NIST_P256', der(0x30, good), 'one SEQUENCE too many');
      await expectRefused('ECC_NIST_P256', Buffer.alloc(good.length), 'zeros');
      const behind = await outcomes('ECC_NIST_P256', Buffer.concat([good, Buffer.alloc(3, 7)]));
      for (const [algorithm, outcome] of Object.entries(behind)) {
        expect(outcome, algorithm).to.be.oneOf(['the same key', ...refusals]);
      }
    });

    it('neither crashes nor takes a key for another when any octet of it is changed', async () => {
      const good = ecPkcs8({ curve: prime256v1, scalar, point, innerCurve: prime256v1 });
      for (let at = 0; at < good.length; at += 3) {
        const mutated = Buffer.from(good);
        mutated[at] = (mutated[at] ?? 0) ^ (1 + (at % 255));
        for (const algorithm of ['RSAES_OAEP_SHA_256', 'RSA_AES_KEY_WRAP_SHA_1'] as const) {
          const outcome = await refusalOf(importing(algorithm, 'ECC_NIST_P256', mutated));
          expect(outcome, `octet ${at} by ${algorithm}`).to.be.oneOf(['accepted', ...refusals]);
        }
      }
      expect((await outcomes('ECC_NIST_P256', good))['RSAES_OAEP_SHA_1']).to.equal('the same key');
    });
  });
}
