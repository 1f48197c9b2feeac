import { generateKeyPairSync, sign } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeEcdsaSignature, encodeEcdsaSignature } from '../../../src/wire/ecdsa_signature.js';

const curves = [
  { namedCurve: 'P-256', octets: 32 },
  { namedCurve: 'P-384', octets: 48 },
  { namedCurve: 'P-521', octets: 66 },
  { namedCurve: 'secp256k1', octets: 32 },
] as const;

describe('ECDSA signatures in DER', () => {
  for (const { namedCurve, octets } of curves) {
    it(`are read as OpenSSL writes them and written as it reads them on ${namedCurve}`, () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve });
      for (let round = 0; round < 50; round += 1) {
        const der = sign('sha256', Buffer.from([round]), { key: privateKey, dsaEncoding: 'der' });
        const raw = decodeEcdsaSignature(der, octets);
        expect(raw).to.have.lengthOf(2 * octets);
        expect(Buffer.from(encodeEcdsaSignature(raw ?? new Uint8Array())).equals(der)).to.equal(true);
      }
    });
  }

  it('come back as they were, with any number of leading zeros', () => {
    const halves = fc.tuple(fc.integer({ min: 0, max: 31 }), fc.uint8Array({ minLength: 64, maxLength: 64 }));
    fc.assert(
      fc.property(halves, ([zeros, octets]) => {
        octets.fill(0, 0, zeros);
        octets[31] = (octets[31] ?? 0) | 1;
        octets[63] = (octets[63] ?? 0) | 1;
        const raw = decodeEcdsaSignature(encodeEcdsaSignature(octets), 32);
        expect(Buffer.from(raw ?? []).equals(octets)).to.equal(true);
      }),
    );
  });

  it('are refused in every other encoding', () => {
    const r = '0203010203';
    const wrong = [
      '',
      '30',
      `300a${r}${r}00`,
      `300b${r}${r}00`,
      `30810a${r}${r}`,
      `3080${r}${r}0000`,
      `3005${r}`,
      `300b020400010203${r}`,
      `300a0203810203${r}`,
      `3008020100${r}`,
      `30070200${r}`,
      `310a${r}${r}`,
      `300f${r}${r}${r}`,
      `3029022201${'00'.repeat(33)}${r}`,
    ];
    for (const hex of wrong) expect(decodeEcdsaSignature(Buffer.from(hex, 'hex'), 32), hex).to.equal(null);
    expect(decodeEcdsaSignature(Buffer.from(`300a${r}${r}`, 'hex'), 32)).to.have.lengthOf(64);
  });
});
