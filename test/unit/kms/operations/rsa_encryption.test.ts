import { expect } from 'chai';
import type { EncryptionAlgorithm } from '../../../../src/kms/key_spec.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { reEncrypt } from '../../../../src/kms/operations/re_encrypt.js';
import { makeKey, publicKeyOf, type TestKey } from '../../../support/keys_of_every_spec.js';
import { softwareOaepEncrypt } from '../../../support/software_algorithm.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const Plaintext = Buffer.from('the plaintext');
const ALGORITHMS: readonly [EncryptionAlgorithm, number][] = [
  ['RSAES_OAEP_SHA_1', 214],
  ['RSAES_OAEP_SHA_256', 190],
];

describe('Encrypt, Decrypt and ReEncrypt by RSA', () => {
  let fixture: SoftwareRegion;
  let key: TestKey;
  let symmetric: TestKey;
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    key = await makeKey(fixture, 'RSA_2048', 'ENCRYPT_DECRYPT');
    symmetric = await makeKey(fixture, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
  });
  afterEach(() => fixture.close());

  const seal = (EncryptionAlgorithm: EncryptionAlgorithm, plaintext: Uint8Array = Plaintext) =>
    encrypt(fixture.call, { KeyId: key.arn, Plaintext: plaintext, EncryptionAlgorithm });
  const open = (CiphertextBlob: Uint8Array, EncryptionAlgorithm: EncryptionAlgorithm) =>
    decrypt(fixture.call, { KeyId: key.arn, CiphertextBlob, EncryptionAlgorithm });

  for (const [algorithm, octetsMax] of ALGORITHMS) {
    it(`open by ${algorithm} what was sealed here, and outside under the public key`, async () => {
      const sealed = await seal(algorithm);
      expect(sealed).to.include({ KeyId: key.arn, EncryptionAlgorithm: algorithm });
      const outside = softwareOaepEncrypt(await publicKeyOf(fixture, key), algorithm, Plaintext);
      for (const blob of [sealed.CiphertextBlob, outside]) {
        const opened = await open(blob, algorithm);
        expect(Buffer.from(opened.Plaintext).equals(Plaintext)).to.equal(true);
        expect(opened).to.not.have.property('KeyMaterialId');
      }
    });

    it(`take ${octetsMax} octets by ${algorithm} and no more`, async () => {
      const longest = await seal(algorithm, Buffer.alloc(octetsMax, 7));
      expect((await open(longest.CiphertextBlob, algorithm)).Plaintext).to.have.length(octetsMax);
      expect(await refusalOf(seal(algorithm, Buffer.alloc(octetsMax + 1)))).to.deep.equal({
        code: 'ValidationException',
        message: `Algorithm ${algorithm} and key spec RSA_2048 cannot encrypt data larger than ${octetsMax} bytes.`,
      });
    });
  }

  it('give one answer for every ciphertext that does not decrypt', async () => {
    const { CiphertextBlob } = await seal('RSAES_OAEP_SHA_256');
    const flipped = Buffer.from(CiphertextBlob);
    flipped[100] = (flipped[100] ?? 0) ^ 1;
    const symmetricBlob = (await encrypt(fixture.call, { KeyId: symmetric.arn, Plaintext })).CiphertextBlob;
    const wrong = [flipped, CiphertextBlob.subarray(1), Buffer.concat([CiphertextBlob, Buffer.of(0)]), symmetricBlob];
    for (const blob of [...wrong, Buffer.alloc(256), Buffer.alloc(256, 0xff)]) {
      expect(await refusalOf(open(blob, 'RSAES_OAEP_SHA_256'))).to.deep.equal({
        code: 'InvalidCiphertextException',
        message: '',
      });
    }
    expect((await refusalOf(open(CiphertextBlob, 'RSAES_OAEP_SHA_1'))).code).to.equal('InvalidCiphertextException');
  });

  it('need the key to be named', async () => {
    const { CiphertextBlob } = await seal('RSAES_OAEP_SHA_256');
    const request = { CiphertextBlob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
    expect(await refusalOf(decrypt(fixture.call, request))).to.deep.equal({
      code: 'ValidationException',
      message: 'KeyId is required with the algorithm RSAES_OAEP_SHA_256.',
    });
    expect((await refusalOf(decrypt(fixture.call, { CiphertextBlob }))).code).to.equal('InvalidCiphertextException');
  });

  it('take an empty encryption context and refuse any other', async () => {
    const request = { KeyId: key.arn, Plaintext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
    const { CiphertextBlob } = await encrypt(fixture.call, { ...request, EncryptionContext: {} });
    const context = { EncryptionContext: { a: '1' } };
    const refusal = {
      code: 'ValidationException',
      message: 'An encryption context cannot be used with key spec RSA_2048.',
    };
    expect(await refusalOf(encrypt(fixture.call, { ...request, ...context }))).to.deep.equal(refusal);
    const opening = { KeyId: key.arn, CiphertextBlob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256', ...context } as const;
    expect(await refusalOf(decrypt(fixture.call, opening))).to.deep.equal(refusal);
  });

  it('move what is sealed between symmetric and RSA keys in one job that shows no plaintext', async () => {
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: symmetric.arn, Plaintext });
    const toRsa = await reEncrypt(fixture.call, {
      CiphertextBlob,
      DestinationKeyId: key.arn,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
    });
    expect(toRsa).to.include({ SourceKeyId: symmetric.arn, KeyId: key.arn });
    expect(toRsa).to.have.property('SourceKeyMaterialId');
    expect(toRsa).to.not.have.property('DestinationKeyMaterialId');
    const back = await reEncrypt(fixture.call, {
      CiphertextBlob: toRsa.CiphertextBlob,
      SourceKeyId: key.arn,
      SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
      DestinationKeyId: symmetric.arn,
    });
    expect(back).to.not.have.property('SourceKeyMaterialId');
    const opened = await decrypt(fixture.call, { CiphertextBlob: back.CiphertextBlob });
    expect(Buffer.from(opened.Plaintext).equals(Plaintext)).to.equal(true);
    expect(fixture.hsm.calls.slice(-3)).to.deep.equal(['reEncrypt', 'reEncrypt', 'decrypt']);
  });

  it('refuse to move more under an RSA key than it can hold, before the token is asked', async () => {
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: symmetric.arn, Plaintext: Buffer.alloc(191) });
    const calls = fixture.hsm.calls.length;
    const moving = reEncrypt(fixture.call, {
      CiphertextBlob,
      DestinationKeyId: key.arn,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    });
    expect((await refusalOf(moving)).message).to.contain('cannot encrypt data larger than 190 bytes.');
    expect(fixture.hsm.calls).to.have.length(calls);
  });
});
