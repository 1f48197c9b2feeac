import { expect } from 'chai';
import fc from 'fast-check';
import { concat, toHex } from '../../../src/bytes.js';
import {
  additionalData,
  BLOB_OCTETS_MAX,
  DATA_SUITES,
  encodeCiphertextHeader,
  parseCiphertextBlob,
  PLAINTEXT_OCTETS_MAX,
} from '../../../src/wire/ciphertext_blob.js';

const materialId = 'ab'.repeat(32);
const nonce = Uint8Array.from({ length: 16 }, (_, at) => at);
const iv = new Uint8Array(12).fill(7);

function blobWith(ciphertextOctets: number, suite = DATA_SUITES[0]!): Uint8Array {
  return concat(encodeCiphertextHeader({ suite, materialId, nonce, iv }), new Uint8Array(ciphertextOctets + 16));
}

describe('ciphertext blob', () => {
  it('starts with version, suite, key material id, nonce and IV', () => {
    const header = encodeCiphertextHeader({ suite: 'CBCDATA-GCM', materialId, nonce, iv });
    expect(toHex(header)).to.equal('0102' + materialId + '000102030405060708090a0b0c0d0e0f' + '07'.repeat(12));
  });

  it('is read back as it was written, for every suite', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...DATA_SUITES),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.uint8Array({ minLength: 17, maxLength: 200 }),
        (suite, id, n, v, rest) => {
          const parsed = parseCiphertextBlob(
            concat(encodeCiphertextHeader({ suite, materialId: toHex(id), nonce: n, iv: v }), rest),
          );
          expect(parsed).to.deep.include({ suite, materialId: toHex(id) });
          expect([toHex(parsed!.nonce), toHex(parsed!.iv), toHex(parsed!.ciphertextAndTag)]).to.deep.equal([
            toHex(n),
            toHex(v),
            toHex(rest),
          ]);
        },
      ),
    );
  });

  it('keeps 4,096 octets of plaintext within 6,144', () => {
    const blob = blobWith(PLAINTEXT_OCTETS_MAX);
    expect(blob.length).to.be.at.most(BLOB_OCTETS_MAX);
    expect(parseCiphertextBlob(blob)).to.not.equal(null);
  });

  it('refuses a blob that carries more than the longest plaintext', () => {
    expect(parseCiphertextBlob(blobWith(PLAINTEXT_OCTETS_MAX + 1))).to.equal(null);
  });

  it('refuses every blob that is cut short of one octet of plaintext', () => {
    const blob = blobWith(1);
    for (let length = 0; length < blob.length; length += 1)
      expect(parseCiphertextBlob(blob.subarray(0, length))).to.equal(null);
    expect(parseCiphertextBlob(blob)).to.not.equal(null);
  });

  it('refuses another version and an unknown suite', () => {
    for (const [at, octet] of [
      [0, 0],
      [0, 2],
      [1, 0],
      [1, 6],
      [1, 255],
    ] as const) {
      const blob = blobWith(5);
      blob[at] = octet;
      expect(parseCiphertextBlob(blob)).to.equal(null);
    }
  });

  it('keeps its own copy of the octets', () => {
    const blob = blobWith(5);
    const parsed = parseCiphertextBlob(blob)!;
    blob.fill(0xff);
    expect(parsed.materialId).to.equal(materialId);
    expect(toHex(parsed.iv)).to.equal(toHex(iv));
  });

  it('authenticates header, key id and context unambiguously', () => {
    const header = encodeCiphertextHeader({ suite: 'CBCDATA-GCM', materialId, nonce, iv });
    const one = toHex(additionalData(header, 'ab', { c: 'd' }));
    expect(one).to.not.equal(toHex(additionalData(header, 'abc', { '': 'd' })));
    expect(one).to.not.equal(toHex(additionalData(header, 'ab', { c: 'd', e: '' })));
    expect(one).to.not.equal(toHex(additionalData(header, 'AB', { c: 'd' })));
    expect(one.startsWith(toHex(header))).to.equal(true);
  });
});
