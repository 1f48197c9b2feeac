import { createECDH, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { CURVES, CURVE_NAMES, type Curve } from '../../../src/wire/curve.js';
import { curvePublicKey, encodePublicKey, parsePublicKey, pointOf } from '../../../src/wire/public_key.js';

const nodeCurves = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
  secp256k1: 'secp256k1',
} as const;

function generated(curve: Curve): Uint8Array {
  const { publicKey } =
    curve.name === 'Ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: nodeCurves[curve.name] });
  return publicKey.export({ type: 'spki', format: 'der' });
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' });
const rsa2048 = { kind: 'rsa', modulusBits: 2048 } as const;

describe('public keys', () => {
  for (const name of CURVE_NAMES) {
    it(`reads a ${name} key as others write it, and as no other kind`, () => {
      const spki = generated(CURVES[name]);
      const key = parsePublicKey(spki, { kind: 'curve', curve: CURVES[name] });
      expect(key?.equals(createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }))).to.equal(true);
      for (const other of CURVE_NAMES.filter((each) => each !== name)) {
        expect(parsePublicKey(spki, { kind: 'curve', curve: CURVES[other] })).to.equal(null);
      }
      expect(parsePublicKey(spki, rsa2048)).to.equal(null);
    });
  }

  it('knows the base point of each curve', () => {
    const one = Buffer.from('01', 'hex');
    for (const [name, nodeName] of Object.entries(nodeCurves)) {
      const ecdh = createECDH(nodeName);
      const octets = CURVES[name as keyof typeof nodeCurves].coordinateOctets;
      ecdh.setPrivateKey(Buffer.concat([Buffer.alloc(octets - 1), one]));
      expect(ecdh.getPublicKey('hex')).to.equal(
        Buffer.from(CURVES[name as keyof typeof nodeCurves].basePoint ?? []).toString('hex'),
      );
    }
  });

  it('reads an RSA key of its size, and of no other', () => {
    expect(parsePublicKey(rsa, rsa2048)?.asymmetricKeyDetails?.modulusLength).to.equal(2048);
    expect(parsePublicKey(rsa, { kind: 'rsa', modulusBits: 3072 })).to.equal(null);
    expect(parsePublicKey(rsa, { kind: 'curve', curve: CURVES['P-256'] })).to.equal(null);
  });

  it('refuses trailing octets, a compressed point, and a point that is not on the curve', () => {
    const kind = { kind: 'curve', curve: CURVES['P-256'] } as const;
    const spki = generated(kind.curve);
    expect(parsePublicKey(Buffer.concat([spki, Buffer.alloc(1)]), kind)).to.equal(null);
    expect(parsePublicKey(Buffer.concat([rsa, Buffer.alloc(1)]), rsa2048)).to.equal(null);
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.from(createECDH('prime256v1').generateKeys('hex', 'compressed'), 'hex'),
    ]);
    expect(parsePublicKey(compressed, kind)).to.equal(null);
    const off = Uint8Array.from(spki);
    off[off.length - 1] = (off.at(-1) ?? 0) ^ 1;
    expect(parsePublicKey(off, kind)).to.equal(null);
  });

  it('refuses an RSA key with an even modulus, an even exponent, or the exponent 1', () => {
    const even = Uint8Array.from(rsa);
    const exponentAt = rsa.length - 3;
    even[exponentAt + 2] = 0;
    expect(parsePublicKey(even, rsa2048)).to.equal(null);
    const evenModulus = Uint8Array.from(rsa);
    evenModulus[exponentAt - 3] = 0;
    expect(parsePublicKey(evenModulus, rsa2048)).to.equal(null);
  });

  it('gives null and never throws for anything that was changed', () => {
    const kind = { kind: 'curve', curve: CURVES['P-384'] } as const;
    const spki = generated(kind.curve);
    fc.assert(
      fc.property(fc.constantFrom(spki, rsa), fc.nat(), fc.integer({ min: 1, max: 255 }), (octets, at, mask) => {
        const changed = Uint8Array.from(octets);
        changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ mask;
        const read = [parsePublicKey(changed, kind), parsePublicKey(changed, rsa2048)];
        for (const key of read)
          if (key !== null) expect(Buffer.from(encodePublicKey(key)).equals(changed)).to.equal(true);
      }),
      { numRuns: 300 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => parsePublicKey(octets, kind) === null));
  });

  it('keeps leading zeros of coordinates', () => {
    const curve = CURVES['P-256'];
    for (let tries = 0; tries < 2000; tries += 1) {
      const point = createECDH('prime256v1').generateKeys();
      if (point[1] !== 0 && point[33] !== 0) continue;
      expect(Buffer.from(pointOf(curvePublicKey(curve, point))).equals(point)).to.equal(true);
      return;
    }
    expect.fail('no point with a leading zero was found');
  });
});
