import {
  createCipheriv,
  createECDH,
  createHash,
  createHmac,
  createPublicKey,
  verify as verifySignature,
} from 'node:crypto';
import { expect } from 'chai';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_EC_POINT,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE_EXPONENT,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_WRAP,
  CKK_AES,
  CKK_GENERIC_SECRET,
  CKM_AES_KEY_GEN,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_SHA256_HMAC,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import type { Mechanism } from '../../src/token/mechanism.js';
import { OpenToken } from '../../src/token/open_token.js';
import { template } from '../../src/token/template.js';
import {
  aesTemplate,
  countObjects,
  dataTemplate,
  deriveMessageKey,
  gcm,
  macKeyTemplate,
  makeAesKey,
  messageJob,
  p384,
  p384Pair,
  plain,
  secretTemplate,
} from '../support/executor_jobs.js';
import { rejection } from '../support/failure.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';

const CKM_AES_KEY_WRAP = 0x2109;
const CKD_NULL = 1;
const iv = Buffer.alloc(12, 3);

for (const kind of tokenKinds()) {
  describe(`a job on ${kind}`, function () {
    this.timeout(20_000);
    let scratch: ScratchToken;
    let token: OpenToken;

    before(async () => {
      scratch = await makeScratchToken(kind);
      token = await OpenToken.open(scratch.module, { token: { label: scratch.label }, userPin: scratch.userPin });
    });
    after(async () => {
      await token.close();
      scratch.dispose();
    });

    it('derives a message key, encrypts and decrypts with it, and leaves no key behind', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      const before = await countObjects(token.executor);
      const text = Buffer.from('thirty-two octets of a plaintext');
      const { job, ciphertext } = messageJob(base, text);
      const sealed = (await token.executor.run(job)).bytes(ciphertext);
      expect(sealed).to.have.length(text.length + 16);

      const back = new Job('decrypt message', 'test');
      const opened = back.decrypt(gcm(iv), deriveMessageKey(back, base), sealed);
      expect(Buffer.from((await token.executor.run(back)).bytes(opened)).equals(text)).to.equal(true);
      expect(await countObjects(token.executor)).to.equal(before);
    });

    it('encrypts what GCM with additional data gives, for a key it creates from a secret', async () => {
      const job = new Job('known key', 'test');
      const secret = job.randomSecret(32);
      const shown = job.reveal(secret);
      const key = job.createObject(secretTemplate(CKK_AES, [CKA_ENCRYPT, true]), { type: CKA_VALUE, secret });
      const aad = Buffer.from('context');
      const sealed = job.encrypt(gcm(iv, aad), key, Buffer.from('plaintext'));
      const empty = job.encrypt(gcm(Buffer.alloc(12, 4)), key, Buffer.alloc(0));
      const result = await token.executor.run(job);

      const cipher = createCipheriv('aes-256-gcm', result.bytes(shown), iv);
      cipher.setAAD(aad);
      const expected = Buffer.concat([cipher.update('plaintext'), cipher.final(), cipher.getAuthTag()]);
      expect(Buffer.from(result.bytes(sealed)).equals(expected)).to.equal(true);
      expect(result.bytes(empty)).to.have.length(16);
    });

    it('decrypts into a secret that only later steps see', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT, CKA_DECRYPT);
      const first = new Job('encrypt', 'test');
      const output = first.encrypt(gcm(iv), key, Buffer.alloc(48, 7));
      const sealed = (await token.executor.run(first)).bytes(output);

      const job = new Job('mac of a secret', 'test');
      const secret = job.decryptToSecret(gcm(iv), key, sealed);
      const macKey = job.createObject(macKeyTemplate, { type: CKA_VALUE, secret });
      const mac = job.sign(plain(CKM_SHA256_HMAC), macKey, Buffer.from('data'));
      const expected = createHmac('sha256', Buffer.alloc(48, 7)).update('data').digest();
      expect(Buffer.from((await token.executor.run(job)).bytes(mac)).equals(expected)).to.equal(true);
    });

    it('signs with a key pair whose public key anybody can verify with', async () => {
      const job = new Job('sign', 'test');
      const { publicKey, privateKey } = p384Pair(job);
      const point = job.getAttributes(publicKey, [CKA_EC_POINT]);
      const signature = job.sign(plain(CKM_ECDSA), privateKey, createHash('sha384').update('message').digest());
      const result = await token.executor.run(job);
      // A DER octet string around the uncompressed point, or the point alone.
      const uncompressed = result.attributes(point).get(CKA_EC_POINT)?.octets.subarray(-97) ?? Buffer.alloc(0);
      const key = createPublicKey({
        key: Buffer.concat([
          Buffer.from('3076301006072a8648ce3d0201', 'hex'),
          p384,
          Buffer.from('036200', 'hex'),
          uncompressed,
        ]),
        format: 'der',
        type: 'spki',
      });
      const octets = result.bytes(signature);
      expect(octets).to.have.length(96);
      expect(verifySignature('sha384', Buffer.from('message'), { key, dsaEncoding: 'ieee-p1363' }, octets)).to.equal(
        true,
      );
    });

    it('verifies a good signature and refuses a damaged one', async () => {
      const make = new Job('make pair', 'test');
      const pair = p384Pair(make);
      const [publicOut, privateOut] = [make.keep(pair.publicKey), make.keep(pair.privateKey)];
      const made = await token.executor.run(make);
      const sign = new Job('sign', 'test');
      const output = sign.sign(plain(CKM_ECDSA), made.object(privateOut), Buffer.alloc(48, 1));
      const signature = (await token.executor.run(sign)).bytes(output);

      const good = new Job('verify', 'test');
      good.verify(plain(CKM_ECDSA), made.object(publicOut), Buffer.alloc(48, 1), signature);
      await token.executor.run(good);
      const bad = new Job('verify', 'test');
      const damaged = Uint8Array.from(signature, (octet, i) => (i === 50 ? octet ^ 1 : octet));
      bad.verify(plain(CKM_ECDSA), made.object(publicOut), Buffer.alloc(48, 1), damaged);
      const failure = await rejection(TokenError, token.executor.run(bad));
      expect(failure.call).to.equal('C_Verify');
      expect(failure.mechanism).to.equal('CKM_ECDSA');
      expect(failure.retryable).to.equal(false);
    });

    it('agrees on a key with another party, wraps a key under it, and unwraps it again', async () => {
      const peer = createECDH('secp384r1');
      const point = peer.generateKeys();
      const ecdh: Mechanism = {
        type: CKM_ECDH1_DERIVE,
        parameter: { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData: point },
      };
      const job = new Job('agree', 'test');
      const { publicKey, privateKey } = p384Pair(job);
      const own = job.getAttributes(publicKey, [CKA_EC_POINT]);
      const wrapping = job.deriveKey(
        ecdh,
        privateKey,
        secretTemplate(CKK_AES, [CKA_VALUE_LEN, 32], [CKA_WRAP, true], [CKA_UNWRAP, true]),
      );
      const target = job.createObject(
        template(
          ...secretTemplate(CKK_GENERIC_SECRET, [CKA_SIGN, true])
            .filter(({ type }) => type !== CKA_EXTRACTABLE)
            .map(({ type, value }) => [type, value] as const),
          [CKA_EXTRACTABLE, true],
          [CKA_VALUE, Buffer.alloc(32, 9)],
        ),
      );
      const wrapped = job.wrapKey(plain(CKM_AES_KEY_WRAP), wrapping, target);
      const result = await token.executor.run(job);

      const ownPoint = result.attributes(own).get(CKA_EC_POINT)?.octets.subarray(-97) ?? Buffer.alloc(0);
      const shared = peer.computeSecret(ownPoint).subarray(16);
      const wrap = createCipheriv('id-aes256-wrap', shared, Buffer.alloc(8, 0xa6));
      const expected = Buffer.concat([wrap.update(Buffer.alloc(32, 9)), wrap.final()]);
      expect(Buffer.from(result.bytes(wrapped)).equals(expected)).to.equal(true);

      const kek = await makeAesKey(token.executor, CKA_WRAP, CKA_UNWRAP);
      const round = new Job('wrap and unwrap', 'test');
      const extractable = round.generateKey(
        plain(CKM_AES_KEY_GEN),
        template([CKA_TOKEN, false], [CKA_VALUE_LEN, 32], [CKA_EXTRACTABLE, true], [CKA_ENCRYPT, true]),
      );
      const sealedBefore = round.encrypt(gcm(iv), extractable, Buffer.from('same'));
      const blob = round.wrapKey(plain(CKM_AES_KEY_WRAP), kek, extractable);
      const first = await token.executor.run(round);
      const again = new Job('unwrap', 'test');
      const unwrapped = again.unwrapKey(
        plain(CKM_AES_KEY_WRAP),
        kek,
        first.bytes(blob),
        secretTemplate(CKK_AES, [CKA_ENCRYPT, true]),
      );
      const sealedAfter = again.encrypt(gcm(iv), unwrapped, Buffer.from('same'));
      const second = await token.executor.run(again);
      expect(Buffer.from(second.bytes(sealedAfter)).equals(first.bytes(sealedBefore))).to.equal(true);
    });

    it('gives randomness that differs', async () => {
      const job = new Job('random', 'test');
      const outputs = [job.random(32), job.random(32), job.random(0)] as const;
      const result = await token.executor.run(job);
      expect(result.bytes(outputs[0])).to.have.length(32);
      expect(Buffer.from(result.bytes(outputs[0])).equals(result.bytes(outputs[1]))).to.equal(false);
      expect(result.bytes(outputs[2])).to.have.length(0);
    });

    it('creates, copies, changes, finds and destroys objects', async () => {
      const job = new Job('make objects', 'test');
      const data = job.createObject(dataTemplate('first', { type: CKA_VALUE, value: Buffer.from('public') }));
      const copy = job.copyObject(data, template([CKA_LABEL, Buffer.from('second')]));
      job.setAttributes(copy, template([CKA_LABEL, Buffer.from('third')]));
      const found = job.findObjects(template([CKA_LABEL, Buffer.from('third')]), 10);
      const read = job.getAttributes(copy, [CKA_VALUE, CKA_LABEL, CKA_KEY_TYPE]);
      const kept = job.keep(copy);
      const result = await token.executor.run(job);
      expect(result.handles(found).map(({ value }) => value)).to.deep.equal([result.object(kept).value]);
      const attributes = result.attributes(read);
      expect(Buffer.from(attributes.get(CKA_VALUE)?.octets ?? []).toString()).to.equal('public');
      expect(Buffer.from(attributes.get(CKA_LABEL)?.octets ?? []).toString()).to.equal('third');
      expect(attributes.get(CKA_KEY_TYPE)?.state).to.equal('unavailable');

      const destroy = new Job('destroy', 'test');
      destroy.destroyObject(result.object(kept));
      const left = destroy.findObjects(template([CKA_LABEL, Buffer.from('third')]), 10);
      expect((await token.executor.run(destroy)).handles(left)).to.deep.equal([]);
    });

    it('finds no more objects than asked for', async () => {
      const job = new Job('many objects', 'test');
      for (let i = 0; i < 5; i += 1)
        job.createObject(dataTemplate('many', { type: CKA_VALUE, value: Buffer.alloc(1) }));
      const found = job.findObjects(template([CKA_LABEL, Buffer.from('many')]), 3);
      expect((await token.executor.run(job)).handles(found)).to.have.length(3);
    });

    it('reads an attribute that is longer than the room it is given at first', async () => {
      const job = new Job('long attribute', 'test');
      const data = job.createObject(dataTemplate('long', { type: CKA_VALUE, value: Buffer.alloc(5000, 6) }));
      const read = job.getAttributes(data, [CKA_VALUE]);
      const value = (await token.executor.run(job)).attributes(read).get(CKA_VALUE);
      expect(Buffer.from(value?.octets ?? []).equals(Buffer.alloc(5000, 6))).to.equal(true);
    });

    it('never returns the octets of a key, sensitive or not', async () => {
      const job = new Job('read keys', 'test');
      const sensitive = job.generateKey(plain(CKM_AES_KEY_GEN), aesTemplate(CKA_ENCRYPT));
      const readable = job.createObject(
        template(
          ...secretTemplate(CKK_GENERIC_SECRET)
            .filter(({ type }) => type !== 0x103 && type !== CKA_EXTRACTABLE)
            .map(({ type, value }) => [type, value] as const),
          [0x103, false],
          [CKA_EXTRACTABLE, true],
          [CKA_VALUE, Buffer.alloc(32, 0x77)],
        ),
      );
      const { privateKey } = p384Pair(job);
      const reads = [sensitive, readable, privateKey].map((key) =>
        job.getAttributes(key, [CKA_VALUE, CKA_PRIVATE_EXPONENT, CKA_CLASS]),
      );
      const result = await token.executor.run(job);
      const values = reads.map((read) => result.attributes(read).get(CKA_VALUE));
      expect(values.map((value) => value?.state)).to.deep.equal(['sensitive', 'readable-secret', 'sensitive']);
      expect(values.map((value) => value?.octets.length)).to.deep.equal([0, 0, 0]);
    });

    it('keeps a token object for the next session and destroys one that is not kept', async () => {
      const shape = aesTemplate(CKA_ENCRYPT).map(({ type, value }) =>
        type === CKA_TOKEN ? { type, value: true } : { type, value },
      );
      const before = await countObjects(token.executor);
      const job = new Job('token key', 'test');
      const kept = job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), shape));
      job.generateKey(plain(CKM_AES_KEY_GEN), shape);
      const handle = (await token.executor.run(job)).object(kept);
      expect(await countObjects(token.executor)).to.equal(before + 1);
      const destroy = new Job('destroy token key', 'test');
      destroy.destroyObject(handle);
      await token.executor.run(destroy);
      expect(await countObjects(token.executor)).to.equal(before);
    });

    it('takes a ciphertext of a megabyte', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT, CKA_DECRYPT);
      const text = Buffer.alloc(1 << 20, 4);
      const job = new Job('large', 'test');
      const sealed = job.encrypt(gcm(iv), key, text);
      const octets = (await token.executor.run(job)).bytes(sealed);
      const back = new Job('large back', 'test');
      const opened = back.decrypt(gcm(iv), key, octets);
      expect(Buffer.from((await token.executor.run(back)).bytes(opened)).equals(text)).to.equal(true);
    });

    it('reads the value of an object that it made into native memory, and of no sensitive one', async () => {
      const peer = createECDH('secp384r1');
      const publicData = peer.generateKeys();
      const parameter = { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData } as const;
      const shape = (sensitive: boolean) =>
        template(
          [CKA_CLASS, CKO_SECRET_KEY],
          [CKA_KEY_TYPE, CKK_GENERIC_SECRET],
          [CKA_TOKEN, false],
          [CKA_SENSITIVE, sensitive],
          [CKA_EXTRACTABLE, !sensitive],
          [CKA_VALUE_LEN, 48],
        );
      const job = new Job('shared secret', 'test');
      const pair = p384Pair(job);
      const told = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
      const mechanism = { type: CKM_ECDH1_DERIVE, parameter };
      const value = job.reveal(job.readSecret(job.deriveKey(mechanism, pair.privateKey, shape(false))));
      const hidden = job.deriveKey(mechanism, pair.privateKey, shape(true));
      const refused = job.attempt();
      job.readSecret(hidden);
      const result = await token.executor.run(job);
      const point = result.attributes(told).get(CKA_EC_POINT)?.octets.subarray(-97);
      expect(Buffer.from(result.bytes(value)).equals(peer.computeSecret(point!))).to.equal(true);
      expect(result.rv(refused)).to.not.equal(0);
    });
  });
}
