import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { ConfigError } from '../../../src/errors.js';
import { parseLabFile } from '../../../src/lab/lab_file.js';
import type { SeedKey } from '../../../src/lab/seed_file.js';

const regions = 'regions: { us-east-1: null, eu-west-1: null }';

/** A lab file with one seeded key, written as a YAML flow mapping on line 4. */
const labOf = (key: string): string => [regions, 'seed:', '  keys:', `    - { ${key} }`].join('\n');

function seedOf(key: string): SeedKey {
  const [only] = parseLabFile(labOf(key), '/labs/lab.yaml').seed;
  if (only === undefined) throw new Error('the lab has no seed');
  return only;
}

function refusalOf(text: string): { readonly message: string; readonly line: unknown } {
  try {
    parseLabFile(text, 'lab.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return { message: error.message, line: error.details['line'] };
    throw error;
  }
  return { message: 'accepted', line: null };
}

describe('the seed of a lab file', () => {
  it('is in the README as it works', () => {
    const readme = readFileSync(new URL('../../../../README.md', import.meta.url), 'utf8');
    const example = /<<'YAML'\n(seed:[\s\S]*?)\nYAML/u.exec(readme)?.[1] ?? '';
    expect(parseLabFile(example, 'lab.yaml').seed.map(({ aliases, keyId }) => keyId ?? aliases[0])).to.deep.equal([
      'alias/orders',
      '1234abcd-12ab-34cd-56ef-1234567890ab',
      'mrk-1234abcd12ab34cd56ef1234567890ab',
    ]);
  });

  it('is empty where nothing is said', () => {
    expect(parseLabFile('', 'lab.yaml').seed).to.deep.equal([]);
    expect(parseLabFile('seed: { keys: [] }', 'lab.yaml').seed).to.deep.equal([]);
  });

  it('fills in what a key leaves out: the first region, and what such keys usually are', () => {
    expect(seedOf('aliases: [alias/a]')).to.include({
      region: 'us-east-1',
      multiRegion: false,
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      origin: 'AWS_KMS',
      description: '',
      enabled: true,
    });
    expect(seedOf('aliases: [alias/a], keySpec: HMAC_256')).to.include({ keyUsage: 'GENERATE_VERIFY_MAC' });
    expect(seedOf('aliases: [alias/a], replicas: [eu-west-1]')).to.include({ multiRegion: true });
    expect(seedOf('aliases: [alias/a], rotation: {}').rotation).to.deep.equal({ periodDays: 365 });
  });

  it('reads paths from beside the lab file', () => {
    const key = seedOf('aliases: [alias/a], origin: EXTERNAL, material: { file: m.bin }, policy: { file: p.json }');
    expect(key.material).to.deep.equal({ file: '/labs/m.bin', expiration: { kind: 'never' } });
    expect(key.policy).to.deep.equal({ file: '/labs/p.json' });
  });

  it('takes a policy as it is in JSON, and an expiry as keyferry import does', () => {
    const policy = '{ Version: "2012-10-17", Statement: [] }';
    expect(seedOf(`aliases: [alias/a], policy: ${policy}`).policy).to.deep.equal({
      Version: '2012-10-17',
      Statement: [],
    });
    const material = '{ file: m.bin, validFor: 30d }';
    expect(seedOf(`aliases: [alias/a], origin: EXTERNAL, material: ${material}`).material?.expiration).to.deep.equal({
      kind: 'after',
      durationMs: 30 * 86_400_000,
    });
  });

  for (const [what, key, says] of [
    ['a key that nobody could find again', 'keySpec: HMAC_256', /alias or a keyId/u],
    ['an id of no form', 'keyId: orders', /lower-case UUID/u],
    [
      'a UUID for a multi-Region key',
      'keyId: 1234abcd-12ab-34cd-56ef-1234567890ab, multiRegion: true',
      /begins with mrk-/u,
    ],
    ['an mrk- id for a single-Region key', 'keyId: mrk-1234abcd12ab34cd56ef1234567890ab', /is a UUID/u],
    [
      'replicas of a single-Region key',
      'aliases: [alias/a], multiRegion: false, replicas: [eu-west-1]',
      /has replicas/u,
    ],
    ['a replica in the key’s own region', 'aliases: [alias/a], replicas: [us-east-1]', /has the key already/u],
    ['a region that the lab has not', 'aliases: [alias/a], region: ap-south-1', /no region ap-south-1/u],
    ['an alias of AWS', 'aliases: [alias/aws/s3]', /named like alias\/orders/u],
    ['a signing key without usage', 'aliases: [alias/a], keySpec: RSA_2048', /needs its keyUsage/u],
    ['material of a key that takes none', 'aliases: [alias/a], material: { file: m.bin }', /origin: EXTERNAL/u],
    [
      'material that expires in two ways',
      'aliases: [alias/a], origin: EXTERNAL, material: { file: m, validFor: 1d, validTo: 2030-01-01 }',
      /two ways/u,
    ],
    ['rotation of a key that does not', 'aliases: [alias/a], keySpec: HMAC_256, rotation: {}', /rotate by themselves/u],
    [
      'two grants of one name',
      'aliases: [alias/a], grants: [{ name: a, granteePrincipal: p, operations: [Decrypt] }, { name: a, granteePrincipal: q, operations: [Decrypt] }]',
      /one name/u,
    ],
    [
      'a grant of something that nobody can be granted',
      'aliases: [alias/a], grants: [{ name: a, granteePrincipal: p, operations: [CreateKey] }]',
      /Decrypt/u,
    ],
    ['a misspelt member', 'aliases: [alias/a], replica: [eu-west-1]', /replicas\?/u],
  ] as const) {
    it(`refuses ${what}, and says where`, () => {
      const refusal = refusalOf(labOf(key));
      expect(refusal.message).to.match(says);
      expect(refusal.line).to.equal(4);
    });
  }

  it('refuses an alias or id that two keys of one region want', () => {
    const two = [regions, 'seed:', '  keys:', '    - { aliases: [alias/a] }'];
    expect(refusalOf([...two, '    - { aliases: [alias/a] }'].join('\n')).message).to.match(/twice in us-east-1/u);
    expect(refusalOf([...two, '    - { aliases: [alias/a], region: eu-west-1 }'].join('\n')).message).to.equal(
      'accepted',
    );
  });
});
