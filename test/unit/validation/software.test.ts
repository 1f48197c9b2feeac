import { expect } from 'chai';
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  ECDH,
  generateKeyPairSync,
  hkdfSync,
  privateDecrypt,
  verify,
} from 'node:crypto';
import { concat } from '../../../src/bytes.js';
import { SeededRandom } from '../../../src/validation/seeded_random.js';
import { signDigest } from '../../../src/validation/software_ecdsa.js';
import { aesCmac, counterMode, counterModeCmac, oneStep, x963 } from '../../../src/validation/software_kdf.js';
import { crtNumbers, octetsOf } from '../../../src/validation/rsa_numbers.js';
import { encodeOaep, encryptOaep, oaepMessageMax } from '../../../src/validation/software_oaep.js';
import {
  addPoints,
  BASE_POINT,
  FIELD,
  multiplyPoint,
  ORDER,
  readPoint,
  scalarOctets,
  toNumber,
  twistPoint,
} from '../../../src/validation/software_p384.js';
import { padPkcs7, wrapPadded, wrapPlain, wrapWith } from '../../../src/validation/software_wrap.js';
import {
  cmac128Vectors,
  cmacVectors,
  gcmVectors,
  hmacVectors,
  moreHmacVectors,
} from '../../../src/validation/vectors/cipher.js';
import {
  counterModeVector,
  eccCdhVector,
  hkdfVectors,
  oneStepVector,
  x963Vectors,
} from '../../../src/validation/vectors/derivation.js';
import { keyWrapPadVectors, keyWrapVectors } from '../../../src/validation/vectors/key_wrap.js';
import { oaepKey, oaepVectors } from '../../../src/validation/vectors/oaep.js';
import { ecdsaKey, ecdsaVectors } from '../../../src/validation/vectors/signature.js';
import { CURVES } from '../../../src/wire/curve.js';
import { curvePublicKey } from '../../../src/wire/public_key.js';

