import { expect } from 'chai';
import fc from 'fast-check';
import { quote } from '../../../src/wire/json_text.js';

/** Halves of surrogate pairs among them. */
const units = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
  .map((codes) => String.fromCharCode(...codes));

describe('A quoted text', () => {
  it('is what JSON.stringify writes, whatever the text holds', () => {
    fc.assert(fc.property(units, (text) => quote(text) === JSON.stringify(text)));
    for (const text of ['', 'plain', '"', '\\', '\n', '\u0000', '\u001f', '\u007f', 'ü', '\u2028', '\ud800', '😀']) {
      expect(quote(text)).to.equal(JSON.stringify(text));
    }
  });
});
