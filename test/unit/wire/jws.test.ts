import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { CompactSign, compactVerify } from 'jose';
import { toBase64Url, utf8 } from '../../../src/bytes.js';
import { decodeBase64Url } from '../../../src/wire/base64url.js';
import { parseJws, parsePayload, refusalOfSignature, signJws } from '../../../src/wire/jws.js';
import { publicKeyOf, thumbprint, type PublicJwk } from '../../../src/wire/p384.js';
import { isReject } from '../../../src/wire/refusal.js';
import { parseStrictJson } from '../../../src/wire/strict_json.js';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const exported = publicKey.export({ format: 'jwk' });
const jwk: PublicJwk = { kty: 'EC', crv: 'P-384', x: exported.x ?? '', y: exported.y ?? '' };
const kid = thumbprint(jwk);
const byKey = (_kid: string, octets: Uint8Array) =>
  Promise.resolve(sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' }));

function codeOf(result: unknown): string {
  return isReject(result) ? result.code : 'accepted';
}

describe('compact JWS', () => {
  it('what is signed here is verified by another implementation, and the other way round', async () => {
    const compact = await signJws({ kid, typ: 'test+jws' }, { a: [1, 'two'] }, byKey);
    const { payload, protectedHeader } = await compactVerify(compact, publicKey);
    expect(JSON.parse(Buffer.from(payload).toString())).to.deep.equal({ a: [1, 'two'] });
    expect(protectedHeader).to.deep.equal({ alg: 'ES384', kid, typ: 'test+jws' });
    const theirs = await new CompactSign(utf8('{"b":2}'))
      .setProtectedHeader({ alg: 'ES384', kid, typ: 'test+jws' })
      .sign(privateKey);
    const jws = parseJws(theirs);
    const key = publicKeyOf(jwk);
    if (isReject(jws) || key === null) throw new Error('not accepted');
    expect(refusalOfSignature(jws, key)).to.equal(null);
    expect({ ...(parsePayload(jws) as object) }).to.deep.equal({ b: 2 });
    expect(jws.messageId).to.equal(
      createHash('sha384')
        .update(theirs.slice(0, theirs.lastIndexOf('.')))
        .digest('base64url'),
    );
  });

  it('the key of RFC 7515 appendix A.3 is of another curve, and its form is refused', () => {
    expect(
      codeOf(
        parseJws(
          'eyJhbGciOiJFUzI1NiJ9.e30.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
        ),
      ),
    ).to.equal('ENCODING');
  });

  it('base64url that another decoder would take is refused unless it is the only spelling', () => {
    for (const text of ['QQ==', 'QR', 'Q Q', 'Q+', 'Q/', 'Q', 'QQA\n'])
      expect(decodeBase64Url(text), text).to.equal(null);
    expect(decodeBase64Url('QQ')).to.deep.equal(Buffer.from('A'));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (octets) =>
        Buffer.from(decodeBase64Url(toBase64Url(octets)) ?? []).equals(Buffer.from(octets)),
      ),
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ABab01-_+/= '), maxLength: 12 }), (text) => {
        const octets = decodeBase64Url(text);
        return octets === null || toBase64Url(octets) === text;
      }),
    );
  });

  it('no octets whatever make the parser throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) =>
        ['ENCODING', 'LIMIT'].includes(codeOf(parseJws(octets))),
      ),
    );
  });

  it('the private key is never asked for twice for one message', async () => {
    let asked = 0;
    await signJws({ kid, typ: 'test+jws' }, {}, (name, octets) => {
      asked += 1;
      return byKey(name, octets);
    });
    expect(asked).to.equal(1);
    expect(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).asymmetricKeyType).to.equal('ec');
  });
});

describe('strict JSON', () => {
  const parse = (text: string) => parseStrictJson(utf8(text));

  it('agrees with JSON.parse on everything that it accepts', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constant(null),
        fc.boolean(),
        fc.maxSafeInteger(),
        fc.string({ unit: 'grapheme' }),
        tie('array'),
        tie('object'),
      ),
      array: fc.array(tie('any'), { maxLength: 5 }),
      object: fc.dictionary(fc.string({ maxLength: 8 }), tie('any'), { maxKeys: 5, noNullPrototype: true }),
    })).any;
    fc.assert(
      fc.property(value, (any) => {
        const text = JSON.stringify(any);
        const parsed = parse(text);
        if (isReject(parsed)) return parsed.code === 'LIMIT' || (parsed.code === 'SYNTAX' && text.includes('-0'));
        return JSON.stringify(parsed) === text;
      }),
    );
  });

  it('never accepts what JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'{}[]",:0123456789.-+eE\\utrfalsn \t'), maxLength: 24 }),
        (text) => {
          if (isReject(parse(text))) return true;
          JSON.parse(text);
          return true;
        },
      ),
    );
  });

  const refused: readonly (readonly [string, string, string])[] = [
    ['a duplicate name', '{"a":1,"a":1}', 'JSON_DUP'],
    ['a duplicate name in another spelling', '{"a":1,"\\u0061":1}', 'JSON_DUP'],
    ['a duplicate name deep inside', '[[{"b":{"a":1,"a":2}}]]', 'JSON_DUP'],
    ['a fraction', '1.5', 'SYNTAX'],
    ['an exponent', '1e3', 'SYNTAX'],
    ['an integer that a double cannot hold', '9007199254740992', 'SYNTAX'],
    ['minus zero', '-0', 'SYNTAX'],
    ['a leading zero', '01', 'SYNTAX'],
    ['a lone surrogate', '"\\ud800"', 'SYNTAX'],
    ['a control character', '"\u0001"', 'SYNTAX'],
    ['a trailing comma', '[1,]', 'SYNTAX'],
    ['something behind the end', '{} {}', 'SYNTAX'],
    ['a byte order mark', '\ufeff{}', 'SYNTAX'],
    ['nothing', '', 'SYNTAX'],
    ['nine levels', `${'['.repeat(9)}${']'.repeat(9)}`, 'LIMIT'],
    ['65 items', `[${'0,'.repeat(64)}0]`, 'LIMIT'],
    ['65 members', `{${Array.from({ length: 65 }, (_, index) => `"${index}":0`).join()}}`, 'LIMIT'],
  ];
  for (const [title, text, code] of refused) {
    it(`refuses ${title} as ${code}`, () => {
      expect(codeOf(parse(text))).to.equal(code);
    });
  }

  it('accepts eight levels, 64 items, and a member called __proto__ without harm', () => {
    expect(codeOf(parse(`${'['.repeat(8)}${']'.repeat(8)}`))).to.equal('accepted');
    expect(codeOf(parse(`[${'0,'.repeat(63)}0]`))).to.equal('accepted');
    const parsed = parse('{"__proto__":{"x":1}}') as Record<string, unknown>;
    expect(Object.keys(parsed)).to.deep.equal(['__proto__']);
    expect(parsed['x']).to.equal(undefined);
  });

  it('refuses octets that are not UTF-8', () => {
    expect(codeOf(parseStrictJson(new Uint8Array([34, 0xc3, 0x28, 34])))).to.equal('SYNTAX');
    expect(codeOf(parseStrictJson(new Uint8Array([34, 0xed, 0xa0, 0x80, 34])))).to.equal('SYNTAX');
  });
});
