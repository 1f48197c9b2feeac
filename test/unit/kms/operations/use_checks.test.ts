import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import type { KeyState } from '../../../../src/kms/key_state.js';
import type { RequestedKeySpec, RequestedKeyUsage } from '../../../../src/kms/key_spec.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { deriveSharedSecret } from '../../../../src/kms/operations/derive_shared_secret.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { generateDataKey } from '../../../../src/kms/operations/generate_data_key.js';
import { generateMac } from '../../../../src/kms/operations/generate_mac.js';
import { reEncrypt } from '../../../../src/kms/operations/re_encrypt.js';
import { sign } from '../../../../src/kms/operations/sign.js';
import { verify } from '../../../../src/kms/operations/verify.js';
import { verifyMac } from '../../../../src/kms/operations/verify_mac.js';
import type { KeyHsm } from '../../../../src/kms/ports.js';
import type { Call } from '../../../../src/kms/region.js';
import { HsmError } from '../../../../src/hsm/errors.js';
import { makeKey, putState, type TestKey } from '../../../support/keys_of_every_spec.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const Message = Buffer.from('message');
const PublicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });

interface Use {
  readonly name: string;
  /** What the HSM does. */
  readonly job: keyof KeyHsm;
  readonly keySpec: RequestedKeySpec;
  readonly keyUsage: RequestedKeyUsage;
  /** A key that is not for this. */
  readonly other: readonly [RequestedKeySpec, RequestedKeyUsage];
  /** An algorithm that the spec does not have. */
  readonly wrongAlgorithm: string;
  run(call: Call, KeyId: string, more?: { readonly DryRun?: boolean; readonly wrong?: boolean }): Promise<unknown>;
}

const USES: readonly Use[] = [
  {
    name: 'Sign',
    job: 'sign',
    keySpec: 'ECC_NIST_P256',
    keyUsage: 'SIGN_VERIFY',
    other: ['ECC_NIST_P256', 'KEY_AGREEMENT'],
    wrongAlgorithm: 'ECDSA_SHA_384',
    run: (call, KeyId, { wrong, ...more } = {}) =>
      sign(call, { KeyId, Message, SigningAlgorithm: wrong === true ? 'ECDSA_SHA_384' : 'ECDSA_SHA_256', ...more }),
  },
  {
    name: 'Verify',
    job: 'verify',
    keySpec: 'RSA_2048',
    keyUsage: 'SIGN_VERIFY',
    other: ['RSA_2048', 'ENCRYPT_DECRYPT'],
    wrongAlgorithm: 'ECDSA_SHA_256',
    run: async (call, KeyId, { wrong, ...more } = {}) => {
      const SigningAlgorithm = wrong === true ? 'ECDSA_SHA_256' : 'RSASSA_PSS_SHA_256';
      const { Signature } = await sign(call, { KeyId, Message, SigningAlgorithm }).catch(() => ({
        Signature: Message,
      }));
      return verify(call, { KeyId, Message, Signature, SigningAlgorithm, ...more });
    },
  },
  {
    name: 'GenerateMac',
    job: 'generateMac',
    keySpec: 'HMAC_224',
    keyUsage: 'GENERATE_VERIFY_MAC',
    other: ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    wrongAlgorithm: 'HMAC_SHA_256',
    run: (call, KeyId, { wrong, ...more } = {}) =>
      generateMac(call, { KeyId, Message, MacAlgorithm: wrong === true ? 'HMAC_SHA_256' : 'HMAC_SHA_224', ...more }),
  },
  {
    name: 'VerifyMac',
    job: 'generateMac',
    keySpec: 'HMAC_512',
    keyUsage: 'GENERATE_VERIFY_MAC',
    other: ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
    wrongAlgorithm: 'HMAC_SHA_384',
    run: async (call, KeyId, { wrong, ...more } = {}) => {
      const MacAlgorithm = wrong === true ? 'HMAC_SHA_384' : 'HMAC_SHA_512';
      const { Mac } = await generateMac(call, { KeyId, Message, MacAlgorithm }).catch(() => ({ Mac: Message }));
      return verifyMac(call, { KeyId, Message, Mac, MacAlgorithm, ...more });
    },
  },
  {
    name: 'DeriveSharedSecret',
    job: 'deriveSharedSecret',
    keySpec: 'ECC_NIST_P256',
    keyUsage: 'KEY_AGREEMENT',
    other: ['ECC_NIST_P256', 'SIGN_VERIFY'],
    wrongAlgorithm: '',
    run: (call, KeyId, { wrong: _wrong, ...more } = {}) =>
      deriveSharedSecret(call, { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey, ...more }),
  },
  {
    name: 'Encrypt',
    job: 'encryptRsa',
    keySpec: 'RSA_2048',
    keyUsage: 'ENCRYPT_DECRYPT',
    other: ['RSA_2048', 'SIGN_VERIFY'],
    wrongAlgorithm: 'SYMMETRIC_DEFAULT',
    run: (call, KeyId, { wrong, ...more } = {}) =>
      encrypt(call, {
        KeyId,
        Plaintext: Message,
        ...(wrong !== true && { EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }),
        ...more,
      }),
  },
  {
    name: 'Decrypt',
    job: 'decryptRsa',
    keySpec: 'RSA_2048',
    keyUsage: 'ENCRYPT_DECRYPT',
    other: ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    wrongAlgorithm: 'SM2PKE',
    run: async (call, KeyId, { wrong, ...more } = {}) => {
      const EncryptionAlgorithm = wrong === true ? 'SM2PKE' : 'RSAES_OAEP_SHA_1';
      const { CiphertextBlob } = await encrypt(call, { KeyId, Plaintext: Message, EncryptionAlgorithm }).catch(() => ({
        CiphertextBlob: Message,
      }));
      return decrypt(call, { KeyId, CiphertextBlob, EncryptionAlgorithm, ...more });
    },
  },
];

