import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { HsmError } from '../../../../src/hsm/errors.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const INACCESSIBLE =
  'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.';

describe('Decrypt', () => {
  let fixture: SoftwareRegion;
  let arn: string;
  let blob: Uint8Array;
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    arn = (await createKey(fixture.call, {})).KeyMetadata.Arn;
    const encrypted = await encrypt(fixture.call, {
      KeyId: arn,
      Plaintext: Buffer.from('plain'),
      EncryptionContext: { a: '1', b: '2' },
    });
    blob = encrypted.CiphertextBlob;
  });
  afterEach(() => fixture.close());

  const context = { EncryptionContext: { b: '2', a: '1' } };
  const attempt = (request: Parameters<typeof decrypt>[1]) => decrypt(fixture.call, { ...context, ...request });

  it('answers the plaintext, the key and its material, whatever the order of the context', async () => {
    const answer = await attempt({ CiphertextBlob: blob });
    expect(Buffer.from(answer.Plaintext).toString()).to.equal('plain');
    expect(answer).to.include({ KeyId: arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    expect(answer.KeyMaterialId).to.match(/^[0-9a-f]{64}$/);
  });

  it('gives one answer for every blob that does not decrypt, octet by octet', async () => {
    const refusals = new Map<string, number>();
    for (let index = 0; index < blob.length; index += 1) {
      const garbled = Buffer.from(blob);
      garbled[index] = (garbled[index] ?? 0) ^ 1;
      const { code, message } = await refusalOf(attempt({ CiphertextBlob: garbled }));
      refusals.set(`${code}: ${message}`, (refusals.get(`${code}: ${message}`) ?? 0) + 1);
    }
    // The 32 octets of the key material id name a key that does not exist; the suite's octet may name another suite.
    expect([...refusals.keys()].toSorted()).to.deep.equal([
      `AccessDeniedException: ${INACCESSIBLE}`,
      'InvalidCiphertextException: ',
    ]);
    expect(refusals.get(`AccessDeniedException: ${INACCESSIBLE}`)).to.equal(32);
  });

  it('refuses another context, no context, a cut blob and a longer one alike', async () => {
    for (const request of [
      { CiphertextBlob: blob, EncryptionContext: { a: '1' } },
      { CiphertextBlob: blob, EncryptionContext: {} },
      { CiphertextBlob: blob, EncryptionContext: { A: '1', b: '2' } },
      { CiphertextBlob: blob.subarray(0, -1) },
      { CiphertextBlob: Buffer.concat([blob, Buffer.of(0)]) },
      { CiphertextBlob: Buffer.of(1) },
    ]) {
      expect(await refusalOf(attempt(request))).to.deep.equal({ code: 'InvalidCiphertextException', message: '' });
    }
  });

  it('refuses a named key that is not the blob’s', async () => {
    const other = (await createKey(fixture.call, {})).KeyMetadata.KeyId;
    expect(await refusalOf(attempt({ CiphertextBlob: blob, KeyId: other }))).to.deep.equal({
      code: 'IncorrectKeyException',
      message: 'The key ID in the request does not identify a CMK that can perform this operation.',
    });
  });

  it('refuses a blob of another region’s key as the key that it does not know', async () => {
    const elsewhere = makeSoftwareRegion({ name: 'eu-west-1' });
    const key = await createKey(elsewhere.call, {});
    const foreign = await encrypt(elsewhere.call, { KeyId: key.KeyMetadata.KeyId, Plaintext: Buffer.of(1) });
    elsewhere.close();
    expect(await refusalOf(attempt({ CiphertextBlob: foreign.CiphertextBlob }))).to.deep.equal({
      code: 'AccessDeniedException',
      message: INACCESSIBLE,
    });
    const named = await refusalOf(attempt({ CiphertextBlob: foreign.CiphertextBlob, KeyId: arn }));
    expect(named.code).to.equal('IncorrectKeyException');
  });

  it('tells a stranger who names no key nothing, and one who names the key that access is denied', async () => {
    const stranger = fixture.callAs('arn:aws:iam::999988887777:user/eve');
    expect(await refusalOf(decrypt(stranger, { ...context, CiphertextBlob: blob }))).to.deep.equal({
      code: 'AccessDeniedException',
      message: INACCESSIBLE,
    });
    expect(await refusalOf(decrypt(stranger, { ...context, CiphertextBlob: blob, KeyId: arn }))).to.deep.equal({
      code: 'AccessDeniedException',
      message:
        'User: arn:aws:iam::999988887777:user/eve is not authorized to perform this operation on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access',
    });
  });

  it('refuses algorithms of other key specs', async () => {
    const refusal = await refusalOf(attempt({ CiphertextBlob: blob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }));
    expect(refusal).to.deep.equal({
      code: 'InvalidKeyUsageException',
      message: 'Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.',
    });
  });

  it('asks for the blob unless a dry run ignores it', async () => {
    expect(await refusalOf(attempt({}))).to.deep.equal({
      code: 'ValidationException',
      message:
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
    });
    const dry = { DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] as const };
    expect((await refusalOf(attempt(dry))).message).to.contain("'keyId'");
    expect((await refusalOf(attempt({ ...dry, KeyId: arn }))).code).to.equal('DryRunOperationException');
    expect((await refusalOf(attempt({ DryRunModifiers: ['IGNORE_CIPHERTEXT'], KeyId: arn }))).code).to.equal(
      'ValidationException',
    );
  });

  it('decides a dry run last', async () => {
    expect(await refusalOf(attempt({ CiphertextBlob: blob, DryRun: true }))).to.deep.equal({
      code: 'DryRunOperationException',
      message: 'The request would have succeeded, but the DryRun option is set.',
    });
    const wrong = await refusalOf(attempt({ CiphertextBlob: blob, DryRun: true, EncryptionContext: {} }));
    expect(wrong.code).to.equal('InvalidCiphertextException');
  });

  it('refuses enclaves and grant tokens that it cannot serve', async () => {
    expect((await refusalOf(attempt({ CiphertextBlob: blob, Recipient: {} }))).code).to.equal('ValidationException');
    const granted = await refusalOf(attempt({ CiphertextBlob: blob, GrantTokens: ['token'] }));
    expect(granted.code).to.equal('InvalidGrantTokenException');
  });

  it('says that the key is not available where the token is not', async () => {
    fixture.hsm.faults.push({ call: 'decrypt', error: new HsmError('ERR_HSM_UNAVAILABLE', 'away') });
    expect((await refusalOf(attempt({ CiphertextBlob: blob }))).code).to.equal('KeyUnavailableException');
  });
});
