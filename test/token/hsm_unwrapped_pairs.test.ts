import { CreateKeyCommand, UnsupportedOperationException } from '@aws-sdk/client-kms';
import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import type { KeySpec, KeyUsage, StoredMaterial } from '../../src/hsm/material.js';
import type { RegionHsm } from '../../src/hsm/region_hsm.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { makeRegionFixture } from '../support/region_fixture.js';
import { openRegionToken, type RegionToken } from '../support/region_token.js';

/** Every private key is made with CKA_EXTRACTABLE false, whatever its template says: none of them can be wrapped. */
describe('a token that wraps none of its private keys', function () {
  this.timeout(60_000);
  let token: FaultyToken;
  let region: RegionToken;
  let hsm: RegionHsm;

  before(async () => {
    token = await makeFaultyToken('softhsm2');
    token.setFaults('C_GenerateKeyPair * false 162');
    region = await openRegionToken(token, { keyStorage: 'token' });
    hsm = region.hsm;
  });
  after(() => region.close());

  const create = (keySpec: KeySpec, keyUsage: KeyUsage): Promise<StoredMaterial> =>
    hsm.createMaterial({ keyId: keySpec, keySpec, keyUsage, multiRegion: false, dataSuite: null });

  it('is seen to make and use them all the same', () => {
    const { facts } = region.profile;
    expect([facts.ecPrivateWrap.works, facts.rsaPrivateWrap.works]).to.deep.equal([false, false]);
    expect([facts.ecKeyP256.works, facts.ecKeyP384.works, facts.ecdhP521.works]).to.deep.equal([true, true, true]);
  });

  it('signs with keys that rest in it', async () => {
    for (const [keySpec, algorithm] of [
      ['ECC_NIST_P256', 'ECDSA_SHA_256'],
      ['ECC_NIST_P521', 'ECDSA_SHA_512'],
      ['RSA_2048', 'RSASSA_PSS_SHA_256'],
    ] as const) {
      expect(hsm.refusalOfSpec(keySpec, 'SIGN_VERIFY')).to.equal(undefined);
      const material = await create(keySpec, 'SIGN_VERIFY');
      const input = { kind: 'message', octets: Buffer.from('hello') } as const;
      const signature = await hsm.sign(material, algorithm, input);
      expect(await hsm.verify(material, algorithm, input, signature), keySpec).to.equal(true);
    }
  });

  it('agrees on secrets with keys that rest in it', async () => {
    const material = await create('ECC_NIST_P384', 'KEY_AGREEMENT');
    const peer = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'der' });
    expect(await hsm.deriveSharedSecret(material, peer)).to.have.lengthOf(48);
  });

  it('makes none of them a multi-Region key, which could be replicated nowhere, and says which call the token refuses', async () => {
    const fixture = await makeRegionFixture({ hsm });
    const client = fixture.client();
    const made = token.callCount('C_GenerateKeyPair');
    for (const [KeySpec, KeyUsage, refused] of [
      ['ECC_NIST_P256', 'SIGN_VERIFY', /C_WrapKey of an EC private key .*C_WrapKey returned CKR_KEY_UNEXTRACTABLE/u],
      ['ECC_NIST_P384', 'KEY_AGREEMENT', /C_WrapKey of an EC private key .*C_WrapKey returned CKR_KEY_UNEXTRACTABLE/u],
      ['RSA_2048', 'ENCRYPT_DECRYPT', /C_WrapKey of an RSA private key .*C_WrapKey returned CKR_KEY_UNEXTRACTABLE/u],
    ] as const) {
      const refusal: unknown = await client
        .send(new CreateKeyCommand({ KeySpec, KeyUsage, MultiRegion: true }))
        .catch((error: unknown) => error);
      expect(refusal, KeySpec).to.be.instanceOf(UnsupportedOperationException);
      expect((refusal as UnsupportedOperationException).message).to.match(refused);
    }
    expect(token.callCount('C_GenerateKeyPair')).to.equal(made);
    expect(fixture.region.store.keyIds({ after: '', limit: 1 })).to.deep.equal([]);
    await fixture.close();
  });

  it('makes multi-Region keys of the secrets that it wraps, and those whose material is imported in each Region', async () => {
    const fixture = await makeRegionFixture({ hsm });
    const client = fixture.client();
    for (const request of [
      {},
      { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Origin: 'EXTERNAL' },
    ] as const) {
      const { KeyMetadata } = await client.send(new CreateKeyCommand({ ...request, MultiRegion: true }));
      expect(KeyMetadata?.MultiRegionConfiguration?.MultiRegionKeyType).to.equal('PRIMARY');
    }
    await fixture.close();
  });
});
