import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { reEncrypt } from '../../../../src/kms/operations/re_encrypt.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

describe('ReEncrypt', () => {
  let fixture: SoftwareRegion;
  let from: string;
  let to: string;
  let CiphertextBlob: Uint8Array;
  const SourceEncryptionContext = { at: 'source' };
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    from = (await createKey(fixture.call, {})).KeyMetadata.Arn;
    to = (await createKey(fixture.call, {})).KeyMetadata.Arn;
    const encrypted = await encrypt(fixture.call, {
      KeyId: from,
      Plaintext: Buffer.from('moved'),
      EncryptionContext: SourceEncryptionContext,
    });
    ({ CiphertextBlob } = encrypted);
  });
  afterEach(() => fixture.close());

  const attempt = (more: object = {}) =>
    reEncrypt(fixture.call, { CiphertextBlob, SourceEncryptionContext, DestinationKeyId: to, ...more });

  it('moves a blob to another key and context in one job that never shows the plaintext', async () => {
    fixture.hsm.calls.length = 0;
    const moved = await attempt({ DestinationEncryptionContext: { at: 'destination' } });
    expect(fixture.hsm.calls).to.deep.equal(['reEncrypt']);
    expect(moved).to.include({ SourceKeyId: from, KeyId: to });
    expect(moved.SourceKeyMaterialId).to.not.equal(moved.DestinationKeyMaterialId);
    const opened = await decrypt(fixture.call, {
      CiphertextBlob: moved.CiphertextBlob,
      EncryptionContext: { at: 'destination' },
    });
    expect(Buffer.from(opened.Plaintext).toString()).to.equal('moved');
  });

  it('may encrypt under the same key again', async () => {
    const again = await attempt({ DestinationKeyId: from });
    expect(again).to.include({ SourceKeyId: from, KeyId: from });
    expect(Buffer.from(again.CiphertextBlob).equals(Buffer.from(CiphertextBlob))).to.equal(false);
  });

  for (const [what, request, code] of [
    ['a wrong source context', { SourceEncryptionContext: {} }, 'InvalidCiphertextException'],
    ['an unknown destination', { DestinationKeyId: 'alias/none' }, 'NotFoundException'],
    ['an algorithm of another spec', { DestinationEncryptionAlgorithm: 'SM2PKE' }, 'InvalidKeyUsageException'],
    ['a blob that is none', { CiphertextBlob: Buffer.of(7) }, 'InvalidCiphertextException'],
    ['a missing blob', { CiphertextBlob: undefined }, 'ValidationException'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      expect((await refusalOf(attempt(request))).code).to.equal(code);
    });
  }

  it('refuses a named source that is not the blob’s key', async () => {
    expect((await refusalOf(attempt({ SourceKeyId: to }))).code).to.equal('IncorrectKeyException');
    expect((await attempt({ SourceKeyId: from })).SourceKeyId).to.equal(from);
  });

  it('answers dry runs of what would and of what would not succeed', async () => {
    expect((await refusalOf(attempt({ DryRun: true }))).code).to.equal('DryRunOperationException');
    const wrong = await refusalOf(attempt({ DryRun: true, SourceEncryptionContext: {} }));
    expect(wrong.code).to.equal('InvalidCiphertextException');
    const ignoring = { DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'], CiphertextBlob: undefined };
    expect((await refusalOf(attempt({ ...ignoring, SourceKeyId: from }))).code).to.equal('DryRunOperationException');
    expect((await refusalOf(attempt(ignoring))).code).to.equal('ValidationException');
  });
});
