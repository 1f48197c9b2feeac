import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { HsmError } from '../../src/hsm/errors.js';
import type { KeySpec, StoredMaterial } from '../../src/hsm/material.js';
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EXTRACTABLE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKM_EC_KEY_PAIR_GEN,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { BLOB_OCTETS_MAX } from '../../src/wire/ciphertext_blob.js';
import { CURVES } from '../../src/wire/curve.js';
import { singleRegionBinding as binding } from '../support/material_bindings.js';
import { makeRegionToken, type RegionToken } from '../support/region_token.js';
import { tokenKinds } from '../support/token_directory.js';

const context = { a: 'b' };

interface Expected {
  readonly type: KeyObject['asymmetricKeyType'];
  /** Of the curve or the modulus, as Node names them. */
  readonly details: object;
  readonly hash: string | null;
}
const specs: Readonly<Partial<Record<KeySpec, Expected>>> = {
  RSA_2048: { type: 'rsa', details: { modulusLength: 2048, publicExponent: 65_537n }, hash: 'sha256' },
  RSA_3072: { type: 'rsa', details: { modulusLength: 3072, publicExponent: 65_537n }, hash: 'sha256' },
  RSA_4096: { type: 'rsa', details: { modulusLength: 4096, publicExponent: 65_537n }, hash: 'sha256' },
  ECC_NIST_P256: { type: 'ec', details: { namedCurve: 'prime256v1' }, hash: 'sha256' },
  ECC_NIST_P384: { type: 'ec', details: { namedCurve: 'secp384r1' }, hash: 'sha384' },
  ECC_NIST_P521: { type: 'ec', details: { namedCurve: 'secp521r1' }, hash: 'sha512' },
  ECC_SECG_P256K1: { type: 'ec', details: { namedCurve: 'secp256k1' }, hash: 'sha256' },
  ECC_NIST_EDWARDS25519: { type: 'ed25519', details: {}, hash: null },
};

for (const kind of tokenKinds()) {
  describe(`data key pairs on ${kind}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let material: StoredMaterial;

    before(async () => {
      region = await makeRegionToken(kind);
      material = await region.hsm.createMaterial(binding);
    });
    after(() => region.close());

    /** Session objects that are half a pair. */
    async function halves(): Promise<number> {
      let count = 0;
      for (const objectClass of [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY]) {
        const job = new Job('count', 'test');
        const found = job.findObjects(template([CKA_CLASS, objectClass], [CKA_TOKEN, false]), 100);
        count += (await region.executor.run(job)).handles(found).length;
      }
      return count;
    }

    for (const [name, expected] of Object.entries(specs)) {
      it(`makes ${name} pairs whose PKCS#8 is OpenSSL's own, or names the mechanism that is missing`, async () => {
        const keySpec = name as KeySpec;
        const { hsm } = region;
        const before = await halves();
        const refusal = hsm.refusalOfDataKeyPair(keySpec);
        const making = hsm.generateDataKeyPair(material, context, { keySpec, reveal: true });
        if (refusal !== undefined) {
          const error = await making.catch((thrown: unknown) => thrown);
          expect(error).to.be.instanceOf(HsmError).with.property('code', 'ERR_HSM_STRATEGY');
          expect(refusal).to.contain('CKM_');
          return;
        }
        const pair = await making;
        if (pair.plaintext === null) throw new Error('nothing was revealed');
        const octets = Buffer.from(pair.plaintext);
        const key = createPrivateKey({ key: octets, format: 'der', type: 'pkcs8' });
        expect(key.asymmetricKeyType).to.equal(expected.type);
        expect(key.asymmetricKeyDetails).to.deep.equal(expected.details);
        expect(key.export({ format: 'der', type: 'pkcs8' }).equals(octets)).to.equal(true);
        const spki = Buffer.from(pair.publicKey);
        expect(createPublicKey(key).export({ format: 'der', type: 'spki' }).equals(spki)).to.equal(true);
        const message = Buffer.from('hello');
        const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
        expect(verify(expected.hash, message, publicKey, sign(expected.hash, message, key))).to.equal(true);
        expect(pair.blob.length).to.be.at.most(BLOB_OCTETS_MAX);
        expect(Buffer.from(await hsm.decrypt(material, context, pair.blob)).equals(octets)).to.equal(true);
        expect(await halves()).to.equal(before);
      });
    }

    it('makes another pair each time, fills short private values up, and reveals nothing unasked', async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 40; i += 1) {
        // The first octet of a P-521 value is 0 or 1: tokens leave it out in every second one.
        const reveal = i % 2 === 0;
        const pair = await region.hsm.generateDataKeyPair(material, context, { keySpec: 'ECC_NIST_P521', reveal });
        expect(pair.plaintext === null).to.equal(!reveal);
        const octets = Buffer.from(await region.hsm.decrypt(material, context, pair.blob));
        const key = createPrivateKey({ key: octets, format: 'der', type: 'pkcs8' });
        expect(key.export({ format: 'der', type: 'pkcs8' }).equals(octets)).to.equal(true);
        expect(octets.length).to.equal(241);
        const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
        expect(spki.equals(pair.publicKey)).to.equal(true);
        seen.add(octets.toString('hex'));
      }
      expect(seen.size).to.equal(40);
    });

    it('does not make messages wait for RSA, nor behind a search that does', async () => {
      const order: string[] = [];
      const slow = region.hsm
        .generateDataKeyPair(material, {}, { keySpec: 'RSA_3072', reveal: false })
        .then(() => order.push('pair'));
      const searched = region.hsm.describe();
      for (let i = 0; i < 40; i += 1) {
        await region.hsm.encrypt(material, {}, Buffer.from('hello'));
        order.push('message');
      }
      await Promise.all([slow, searched]);
      // A pair of 3,072 bits takes tens of milliseconds at the very least, forty messages a few milliseconds.
      expect(order.indexOf('pair')).to.be.greaterThan(5);
    });

    it('reads no private key that is sensitive, and says so', async () => {
      const job = new Job('read', 'test');
      const curve = CURVES['P-256'];
      const pair = job.generateKeyPair(
        { type: CKM_EC_KEY_PAIR_GEN, parameter: { kind: 'none' } },
        template([CKA_TOKEN, false], [CKA_EC_PARAMS, curve.oid]),
        template([CKA_TOKEN, false], [CKA_PRIVATE, true], [CKA_SENSITIVE, true], [CKA_EXTRACTABLE, true]),
      );
      job.readPrivateKey(pair, { kind: 'curve', curve });
      const error = await region.executor.run(job).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(TokenError).with.property('rvName', 'CKR_ATTRIBUTE_SENSITIVE');
    });
  });
}