const octets = (text: string): Buffer => Buffer.from(text, 'hex');
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';

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

  it('has the vectors of RFC 4231 as OpenSSL computes them', () => {
    for (const [hash, first] of Object.entries(hmacVectors)) {
      for (const { key, message, mac } of [first, ...moreHmacVectors[hash as keyof typeof moreHmacVectors]]) {
        expect(createHmac(hash, octets(key)).update(octets(message)).digest('hex')).to.equal(mac);
      }
    }
  });

  it('has the vectors of AES-GCM as OpenSSL computes them', () => {
    for (const { key, iv, aad, plaintext, ciphertext, tag } of gcmVectors) {
      const cipher = createCipheriv('aes-256-gcm', octets(key), octets(iv)).setAAD(octets(aad));
      expect(Buffer.concat([cipher.update(octets(plaintext)), cipher.final()]).toString('hex')).to.equal(ciphertext);
      expect(cipher.getAuthTag().toString('hex')).to.equal(tag);
    }
  });

  it('computes the CMACs of RFC 4493 and of SP 800-38B', () => {
    for (const { key, message, mac } of [...cmac128Vectors, ...cmacVectors]) {
      expect(hex(aesCmac(octets(key), octets(message)))).to.equal(mac);
    }
    const [{ key }] = cmac128Vectors as [(typeof cmac128Vectors)[number]];
    expect(hex(aesCmac(octets(key), octets('')))).to.equal('bb1d6929e95937287fa37d129b756746');
  });

  it('computes the published examples of X9.63, of one-step derivation and of SP 800-108', () => {
    for (const { hash, secret, info, derived } of x963Vectors) {
      expect(hex(x963(hash, octets(secret), octets(info), derived.length / 2))).to.equal(derived);
    }
    const one = oneStepVector;
    expect(hex(oneStep(one.hash, octets(one.secret), octets(one.info), one.derived.length / 2))).to.equal(one.derived);
    const { secret, info, derived } = counterModeVector;
    expect(hex(counterMode('sha256', octets(secret), octets(info), derived.length / 2))).to.equal(derived);
  });

  it('counts the rounds of counter mode with CMAC from one on', () => {
    const [key, input] = [octets(KEY), octets('0102')];
    const rounds = concat(aesCmac(key, octets('000000010102')), aesCmac(key, octets('000000020102')));
    expect(hex(counterModeCmac(key, input, 20))).to.equal(hex(rounds.subarray(0, 20)));
  });

  it('has the vectors of RFC 5869 as OpenSSL computes them', () => {
    for (const { hash, secret, salt, info, derived } of hkdfVectors) {
      const made = hkdfSync(hash, octets(secret), octets(salt), octets(info), derived.length / 2);
      expect(Buffer.from(made).toString('hex')).to.equal(derived);
    }
  });

  it('has the ECC CDH example as OpenSSL computes it', () => {
    const ecdh = createECDH('secp384r1');
    ecdh.setPrivateKey(octets(eccCdhVector.privateValue));
    expect(ecdh.getPublicKey('hex')).to.equal(eccCdhVector.point);
    expect(ecdh.computeSecret(octets(eccCdhVector.peer)).toString('hex')).to.equal(eccCdhVector.secret);
  });

  it('adds and multiplies points of P-384 as OpenSSL does', () => {
    const ecdh = createECDH('secp384r1');
    ecdh.setPrivateKey(octets(eccCdhVector.privateValue));
    const scalar = toNumber(octets(eccCdhVector.privateValue));
    expect(multiplyPoint(BASE_POINT, scalar)).to.deep.equal(readPoint(ecdh.getPublicKey()));
    const secret = multiplyPoint(readPoint(octets(eccCdhVector.peer)), scalar);
    expect(hex(scalarOctets(secret.x))).to.equal(eccCdhVector.secret);
    expect(addPoints(BASE_POINT, BASE_POINT)).to.deep.equal(multiplyPoint(BASE_POINT, 2n));
    expect(multiplyPoint(BASE_POINT, ORDER - 1n)).to.deep.equal({ x: BASE_POINT.x, y: FIELD - BASE_POINT.y });
  });

  it('finds points of the twist, whose x OpenSSL finds on no point of the curve', () => {
    const { x } = twistPoint(octets(KEY + KEY.slice(0, 32)));
    const compressed = (of: bigint): Buffer => Buffer.from(concat(Uint8Array.of(2), scalarOctets(of)));
    expect(ECDH.convertKey(compressed(BASE_POINT.x), 'secp384r1', undefined, undefined, 'uncompressed')).to.have.length(
      97,
    );
    expect(() => ECDH.convertKey(compressed(x), 'secp384r1')).to.throw();
  });

  it('has the signatures of RFC 6979 as OpenSSL verifies them, and signs digests as OpenSSL verifies', () => {
    const publicKey = curvePublicKey(CURVES['P-384'], Uint8Array.from(octets(ecdsaKey.point)));
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    for (const { message, r, s } of ecdsaVectors) {
      expect(verify('sha384', Buffer.from(message), key, octets(r + s))).to.equal(true);
      const digest = createHash('sha384').update(message).digest();
      const own = signDigest(octets(ecdsaKey.privateValue), digest, toNumber(octets(eccCdhVector.privateValue)));
      expect(verify('sha384', Buffer.from(message), key, own)).to.equal(true);
      expect(verify('sha384', Buffer.from('another'), key, own)).to.equal(false);
    }
  });

  describe('of RSA-OAEP', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const message = octets('00112233');
    const decrypt = (ciphertext: Uint8Array, oaepHash: string, oaepLabel?: Uint8Array): string =>
      privateDecrypt(
        {
          ...{ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
          ...(oaepLabel === undefined ? {} : { oaepLabel }),
        },
        ciphertext,
      ).toString('hex');
    const seed = octets(KEY + KEY);

    it('has published examples, which OpenSSL decrypts with the published key', () => {
      const number = (hex: string): bigint => BigInt(`0x${hex}`);
      const crt = crtNumbers(number(oaepKey.prime1), number(oaepKey.prime2), number(oaepKey.privateExponent));
      const [n, e, d] = [oaepKey.modulus, oaepKey.publicExponent, oaepKey.privateExponent].map(number);
      const jwk = Object.entries({ n, e, d, ...crt }).map(
        ([name, value]) => [name, Buffer.from(octetsOf(value ?? 0n)).toString('base64url')] as const,
      );
      const key = createPrivateKey({ format: 'jwk', key: { kty: 'RSA', ...Object.fromEntries(jwk) } });
      for (const { message: published, ciphertext } of oaepVectors) {
        const form = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
        expect(privateDecrypt(form, octets(ciphertext)).toString('hex')).to.equal(published);
        // The seed of example 1.1.
        const ownSeed = octets('18b776ea21069d69776a33e96bad48e1dda0a5ef');
        const own = encryptOaep(createPublicKey(key), octets(published), { hash: 'sha1', mgf: 'sha1' }, ownSeed);
        expect(Buffer.from(own).toString('hex')).to.equal(ciphertext);
      }
    });

    it('encrypts what OpenSSL decrypts, with every hash and with a label', () => {
      for (const hash of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
        const form = { hash, mgf: hash } as const;
        expect(decrypt(encryptOaep(publicKey, message, form, seed), hash)).to.equal('00112233');
        const label = octets('aa');
        expect(decrypt(encryptOaep(publicKey, message, { ...form, label }, seed), hash, label)).to.equal('00112233');
        const longest = new Uint8Array(oaepMessageMax(256, hash)).fill(7);
        expect(decrypt(encryptOaep(publicKey, longest, form, seed), hash)).to.have.length(2 * longest.length);
      }
    });

    it('makes encodings that OpenSSL refuses', () => {
      const forms = [{ firstOctet: 1 }, { separator: 0 }, { separator: 2 }, { paddingOctet: 0x80 }, { label: message }];
      for (const form of [...forms, { mgf: 'sha1' } as const]) {
        const forged = encryptOaep(publicKey, message, { hash: 'sha256', mgf: 'sha256', ...form }, seed);
        expect(() => decrypt(forged, 'sha256'), JSON.stringify(form)).to.throw();
      }
      expect(encodeOaep(message, { hash: 'sha256', mgf: 'sha256' }, 256, seed)).to.have.length(256);
    });
  });

  it('pads by PKCS#7 as OpenSSL does', () => {
    const [key, iv] = [octets(KEY), new Uint8Array(16)];
    for (const length of [0, 15, 16, 20]) {
      const padded = padPkcs7(new Uint8Array(length), 16);
      const own = createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false);
      const other = createCipheriv('aes-256-cbc', key, iv);
      const expected = concat(other.update(new Uint8Array(length)), other.final());
      expect(hex(concat(own.update(padded), own.final()))).to.equal(hex(expected));
    }
    expect(hex(wrapPlain(key, padPkcs7(new Uint8Array(20), 8)))).to.have.length(64);
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
