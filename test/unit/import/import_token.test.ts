import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { toBase64Url, utf8 } from '../../../src/bytes.js';
import { ImportError } from '../../../src/import/errors.js';
import {
  IMPORT_TOKEN_TYP,
  RegionImportTokens,
  type ImportTokenClaims,
  type ImportTokenSigner,
} from '../../../src/import/import_token.js';
import { signJws, type JsonInput } from '../../../src/wire/jws.js';
import { thumbprint, type PublicJwk } from '../../../src/wire/p384.js';

interface SoftwareSigner extends ImportTokenSigner {
  readonly kid: string;
  readonly sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>;
}

function softwareSigner(): SoftwareSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const jwk = jwkOf(publicKey);
  const signing = (_kid: string, octets: Uint8Array): Promise<Uint8Array> =>
    Promise.resolve(sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  const kid = thumbprint(jwk);
  return { kid, sign: signing, importSigningKeys: () => Promise.resolve([{ kid, jwk }]), signImportToken: signing };
}

function jwkOf(publicKey: KeyObject): PublicJwk {
  const { x, y } = publicKey.export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-384', x: x ?? '', y: y ?? '' };
}

const home = { partition: 'aws', region: 'eu-west-1' };
const claims: ImportTokenClaims = {
  keyId: '1234abcd-12ab-34cd-56ef-1234567890ab',
  importKeyId: '0fedcba9-8765-4321-8fed-cba987654321',
  publicKeyHash: 'ab'.repeat(32),
  wrappingKeySpec: 'RSA_4096',
  algorithm: 'RSA_AES_KEY_WRAP_SHA_256',
  issuedMs: 1_700_000_000_000,
  expiresMs: 1_700_086_400_000,
};

describe('import tokens', () => {
  const signer = softwareSigner();
  const tokens = new RegionImportTokens(signer, home);

  async function codeOf(token: Uint8Array | string, judge = tokens): Promise<string> {
    const outcome = await judge.open(typeof token === 'string' ? utf8(token) : token);
    return outcome instanceof ImportError ? outcome.code : 'accepted';
  }
  const payload = (change: Readonly<Record<string, JsonInput>> = {}): JsonInput => {
    const { issuedMs, expiresMs, ...named } = claims;
    return { v: 1, ...home, ...named, iat: issuedMs / 1000, exp: expiresMs / 1000, ...change };
  };
  const signed = (body: JsonInput, typ = IMPORT_TOKEN_TYP): Promise<string> =>
    signJws({ kid: signer.kid, typ }, body, signer.sign);

  it('say again what they were made to say, in at most 6,144 octets', async () => {
    const token = await tokens.issue(claims);
    expect(token.length).to.be.at.most(6144);
    expect(await tokens.open(token)).to.deep.equal(claims);
    const multiRegion = { ...claims, keyId: `mrk-${'0a'.repeat(16)}` };
    expect(await tokens.open(await tokens.issue(multiRegion))).to.deep.equal(multiRegion);
  });

  it('are refused by another region, by another partition, and by a region with other signing keys', async () => {
    const token = await tokens.issue(claims);
    const elsewhere = new RegionImportTokens(signer, { ...home, region: 'us-east-1' });
    expect(await codeOf(token, elsewhere)).to.equal('ERR_IMPORT_TOKEN_REGION');
    const apart = new RegionImportTokens(signer, { ...home, partition: 'aws-cn' });
    expect(await codeOf(token, apart)).to.equal('ERR_IMPORT_TOKEN_REGION');
    const stranger = new RegionImportTokens(softwareSigner(), home);
    expect(await codeOf(token, stranger)).to.equal('ERR_IMPORT_TOKEN_SIGNING_KEY');
  });

  it('are still good while the key that signed them is in the token, and newer ones sign', async () => {
    const newer = softwareSigner();
    const token = await tokens.issue(claims);
    const both = new RegionImportTokens(
      {
        importSigningKeys: async () => [...(await newer.importSigningKeys()), ...(await signer.importSigningKeys())],
        signImportToken: newer.sign,
      },
      home,
    );
    expect(await both.open(token)).to.deep.equal(claims);
    expect(await codeOf(await both.issue(claims))).to.equal('ERR_IMPORT_TOKEN_SIGNING_KEY');
  });

  it('cannot be made when the token holds no import signing key', async () => {
    const none = new RegionImportTokens({ ...signer, importSigningKeys: () => Promise.resolve([]) }, home);
    const error = await none.issue(claims).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'ERR_IMPORT_TOKEN_SIGNING_KEY');
  });

  it('a JWS of another flow, well signed, is no import token', async () => {
    for (const typ of ['mrkr1-intent+jws', 'mrkr1-roster+jws', 'JWT', '']) {
      expect(await codeOf(await signed(payload(), typ)), typ).to.be.oneOf([
        'ERR_IMPORT_TOKEN_TYPE',
        'ERR_IMPORT_TOKEN_FORM',
      ]);
    }
  });

  it('with claims that are missing, unknown or of another form are refused, well signed as they may be', async () => {
    const wrong: readonly Readonly<Record<string, JsonInput>>[] = [
      { v: 2 },
      { keyId: 'alias/mine' },
      { keyId: claims.keyId.toUpperCase() },
      { importKeyId: '' },
      { publicKeyHash: 'AB'.repeat(32) },
      { publicKeyHash: 'ab'.repeat(31) },
      { wrappingKeySpec: 'RSA_1024' },
      { algorithm: 'RSAES_PKCS1_V1_5' },
      { iat: -1 },
      { exp: '1700086400' },
      { region: 'eu-west-1\u0000' },
      { extra: true },
    ];
    for (const change of wrong) {
      expect(await codeOf(await signed(payload(change))), JSON.stringify(change)).to.equal('ERR_IMPORT_TOKEN_CLAIMS');
    }
    const { exp: _exp, ...without } = payload() as Record<string, JsonInput>;
    expect(await codeOf(await signed(without))).to.equal('ERR_IMPORT_TOKEN_CLAIMS');
    expect(await codeOf(await signed(payload()))).to.equal('accepted');
  });

  it('whose signature was made by another key under the same name are refused', async () => {
    const forger = softwareSigner();
    const forged = await signJws({ kid: signer.kid, typ: IMPORT_TOKEN_TYP }, payload(), forger.sign);
    expect(await codeOf(forged)).to.equal('ERR_IMPORT_TOKEN_SIGNATURE');
    const unsigned = `${forged.slice(0, forged.lastIndexOf('.'))}.${toBase64Url(new Uint8Array(96))}`;
    expect(await codeOf(unsigned)).to.equal('ERR_IMPORT_TOKEN_SIGNATURE');
  });

  it('changed in any way are refused and never throw', async () => {
    const token = await tokens.issue(claims);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: token.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.nat({ max: 3 }),
        async (at, change, kind) => {
          const mutated = Buffer.from(token);
          if (kind === 0) mutated[at] = (mutated[at] ?? 0) ^ change;
          const cut = kind === 1 ? mutated.subarray(0, at) : mutated;
          const longer = kind === 2 ? Buffer.concat([cut, Buffer.alloc(change)]) : cut;
          const moved = kind === 3 ? Buffer.concat([longer.subarray(at), longer.subarray(0, at)]) : longer;
          if (moved.equals(token)) return;
          expect(await codeOf(moved)).to.not.equal('accepted');
        },
      ),
      { numRuns: 2500 },
    );
    expect(await codeOf(Buffer.alloc(6145, 0x41))).to.equal('ERR_IMPORT_TOKEN_FORM');
  });
});
