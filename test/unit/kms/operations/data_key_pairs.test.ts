import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { expect } from 'chai';
import { HsmError } from '../../../../src/hsm/errors.js';
import { DATA_KEY_PAIR_SPECS } from '../../../../src/kms/data_key_pair.js';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { generateDataKeyPair } from '../../../../src/kms/operations/generate_data_key_pair.js';
import { generateDataKeyPairWithoutPlaintext } from '../../../../src/kms/operations/generate_data_key_pair_without_plaintext.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const EncryptionContext = { for: 'a vehicle' };

describe('GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext', () => {
  let fixture: SoftwareRegion;
  let KeyId: string;
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    KeyId = (await createKey(fixture.call, {})).KeyMetadata.Arn;
  });
  afterEach(() => fixture.close());

  it('answers both halves, and a blob that Decrypt opens under the same context only', async () => {
    const KeyPairSpec = 'ECC_NIST_P256';
    const pair = await generateDataKeyPair(fixture.call, { KeyId, KeyPairSpec, EncryptionContext });
    const key = createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext), format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey({ key: Buffer.from(pair.PublicKey), format: 'der', type: 'spki' });
    const message = Buffer.from('hello');
    expect(verify('sha256', message, publicKey, sign('sha256', message, key))).to.equal(true);
    const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
    const opened = await decrypt(fixture.call, { CiphertextBlob, EncryptionContext });
    expect(Buffer.from(opened.Plaintext)).to.deep.equal(Buffer.from(pair.PrivateKeyPlaintext));
    expect(pair).to.include({ KeyId, KeyPairSpec, KeyMaterialId: opened.KeyMaterialId });
    expect((await refusalOf(decrypt(fixture.call, { CiphertextBlob }))).code).to.equal('InvalidCiphertextException');
  });

  it('answers no private half where none is asked for, and does not take it out of the HSM', async () => {
    const KeyPairSpec = 'ECC_NIST_P384';
    const pair = await generateDataKeyPairWithoutPlaintext(fixture.call, { KeyId, KeyPairSpec, EncryptionContext });
    const members = ['KeyId', 'KeyMaterialId', 'KeyPairSpec', 'PrivateKeyCiphertextBlob', 'PublicKey'];
    expect(Object.keys(pair).toSorted()).to.deep.equal(members);
    const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
    const { Plaintext } = await decrypt(fixture.call, { CiphertextBlob, EncryptionContext });
    const key = createPrivateKey({ key: Buffer.from(Plaintext), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    expect(spki.equals(pair.PublicKey)).to.equal(true);
  });

  it('answers dry runs without making a pair', async () => {
    for (const operation of [generateDataKeyPair, generateDataKeyPairWithoutPlaintext]) {
      const refusal = await refusalOf(operation(fixture.call, { KeyId, KeyPairSpec: 'RSA_2048', DryRun: true }));
      expect(refusal.code).to.equal('DryRunOperationException');
    }
    expect(fixture.hsm.calls).to.deep.equal(['createMaterial']);
  });

  for (const KeyPairSpec of DATA_KEY_PAIR_SPECS.filter((spec) => /^(SM2|ML_)/.test(spec))) {
    it(`refuses ${KeyPairSpec} and names the mechanism, also in a dry run`, async () => {
      for (const operation of [generateDataKeyPair, generateDataKeyPairWithoutPlaintext]) {
        const refusal = await refusalOf(operation(fixture.call, { KeyId, KeyPairSpec, DryRun: true }));
        expect(refusal.code).to.equal('UnsupportedOperationException');
        expect(refusal.message).to.match(new RegExp(`^KeyPairSpec ${KeyPairSpec} is not supported here: .*CKM_`));
      }
    });
  }

  it('refuses what the token cannot make, and names what it lacks', async () => {
    fixture.hsm.refusals.set('ECC_SECG_P256K1', 'no such curve');
    const request = { KeyId, KeyPairSpec: 'ECC_SECG_P256K1' } as const;
    expect(await refusalOf(generateDataKeyPair(fixture.call, request))).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'KeyPairSpec ECC_SECG_P256K1 is not supported here: no such curve.',
    });
    const error = new HsmError('ERR_HSM_STRATEGY', 'it lets no private key out');
    fixture.hsm.faults.push({ call: 'generateDataKeyPair', error });
    const attempt = generateDataKeyPair(fixture.call, { KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    expect(await refusalOf(attempt)).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'it lets no private key out',
    });
  });

  it('lets a policy ask for the spec of the pair', async () => {
    const allowed = {
      Effect: 'Allow',
      Principal: { AWS: fixture.call.caller.principal },
      Action: 'kms:*',
      Resource: '*',
    };
    const denied = {
      Effect: 'Deny',
      Principal: '*',
      Action: 'kms:GenerateDataKeyPair',
      Resource: '*',
      Condition: { StringEquals: { 'kms:DataKeyPairSpec': 'ECC_NIST_P384' } },
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [allowed, denied] });
    const { KeyId: own } = (await createKey(fixture.call, { Policy })).KeyMetadata;
    const refusal = await refusalOf(generateDataKeyPair(fixture.call, { KeyId: own, KeyPairSpec: 'ECC_NIST_P384' }));
    expect(refusal.code).to.equal('AccessDeniedException');
    const pair = await generateDataKeyPair(fixture.call, { KeyId: own, KeyPairSpec: 'ECC_NIST_P256' });
    expect(pair.KeyPairSpec).to.equal('ECC_NIST_P256');
  });

  it('refuses keys of other specs and usages, unknown keys, and enclaves', async () => {
    const rsa = await createKey(fixture.call, { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    const hmac = await createKey(fixture.call, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const KeyPairSpec = 'ECC_NIST_P256';
    const codes = [
      await refusalOf(generateDataKeyPair(fixture.call, { KeyId: rsa.KeyMetadata.KeyId, KeyPairSpec })),
      await refusalOf(generateDataKeyPair(fixture.call, { KeyId: hmac.KeyMetadata.KeyId, KeyPairSpec })),
      await refusalOf(
        generateDataKeyPair(fixture.call, { KeyId: '00000000-0000-0000-0000-000000000000', KeyPairSpec }),
      ),
      await refusalOf(generateDataKeyPair(fixture.call, { KeyId, KeyPairSpec, Recipient: {} })),
    ].map((refusal) => refusal.code);
    expect(codes).to.deep.equal([
      'InvalidKeyUsageException',
      'InvalidKeyUsageException',
      'NotFoundException',
      'ValidationException',
    ]);
  });
});
