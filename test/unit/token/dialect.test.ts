import { expect } from 'chai';
import { dialectDigest, dialectForm, encodeDialect } from '../../../src/token/dialect.js';
import { parseLabFile } from '../../../src/lab/lab_file.js';
import { thrown } from '../../support/failure.js';
import { ConfigError } from '../../../src/errors.js';

const lab = (dialect: string): string =>
  `regions:\n  us-east-1:\n    token: { module: /p11.so, label: a, pin: prompt, dialect: ${dialect} }\n`;

describe('the dialect of a module', () => {
  it('is read from a lab file, with numbers as a manual writes them', () => {
    const parsed = parseLabFile(
      lab(
        '{ mechanisms: { CKM_AES_KEY_WRAP_KWP: 0x8000216F, "0x402a": "0x80000002" }, attributes: [{ calls: [unwrap], forbid: [CKA_ID] }] }',
      ),
      '/lab.yaml',
    );
    expect(parsed.regions['us-east-1']?.token.dialect).to.deep.equal({
      mechanisms: { CKM_AES_KEY_WRAP_KWP: 0x8000216f, '0x402a': 0x80000002 },
      attributes: [{ calls: ['unwrap'], forbid: ['CKA_ID'] }],
    });
  });

  for (const [what, dialect] of [
    ['a mechanism that nobody knows', '{ mechanisms: { CKM_AES_KEY_WARP: 1 } }'],
    ['a number that is none', '{ mechanisms: { CKM_AES_GCM: many } }'],
    ['an attribute that nobody knows', '{ attributes: [{ calls: [unwrap], forbid: [CKA_EXTRACTIBLE] }] }'],
    ['a call that makes no object', '{ attributes: [{ calls: [sign], forbid: [CKA_ID] }] }'],
    ['a rule without calls', '{ attributes: [{ calls: [], forbid: [CKA_ID] }] }'],
    ['a function that is no key derivation function', '{ kdfs: { CKM_AES_GCM: 1 } }'],
  ] as const) {
    it(`refuses ${what}, by line and column`, () => {
      const error = thrown(ConfigError, () => parseLabFile(lab(dialect), '/lab.yaml'));
      expect(error.code).to.equal('ERR_CONFIG_FILE');
      expect(error.message).to.match(/lab\.yaml:3:\d+/u);
    });
  }

  it('is written as words for the addon: numbers, functions, rules', () => {
    const octets = encodeDialect(
      dialectForm.parse({
        mechanisms: { CKM_AES_KEY_WRAP_KWP: '0x80000aaa' },
        kdfs: { CKD_SHA384_KDF: 0x80000007 },
        attributes: [
          {
            calls: ['generate', 'unwrap'],
            keyType: 'CKK_AES',
            forbid: ['CKA_VERIFY'],
            require: { CKA_MODIFIABLE: false },
          },
        ],
      }),
    );
    const words = Array.from({ length: octets.length / 4 }, (_, at) => Buffer.from(octets).readUInt32LE(at * 4));
    expect(words.slice(0, 7)).to.deep.equal([1, 0x210b, 0x80000aaa, 1, 7, 0x80000007, 2]);
    expect(words.slice(7, 13)).to.deep.equal([5, 0xffffffff, 0x1f, 0x10a, 0, 0]);
    expect(words.slice(13)).to.deep.equal([5, 0xffffffff, 0x1f, 0x170, 1, 1, 0]);
  });

  it('has a digest that changes with everything in it', () => {
    const digests = [
      {},
      { mechanisms: { CKM_AES_GCM: 1 } },
      { mechanisms: { CKM_AES_GCM: 2 } },
      { kdfs: { CKD_SHA384_KDF: 1 } },
      { attributes: [{ calls: ['copy'], forbid: ['CKA_ID'] }] },
      { attributes: [{ calls: ['copy'], require: { CKA_ID: 'hex:00' } }] },
    ].map((dialect) => dialectDigest(dialectForm.parse(dialect)));
    expect(new Set(digests).size).to.equal(digests.length);
  });
});
