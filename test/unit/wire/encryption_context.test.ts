import { expect } from 'chai';
import fc from 'fast-check';
import { toHex } from '../../../src/bytes.js';
import { encodeEncryptionContext } from '../../../src/wire/encryption_context.js';

describe('encryption context', () => {
  it('encodes an empty context as no pairs', () => {
    expect(toHex(encodeEncryptionContext({}))).to.equal('00000000');
  });

  it('encodes names and values behind their lengths', () => {
    expect(toHex(encodeEncryptionContext({ b: 'x', a: 'yz' }))).to.equal(
      '00000002' + '0000000161' + '00000002797a' + '0000000162' + '0000000178',
    );
  });

  it('sorts by UTF-8 octets and not by UTF-16 code units', () => {
    const octets = Buffer.from(encodeEncryptionContext({ '\u{1F600}': '1', '\uFF5E': '2' })).toString('utf8');
    expect(octets.indexOf('\uFF5E')).to.be.lessThan(octets.indexOf('\u{1F600}'));
  });

  it('gives the same octets in whatever order the pairs were written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (context) => {
        const reversed = Object.fromEntries(Object.entries(context).reverse());
        expect(toHex(encodeEncryptionContext(reversed))).to.equal(toHex(encodeEncryptionContext(context)));
      }),
    );
  });

  it('gives different octets for different contexts', () => {
    const pairs = fc.dictionary(fc.stringMatching(/^[ab]{0,3}$/), fc.stringMatching(/^[ab]{0,3}$/), { maxKeys: 3 });
    fc.assert(
      fc.property(pairs, pairs, (a, b) => {
        const sorted = (context: Record<string, string>) =>
          JSON.stringify(Object.entries(context).toSorted(([x], [y]) => (x < y ? -1 : 1)));
        expect(toHex(encodeEncryptionContext(a)) === toHex(encodeEncryptionContext(b))).to.equal(
          sorted(a) === sorted(b),
        );
      }),
    );
  });
});
