import { expect } from 'chai';
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { concat } from '../../../src/bytes.js';
import { SeededRandom } from '../../../src/validation/seeded_random.js';
import { wrapPadded, wrapWith } from '../../../src/validation/software_wrap.js';
import { gcmVector, hmacVectors } from '../../../src/validation/vectors/cipher.js';
import { keyWrapPadVectors, keyWrapVectors } from '../../../src/validation/vectors/key_wrap.js';

const octets = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe('what the validation compares tokens with', () => {
  it('has the vectors of RFC 3394 as OpenSSL computes them', () => {
    for (const { kek, key, wrapped } of keyWrapVectors) {
      const made = wrapWith(octets(kek), new Uint8Array(8).fill(0xa6), octets(key));
      expect(Buffer.from(made).toString('hex')).to.equal(wrapped);
    }
  });

  it('has the vectors of RFC 5649 as OpenSSL computes them, also where they are one block', () => {
    for (const { kek, key, wrapped } of keyWrapPadVectors) {
      expect(Buffer.from(wrapPadded(octets(kek), octets(key))).toString('hex')).to.equal(wrapped);
      const decipher = createDecipheriv('id-aes192-wrap-pad', octets(kek), octets('a65959a6'));
      expect(Buffer.from(concat(decipher.update(octets(wrapped)), decipher.final())).toString('hex')).to.equal(key);
    }
  });

  it('has the vectors of RFC 4231 and of AES-GCM as OpenSSL computes them', () => {
    for (const [hash, { key, message, mac }] of Object.entries(hmacVectors)) {
      expect(createHmac(hash, octets(key)).update(octets(message)).digest('hex')).to.equal(mac);
    }
    const { key, iv, aad, plaintext, ciphertext, tag } = gcmVector;
    const cipher = createCipheriv('aes-256-gcm', octets(key), octets(iv)).setAAD(octets(aad));
    expect(Buffer.concat([cipher.update(octets(plaintext)), cipher.final()]).toString('hex')).to.equal(ciphertext);
    expect(cipher.getAuthTag().toString('hex')).to.equal(tag);
  });

  it('gives the same octets for the same seed, however they are asked for, and others for another seed', () => {
    const whole = new SeededRandom('one').octets(6_000);
    const parts = new SeededRandom('one');
    expect(concat(parts.octets(1), parts.octets(4_999), parts.octets(1_000))).to.deep.equal(Buffer.from(whole));
    expect(new SeededRandom('two').octets(32)).not.to.deep.equal(whole.subarray(0, 32));
  });

  it('draws numbers below a bound', () => {
    const random = new SeededRandom('numbers');
    const drawn = new Set(Array.from({ length: 400 }, () => random.below(7)));
    expect([...drawn].toSorted()).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
  });
});
