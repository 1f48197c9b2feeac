import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { utf8 } from '../../../src/bytes.js';
import {
  blobsHash,
  contextHash,
  destinationConfirmationInput,
  encodeFixedInfo,
  metadataHash,
  sourceConfirmationInput,
  transcriptHash1,
  transcriptHash2,
  type AgreementContext,
} from '../../../src/wire/fixed_info.js';
import { isMultiRegionKeyId, isName, multiRegionKeyId, parseCounter } from '../../../src/wire/names.js';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');

const intent = 'aGVhZGVy.cGF5bG9hZDA';
const offer = 'aGVhZGVy.cGF5bG9hZDE';
const transfer = 'aGVhZGVy.cGF5bG9hZDI';
const metadata = utf8('{"keyId":"x"}');

const context: AgreementContext = {
  suite: 'OSKDF-A256KWP',
  partition: 'lab',
  source: {
    region: 'us-east-1',
    kid: 'A'.repeat(64),
    point: Buffer.from([4, ...Array.from({ length: 96 }, (_, index) => index)]),
  },
  destination: {
    region: 'eu-west-1',
    kid: 'B'.repeat(64),
    point: Buffer.from([4, ...Array.from({ length: 96 }, (_, index) => 255 - index)]),
  },
  sid: Buffer.alloc(32, 7),
  keys: [{ keyId: `mrk-${'0123456789abcdef'.repeat(2)}`, generation: 3n }],
  transcript1: transcriptHash1(intent, offer),
  contextHash: contextHash([metadata]),
};

/** The same octets by another way: one writer over one text of hex digits. */
function independentFixedInfo(label: 'RWK' | 'KCK', bits: number): string {
  const length = (text: string): string => (text.length / 2).toString(16).padStart(8, '0') + text;
  const ascii = (text: string): string =>
    [...text].map((letter) => letter.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  const party = (role: string, side: AgreementContext['source']): string =>
    length([ascii('lab'), ascii(role), ascii(side.region), ascii(side.kid), hex(side.point)].map(length).join(''));
  return [
    length(ascii('MRKR1-P384-SHA384-OSKDF-A256KWP')),
    party('S', context.source),
    party('D', context.destination),
    length(
      bits.toString(16).padStart(8, '0') +
        length(ascii(label)) +
        length('07'.repeat(32)) +
        length(ascii('mrk-0123456789abcdef0123456789abcdef')) +
        length('0000000000000003') +
        length(hex(context.transcript1)) +
        length(hex(context.contextHash)),
    ),
  ].join('');
}

describe('what is bound into RWK and KCK', () => {
  it('transcript and metadata hashes are those of another implementation', () => {
    expect(hex(transcriptHash1(intent, offer))).to.equal(
      'f781b3449149e54c781d81189ae7474d028f2fa8e45306b6e3bdbf577ccd6e3f3825908596aad98db4545aeee5abe163',
    );
    expect(hex(transcriptHash2(intent, offer, transfer))).to.equal(
      '7457135c0f46b073d6d97373bcce7876fad6fd1abe53c512de590805802327da718182fdaa3d2ae4cb923c137271480e',
    );
    expect(hex(metadataHash(metadata))).to.equal(
      'eb7f6a1f77c3db0a41416e9389f1b875786a6184b8b009d5622d3cb96b5d3f800a52e417346fad9e1be9c36bdd75096d',
    );
    expect(hex(contextHash([metadata]))).to.equal(hex(metadataHash(metadata)));
    expect(hex(contextHash([metadata, utf8('{}')]))).to.equal(
      '15bb95134f3a4e5302fa1aa9a6c3ac935da6a41a5bc29287f092fa27384b86e7fd0210a2d5a08a5304448537a083361d',
    );
    expect(hex(blobsHash([Buffer.alloc(40, 1), Buffer.alloc(40, 2)]))).to.equal(
      '772491478e3e026caef1473498d6f53a3fb5eca14d053c8b5ab6a489f88a02bab716d3a58fff4ed28bc87af07ac876ef',
    );
  });

  it('FixedInfo has the octets of another implementation', () => {
    const rwk = encodeFixedInfo('RWK', context);
    const kck = encodeFixedInfo('KCK', context);
    expect(rwk).to.have.length(638);
    expect(sha256(rwk)).to.equal('0d74c3b74edaaecf2b4925e9b8313da8f09c17ec8c13380898b0c57814743b06');
    expect(sha256(kck)).to.equal('4c1cc9136935d5b91f2fcdd5bf08b6fe95fb09aae3a589469a800fea8f833a55');
    expect(hex(rwk)).to.equal(independentFixedInfo('RWK', 256));
    expect(hex(kck)).to.equal(independentFixedInfo('KCK', 384));
  });

  it('key confirmation inputs have the octets of another implementation', () => {
    const blobs = blobsHash([Buffer.alloc(40, 1), Buffer.alloc(40, 2)]);
    expect(sha256(sourceConfirmationInput(context, blobs))).to.equal(
      'a1482886d687960fbc5c70b23c720f8c6c91bb41427b712667b6ea6108a2e5a2',
    );
    expect(sha256(destinationConfirmationInput(context, transcriptHash2(intent, offer, transfer)))).to.equal(
      'bcd9a720df7b010bedb4ca23271a2f0e5bbd475cb384f6f1098407d924c3e2fb',
    );
  });

  it('everything that differs between two sessions makes another FixedInfo', () => {
    const changes: readonly Partial<AgreementContext>[] = [
      { suite: 'X963-A256KWP' },
      { partition: 'la' },
      { source: { ...context.source, region: 'us-east-2' } },
      { source: { ...context.source, kid: 'C'.repeat(64) } },
      { source: { ...context.source, point: context.destination.point } },
      { source: context.destination, destination: context.source },
      { sid: Buffer.alloc(32, 8) },
      { keys: [{ keyId: `mrk-${'0123456789abcdef'.repeat(2)}`, generation: 4n }] },
      { keys: [...context.keys, ...context.keys] },
      { transcript1: Buffer.alloc(48) },
      { contextHash: Buffer.alloc(48) },
    ];
    const all = [context, ...changes.map((change) => ({ ...context, ...change }))].map((each) =>
      hex(encodeFixedInfo('RWK', each)),
    );
    expect(new Set(all).size).to.equal(all.length);
  });

  it('no two lists of blobs have one encoding', () => {
    const blobs = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        blobs,
        blobs,
        (a, b) => (JSON.stringify(a) === JSON.stringify(b)) === (hex(blobsHash(a)) === hex(blobsHash(b))),
      ),
    );
  });
});

