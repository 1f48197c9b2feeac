import { expect } from 'chai';
import fc from 'fast-check';
import { compilePattern, compileWildcards, literalUnits } from '../../../src/kms/policy_pattern.js';

/** The same by the book: a table of which part of the pattern fits which part of the text. */
function fitsByTable(pattern: string, text: string): boolean {
  let row = [true, ...Array.from({ length: text.length }, () => false)];
  for (const unit of pattern.split('')) {
    const next = [unit === '*' && row[0] === true];
    for (let index = 1; index <= text.length; index += 1) {
      const fits =
        unit === '*'
          ? row[index] === true || next[index - 1] === true
          : row[index - 1] === true && (unit === '?' || unit === text[index - 1]);
      next.push(fits);
    }
    row = next;
  }
  return row.at(-1) === true;
}

describe('Patterns of policies', () => {
  for (const [pattern, text, fits] of [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'abc', true],
    ['kms:*', 'kms:encrypt', true],
    ['kms:*', 'kms', false],
    ['kms:*Key*', 'kms:GenerateDataKeyPair', true],
    ['*ab*ab', 'abab', true],
    ['*ab*ab', 'aab', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['?', '', false],
    ['*?', 'x', true],
    ['a*b*c', 'abbc', true],
    ['ab*ba', 'aba', false],
    ['*\u{1f511}*', 'a\u{1f511}b', true],
  ] as const) {
    it(`says that ${JSON.stringify(pattern)} ${fits ? 'fits' : 'does not fit'} ${JSON.stringify(text)}`, () => {
      expect(compileWildcards(pattern)(text)).to.equal(fits);
    });
  }

  it('agree with a table that tries everything', () => {
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 12 });
    const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 14 });
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        expect(compileWildcards(pattern)(text)).to.equal(fitsByTable(pattern, text));
      }),
      { numRuns: 2000 },
    );
  });

  it('agree with it also where a segment is longer than a machine word', () => {
    const long = fc.string({ unit: fc.constantFrom('a', 'b', '?'), minLength: 30, maxLength: 70 });
    const around = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 });
    fc.assert(
      fc.property(long, around, around, fc.boolean(), (segment, before, after, changed) => {
        const inside = segment.replaceAll('?', 'a');
        const text = before + (changed ? `${inside.slice(0, -1)}c` : inside) + after;
        expect(compileWildcards(`*${segment}*`)(text)).to.equal(fitsByTable(`*${segment}*`, text));
      }),
      { numRuns: 300 },
    );
  });

  it('take wildcards for themselves where they are literal', () => {
    expect(compilePattern(literalUnits('a*?'))('a*?')).to.equal(true);
    expect(compilePattern(literalUnits('a*?'))('abc')).to.equal(false);
  });

  it('take time in proportion to the text, whoever chose the pattern', () => {
    const fits = compileWildcards(`*${'a'.repeat(15_000)}b*`);
    const text = 'a'.repeat(30_000);
    const start = process.cpuUsage();
    for (let run = 0; run < 4; run += 1) expect(fits(text)).to.equal(false);
    // Trying every place takes 225 million steps a run, four seconds in all; this takes a quarter of one.
    expect(process.cpuUsage(start).user / 1000).to.be.lessThan(1500);
  });
});