const STATES: readonly [KeyState, string, string][] = [
  ['Disabled', 'DisabledException', 'is disabled.'],
  ['Creating', 'KMSInvalidStateException', 'is creating.'],
  ['PendingImport', 'KMSInvalidStateException', 'is pending import.'],
  ['PendingDeletion', 'KMSInvalidStateException', 'is pending deletion'],
  ['PendingReplicaDeletion', 'KMSInvalidStateException', 'is pending deletion'],
];

for (const use of USES) {
  describe(`${use.name} of a key`, () => {
    let fixture: SoftwareRegion;
    let key: TestKey;
    beforeEach(async () => {
      fixture = makeSoftwareRegion();
      key = await makeKey(fixture, use.keySpec, use.keyUsage);
    });
    afterEach(() => fixture.close());

    it('answers the key’s ARN, whether it was named by its id or by its ARN', async () => {
      for (const named of [key.keyId, key.arn]) {
        expect(await use.run(fixture.call, named)).to.have.property('KeyId', key.arn);
      }
    });

    for (const [state, code, words] of STATES) {
      it(`is refused while the key is ${state}`, async () => {
        putState(fixture, key, state);
        const refusal = await refusalOf(use.run(fixture.call, key.keyId));
        expect(refusal.code).to.equal(code);
        expect(refusal.message).to.contain(`${key.arn} ${words}`);
      });
    }

    it('goes on while the primary region changes', async () => {
      putState(fixture, key, 'Updating');
      expect(await use.run(fixture.call, key.keyId)).to.have.property('KeyId', key.arn);
    });

    it('is refused with a key of another usage', async () => {
      const [spec, usage] = use.other;
      const other = await makeKey(fixture, spec, usage);
      expect(await refusalOf(use.run(fixture.call, other.keyId))).to.deep.equal({
        code: 'InvalidKeyUsageException',
        message: `${other.arn} key usage is ${usage} which is not valid for ${use.name}.`,
      });
    });

    if (use.wrongAlgorithm !== '') {
      it('is refused by an algorithm of another spec', async () => {
        expect(await refusalOf(use.run(fixture.call, key.keyId, { wrong: true }))).to.deep.equal({
          code: 'InvalidKeyUsageException',
          message: `Algorithm ${use.wrongAlgorithm} is incompatible with key spec ${use.keySpec}.`,
        });
      });
    }

    it('is refused to strangers before anything is said about the key', async () => {
      putState(fixture, key, 'Disabled');
      const stranger = fixture.callAs('arn:aws:iam::999988887777:user/eve');
      expect((await refusalOf(use.run(stranger, key.arn, { wrong: true }))).code).to.equal('AccessDeniedException');
    });

    it('answers a dry run of what would have succeeded, and of nothing else', async () => {
      expect((await refusalOf(use.run(fixture.call, key.keyId, { DryRun: true }))).code).to.equal(
        'DryRunOperationException',
      );
      putState(fixture, key, 'Disabled');
      expect((await refusalOf(use.run(fixture.call, key.keyId, { DryRun: true }))).code).to.equal('DisabledException');
    });

    it('names the mechanism that the token lacks', async () => {
      const error = new HsmError('ERR_HSM_STRATEGY', 'CKM_SOMETHING is missing');
      // VerifyMac's MAC is made by the same job: its own one fails too, and is the second.
      fixture.hsm.faults.push({ call: use.job, error }, { call: use.job, error });
      expect(await refusalOf(use.run(fixture.call, key.keyId))).to.deep.equal({
        code: 'UnsupportedOperationException',
        message: 'CKM_SOMETHING is missing',
      });
    });
  });
}

describe('Operations of symmetric keys', () => {
  let fixture: SoftwareRegion;
  before(() => {
    fixture = makeSoftwareRegion();
  });
  after(() => fixture.close());

  it('refuse to make data keys under keys of other specs', async () => {
    const rsa = await makeKey(fixture, 'RSA_2048', 'ENCRYPT_DECRYPT');
    const attempt = (KeyId: string) => refusalOf(generateDataKey(fixture.call, { KeyId, KeySpec: 'AES_256' }));
    expect(await attempt(rsa.keyId)).to.deep.equal({
      code: 'InvalidKeyUsageException',
      message: 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
    });
    const hmac = await makeKey(fixture, 'HMAC_256', 'GENERATE_VERIFY_MAC');
    expect((await attempt(hmac.keyId)).message).to.equal(
      `${hmac.arn} key usage is GENERATE_VERIFY_MAC which is not valid for GenerateDataKey.`,
    );
  });

  it('name ReEncrypt as the API does where a key is not for it', async () => {
    const symmetric = await makeKey(fixture, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const signing = await makeKey(fixture, 'ECC_NIST_P256', 'SIGN_VERIFY');
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: symmetric.keyId, Plaintext: Message });
    const refusal = await refusalOf(reEncrypt(fixture.call, { CiphertextBlob, DestinationKeyId: signing.keyId }));
    expect(refusal.message).to.equal(`${signing.arn} key usage is SIGN_VERIFY which is not valid for ReEncrypt.`);
  });
});
