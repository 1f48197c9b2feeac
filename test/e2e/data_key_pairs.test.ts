import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  CreateKeyCommand,
  DecryptCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { makeFixtureHsm, makeRegionFixture, type FixtureHsm, type RegionFixture } from '../support/region_fixture.js';

const EncryptionContext = { for: 'a vehicle' };
const KeyPairSpec = 'ECC_NIST_P256';

describe('data key pairs through the AWS SDK', function () {
  this.timeout(20_000);
  let token: FixtureHsm;
  let fixture: RegionFixture;
  let KeyId: string;

  before(async () => {
    token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm });
    const { KeyMetadata } = await fixture.client().send(new CreateKeyCommand({}));
    KeyId = KeyMetadata?.Arn ?? '';
  });
  after(async () => {
    await fixture.close();
    await token.close();
  });

  it('come with a private half that matches, and whose blob Decrypt opens', async () => {
    const client = fixture.client();
    const pair = await client.send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec, EncryptionContext }));
    const { PrivateKeyCiphertextBlob: CiphertextBlob, PrivateKeyPlaintext, PublicKey } = pair;
    expect(pair).to.include({ KeyId, KeyPairSpec });
    expect(pair.KeyMaterialId).to.match(/^[0-9a-f]{64}$/);
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(Plaintext).to.deep.equal(PrivateKeyPlaintext);
    const key = createPrivateKey({ key: Buffer.from(Plaintext ?? []), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    expect(spki.equals(PublicKey ?? new Uint8Array())).to.equal(true);
  });

  it('come without plaintext where none is asked for', async () => {
    const pair = await fixture.client().send(new GenerateDataKeyPairWithoutPlaintextCommand({ KeyId, KeyPairSpec }));
    expect(pair).to.not.have.property('PrivateKeyPlaintext');
    expect(pair.PublicKey).to.have.length.greaterThan(80);
    expect(pair.PrivateKeyCiphertextBlob).to.have.length.greaterThan(150);
  });

  it('are in the audit trail with their spec and context, and with neither half', async () => {
    const events = (await fixture.events()).filter(({ eventName }) => eventName.startsWith('GenerateDataKeyPair'));
    expect(
      events.map(({ eventName, requestParameters, responseElements }) => [
        eventName,
        requestParameters,
        responseElements,
      ]),
    ).to.deep.equal([
      ['GenerateDataKeyPair', { keyId: KeyId, encryptionContext: EncryptionContext, keyPairSpec: KeyPairSpec }, null],
      ['GenerateDataKeyPairWithoutPlaintext', { keyId: KeyId, keyPairSpec: KeyPairSpec }, null],
    ]);
  });

  it('are refused for a spec that is in the model and in no token, as the SDK knows it', async () => {
    const refusal = await fixture
      .client()
      .send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'ML_KEM_768' }))
      .catch((error: unknown) => error);
    expect(refusal).to.have.property('name', 'UnsupportedOperationException');
  });
});
