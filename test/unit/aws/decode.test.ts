import { expect } from 'chai';
import { decodeRequest } from '../../../src/surfaces/aws/decode.js';
import { blob, boolean, integer, listOf, map, oneOf, structure, text } from '../../../src/surfaces/aws/shape.js';

const SHAPE = structure({
  required: { KeyId: text(1, 8) },
  optional: {
    Plaintext: blob(1, 4),
    CiphertextBlob: blob(1, 4),
    EncryptionContext: map,
    NumberOfBytes: integer(1, 1024),
    KeySpec: oneOf(['AES_256', 'AES_128']),
    DryRun: boolean,
    GrantTokens: listOf(text(1, 3), 2),
    Tags: listOf(structure({ required: { TagKey: text(1, 3), TagValue: text(0, 3) }, optional: {} }), 5),
    ReplicaRegion: text(1, 32, { expression: /^([a-z]+-){2,3}\d+$/, shown: '^([a-z]+-){2,3}\\d+$' }),
  },
});

function decode(body: unknown) {
  return decodeRequest(SHAPE, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

function refusal(body: unknown): { readonly code: string; readonly message: string } {
  try {
    decode(body);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { code: String(error.code), message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('Decoding a request', () => {
  it('gives each member its type', () => {
    const decoded = decode({
      KeyId: 'k',
      Plaintext: 'AAEC',
      EncryptionContext: { a: 'b' },
      NumberOfBytes: 1024,
      KeySpec: 'AES_128',
      DryRun: true,
      GrantTokens: ['t'],
      Tags: [{ TagKey: 'a', TagValue: '' }],
      ReplicaRegion: 'us-gov-east-1',
    });
    expect({ ...decoded, Plaintext: [...(decoded.Plaintext ?? [])] }).to.deep.equal({
      KeyId: 'k',
      Plaintext: [0, 1, 2],
      EncryptionContext: { a: 'b' },
      NumberOfBytes: 1024,
      KeySpec: 'AES_128',
      DryRun: true,
      GrantTokens: ['t'],
      Tags: [{ TagKey: 'a', TagValue: '' }],
      ReplicaRegion: 'us-gov-east-1',
    });
  });

  it('ignores members that it does not know, and takes null for absent', () => {
    expect(decode({ KeyId: 'k', Colour: 'blue', Plaintext: null })).to.deep.equal({ KeyId: 'k' });
  });

  it('takes an empty body for an empty object', () => {
    expect(refusal('').message).to.contain("Value null at 'keyId'");
  });

  const violations: readonly [string, object, string][] = [
    [
      'a required member that is absent',
      {},
      "Value null at 'keyId' failed to satisfy constraint: Member must not be null",
    ],
    [
      'a text that is too long',
      { KeyId: '123456789' },
      "Value '123456789' at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 8",
    ],
    [
      'a text that is too short',
      { KeyId: '' },
      "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'a number that is too small',
      { KeyId: 'k', NumberOfBytes: 0 },
      "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      'a number that is too large',
      { KeyId: 'k', NumberOfBytes: 1025 },
      "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
    ],
    [
      'a value that is not in the set',
      { KeyId: 'k', KeySpec: 'AES_512' },
      "Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
    ],
    [
      'a text that does not match',
      { KeyId: 'k', ReplicaRegion: 'Europe' },
      "Value 'Europe' at 'replicaRegion' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-z]+-){2,3}\\d+$",
    ],
    [
      'a sensitive member, without its value',
      { KeyId: 'k', Plaintext: Buffer.alloc(5).toString('base64') },
      "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4",
    ],
    [
      'a member of a list, by its place',
      { KeyId: 'k', Tags: [{ TagKey: '', TagValue: '' }] },
      "Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'a null in a list',
      { KeyId: 'k', GrantTokens: [null] },
      "Value null at 'grantTokens.1.member' failed to satisfy constraint: Member must not be null",
    ],
    [
      'a list that is too long',
      { KeyId: 'k', GrantTokens: ['a', 'b', 'c'] },
      "Value '[a, b, c]' at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 2",
    ],
    [
      'an encryption context that is too long',
      { KeyId: 'k', EncryptionContext: { a: 'x'.repeat(8192) } },
      "Value at 'encryptionContext' failed to satisfy constraint: Member must have at most 8192 bytes of names and values",
    ],
  ];
  for (const [what, body, message] of violations) {
    it(`reports ${what}`, () => {
      expect(refusal(body)).to.deep.equal({
        code: 'ValidationException',
        message: `1 validation error detected: ${message}`,
      });
    });
  }

  it('reports everything that is wrong at once', () => {
    expect(refusal({ NumberOfBytes: 0, KeySpec: 'x' }).message).to.equal(
      "3 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; " +
        "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1; " +
        "Value 'x' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
    );
  });

  for (const [what, body] of [
    ['text that is not JSON', '{'],
    ['a list', '[]'],
    ['a lone value', '"x"'],
    ['null', 'null'],
    ['a number where a text belongs', { KeyId: 7 }],
    ['a text where a number belongs', { KeyId: 'k', NumberOfBytes: '7' }],
    ['a fraction where an integer belongs', { KeyId: 'k', NumberOfBytes: 1.5 }],
    ['a text where a truth value belongs', { KeyId: 'k', DryRun: 'true' }],
    ['octets that are not base64', { KeyId: 'k', Plaintext: 'AA-_' }],
    ['base64 without its padding', { KeyId: 'k', Plaintext: 'AA' }],
    ['a list where a map belongs', { KeyId: 'k', EncryptionContext: ['a'] }],
    ['a map of maps', { KeyId: 'k', EncryptionContext: { a: {} } }],
    ['a map where a list belongs', { KeyId: 'k', Tags: {} }],
    ['a text where a structure belongs', { KeyId: 'k', Tags: ['a'] }],
    ['half a surrogate pair in a context', '{"KeyId":"k","EncryptionContext":{"a":"\\ud800"}}'],
    ['half a surrogate pair in a name of a context', '{"KeyId":"k","EncryptionContext":{"\\udc00":"a"}}'],
    ['half a surrogate pair in a text', '{"KeyId":"\\ud800"}'],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(refusal(body).code).to.equal('SerializationException');
    });
  }

  it('refuses octets that are not UTF-8', () => {
    const body = Buffer.concat([Buffer.from('{"KeyId":"'), Buffer.of(0xff), Buffer.from('"}')]);
    expect(() => decodeRequest(SHAPE, body)).to.throw('not valid UTF-8');
  });

  it('never repeats a sensitive value, whatever is wrong with it', () => {
    expect(refusal({ KeyId: 'k', Plaintext: 'c2VjcmV0c2VjcmV0' }).message).to.not.contain('c2VjcmV0');
    expect(refusal({ KeyId: 'k', Plaintext: 'secret!' }).message).to.not.contain('secret!');
  });

  it('keeps every name of an encryption context, those of object prototypes included', () => {
    const decoded = decode('{"KeyId":"k","EncryptionContext":{"__proto__":"a","constructor":"b","n":1,"t":true}}');
    expect(Object.entries(decoded.EncryptionContext ?? {})).to.deep.equal([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['n', '1'],
      ['t', 'true'],
    ]);
  });

  it('does not take members from an object’s prototype', () => {
    expect(refusal('{"__proto__":{"KeyId":"k"}}').message).to.contain("Value null at 'keyId'");
  });
});