describe('names', () => {
  it('a key id is the one of another implementation', () => {
    const birthNonce = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
    expect(multiRegionKeyId({ partition: 'lab', originRegion: 'us-east-1', birthNonce })).to.equal(
      'mrk-1e9b2b55a647a06fe94fecdf21848a41',
    );
  });

  it('names in other alphabets, cases and lengths are no names', () => {
    for (const name of ['us-east-1', 'a', '0'.repeat(32)]) expect(isName(name), name).to.equal(true);
    for (const name of [
      '',
      'Us-east-1',
      'us-east-1.',
      'us_east',
      'eu\u2010west',
      'ｕs',
      'a\0',
      'a\n',
      'a'.repeat(33),
    ]) {
      expect(isName(name), JSON.stringify(name)).to.equal(false);
    }
    for (const id of [
      'mrk-',
      `mrk-${'0'.repeat(31)}`,
      `mrk-${'A'.repeat(32)}`,
      `MRK-${'0'.repeat(32)}`,
      `mrk-${'0'.repeat(32)}\n`,
    ]) {
      expect(isMultiRegionKeyId(id), id).to.equal(false);
    }
  });

  it('a counter has one spelling and 64 bits', () => {
    expect(parseCounter('18446744073709551615')).to.equal(2n ** 64n - 1n);
    for (const text of ['18446744073709551616', '01', '-1', '+1', '1.0', '', ' 1', '0x1', '1e3'])
      expect(parseCounter(text), text).to.equal(null);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => parseCounter(value.toString()) === value),
    );
  });
});
