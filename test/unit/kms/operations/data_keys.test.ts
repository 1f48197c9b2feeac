import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { generateDataKey } from '../../../../src/kms/operations/generate_data_key.js';
import { generateDataKeyWithoutPlaintext } from '../../../../src/kms/operations/generate_data_key_without_plaintext.js';
import { generateRandom } from '../../../../src/kms/operations/generate_random.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

describe('GenerateDataKey, GenerateDataKeyWithoutPlaintext and GenerateRandom', () => {
  let fixture: SoftwareRegion;
  let KeyId: string;
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    KeyId = (await createKey(fixture.call, {})).KeyMetadata.Arn;
  });
  afterEach(() => fixture.close());

  for (const [size, octets] of [
    [{ KeySpec: 'AES_128' }, 16],
    [{ KeySpec: 'AES_256' }, 32],
    [{ NumberOfBytes: 1 }, 1],
    [{ NumberOfBytes: 1024 }, 1024],
  ] as const) {
    it(`makes ${octets} octets for ${JSON.stringify(size)}, revealed or not`, async () => {
      const EncryptionContext = { for: 'a file' };
      const open = await generateDataKey(fixture.call, { KeyId, EncryptionContext, ...size });
      expect(open.Plaintext).to.have.length(octets);
      const opened = await decrypt(fixture.call, { CiphertextBlob: open.CiphertextBlob, EncryptionContext });
      expect(opened.Plaintext).to.deep.equal(open.Plaintext);
      expect(open).to.include({ KeyId, KeyMaterialId: opened.KeyMaterialId });
      const sealed = await generateDataKeyWithoutPlaintext(fixture.call, { KeyId, EncryptionContext, ...size });
      expect(Object.keys(sealed).toSorted()).to.deep.equal(['CiphertextBlob', 'KeyId', 'KeyMaterialId']);
      const unsealed = await decrypt(fixture.call, { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext });
      expect(unsealed.Plaintext).to.have.length(octets);
    });
  }

  for (const [what, size] of [
    ['no size', {}],
    ['two sizes', { KeySpec: 'AES_256', NumberOfBytes: 32 }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      for (const operation of [generateDataKey, generateDataKeyWithoutPlaintext]) {
        expect(await refusalOf(operation(fixture.call, { KeyId, ...size }))).to.deep.equal({
          code: 'ValidationException',
          message: 'Please specify either number of bytes or key spec.',
        });
      }
    });
  }

  it('answers dry runs without making a key', async () => {
    for (const operation of [generateDataKey, generateDataKeyWithoutPlaintext]) {
      const refusal = await refusalOf(operation(fixture.call, { KeyId, KeySpec: 'AES_256', DryRun: true }));
      expect(refusal.code).to.equal('DryRunOperationException');
    }
    expect(fixture.hsm.calls).to.deep.equal(['createMaterial']);
  });

  it('refuses enclaves', async () => {
    const refusal = await refusalOf(generateDataKey(fixture.call, { KeyId, KeySpec: 'AES_256', Recipient: {} }));
    expect(refusal.code).to.equal('ValidationException');
  });

  it('answers random octets, and refuses to guess how many', async () => {
    expect((await generateRandom(fixture.call, { NumberOfBytes: 7 })).Plaintext).to.have.length(7);
    expect(await refusalOf(generateRandom(fixture.call, {}))).to.deep.equal({
      code: 'ValidationException',
      message: 'NumberOfBytes is required.',
    });
  });

  it('refuses random octets of custom key stores, for enclaves and for strangers', async () => {
    const sized = { NumberOfBytes: 1 };
    const codes = [
      await refusalOf(generateRandom(fixture.call, { ...sized, CustomKeyStoreId: 'cks-1' })),
      await refusalOf(generateRandom(fixture.call, { ...sized, Recipient: {} })),
      await refusalOf(generateRandom(fixture.callAs('arn:aws:iam::999988887777:root'), sized)),
    ].map((refusal) => refusal.code);
    expect(codes).to.deep.equal(['CustomKeyStoreNotFoundException', 'ValidationException', 'AccessDeniedException']);
  });
});
