import { createHash, verify as verifySignature, sign as signOutside, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import type { RequestedKeySpec, SigningAlgorithm } from '../../../../src/kms/key_spec.js';
import { sign } from '../../../../src/kms/operations/sign.js';
import { verify } from '../../../../src/kms/operations/verify.js';
import { makeKey, publicKeyOf, type TestKey } from '../../../support/keys_of_every_spec.js';
import { hashOf, paddingOf } from '../../../support/software_algorithm.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const Message = Buffer.from('the message');

const CASES: readonly [RequestedKeySpec, SigningAlgorithm][] = [
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512'],
  ['RSA_2048', 'RSASSA_PSS_SHA_256'],
  ['RSA_2048', 'RSASSA_PSS_SHA_384'],
  ['ECC_NIST_P256', 'ECDSA_SHA_256'],
  ['ECC_NIST_P384', 'ECDSA_SHA_384'],
  ['ECC_NIST_P521', 'ECDSA_SHA_512'],
  ['ECC_SECG_P256K1', 'ECDSA_SHA_256'],
  ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512'],
];

describe('Sign and Verify', () => {
  let fixture: SoftwareRegion;
  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  for (const [spec, SigningAlgorithm] of CASES) {
    it(`make and accept ${SigningAlgorithm} of ${spec}, which others verify by the public key`, async () => {
      const key = await makeKey(fixture, spec, 'SIGN_VERIFY');
      const signed = await sign(fixture.call, { KeyId: key.arn, Message, SigningAlgorithm });
      expect(signed).to.include({ KeyId: key.arn, SigningAlgorithm });
      const publicKey = await publicKeyOf(fixture, key);
      const hash = spec === 'ECC_NIST_EDWARDS25519' ? null : hashOf(SigningAlgorithm);
      const options = { key: publicKey, ...paddingOf(SigningAlgorithm) };
      expect(verifySignature(hash, Message, options, signed.Signature)).to.equal(true);
      const request = { KeyId: key.arn, Message, SigningAlgorithm, Signature: signed.Signature };
      expect(await verify(fixture.call, request)).to.deep.equal({
        KeyId: key.arn,
        SignatureValid: true,
        SigningAlgorithm,
      });
      const wrong = { ...request, Message: Buffer.from('another message') };
      expect(await refusalOf(verify(fixture.call, wrong))).to.deep.equal({
        code: 'KMSInvalidSignatureException',
        message: '',
      });
    });
  }

  it('accept no signature of another key, and none that is no signature', async () => {
    const key = await makeKey(fixture, 'ECC_NIST_P256', 'SIGN_VERIFY');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const Signature of [signOutside('sha256', Message, privateKey), Buffer.alloc(1), Buffer.alloc(6144, 0x30)]) {
      const request = { KeyId: key.arn, Message, SigningAlgorithm: 'ECDSA_SHA_256', Signature } as const;
      expect((await refusalOf(verify(fixture.call, request))).code).to.equal('KMSInvalidSignatureException');
    }
  });

  describe('of digests', () => {
    let key: TestKey;
    beforeEach(async () => {
      key = await makeKey(fixture, 'RSA_2048', 'SIGN_VERIFY');
    });
    const SigningAlgorithm = 'RSASSA_PKCS1_V1_5_SHA_256';

    it('agree with those of the message', async () => {
      const digest = createHash('sha256').update(Message).digest();
      const { Signature } = await sign(fixture.call, {
        KeyId: key.arn,
        Message: digest,
        MessageType: 'DIGEST',
        SigningAlgorithm,
      });
      const request = { KeyId: key.arn, Signature, SigningAlgorithm } as const;
      expect(await verify(fixture.call, { ...request, Message })).to.have.property('SignatureValid', true);
      const ofDigest = { ...request, Message: digest, MessageType: 'DIGEST' } as const;
      expect(await verify(fixture.call, ofDigest)).to.have.property('SignatureValid', true);
    });

    for (const octets of [1, 31, 33, 64]) {
      it(`refuse one of ${octets} octets, before the token is asked`, async () => {
        const request = { KeyId: key.arn, Message: Buffer.alloc(octets), MessageType: 'DIGEST' } as const;
        const refusal = {
          code: 'ValidationException',
          message: 'Digest is invalid length for algorithm RSASSA_PSS_SHA_256.',
        };
        const signing = { ...request, SigningAlgorithm: 'RSASSA_PSS_SHA_256' } as const;
        expect(await refusalOf(sign(fixture.call, signing))).to.deep.equal(refusal);
        expect(await refusalOf(verify(fixture.call, { ...signing, Signature: Buffer.alloc(256) }))).to.deep.equal(
          refusal,
        );
        expect(fixture.hsm.calls).to.deep.equal(['createMaterial']);
      });
    }
  });

  const types: readonly [RequestedKeySpec, SigningAlgorithm, 'RAW' | 'DIGEST' | 'EXTERNAL_MU'][] = [
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'EXTERNAL_MU'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'DIGEST'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 'RAW'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'EXTERNAL_MU'],
  ];
  for (const [spec, SigningAlgorithm, MessageType] of types) {
    it(`refuse the message type ${MessageType} with ${SigningAlgorithm}`, async () => {
      const key = await makeKey(fixture, spec, 'SIGN_VERIFY');
      const request = { KeyId: key.arn, Message: Buffer.alloc(64), MessageType, SigningAlgorithm };
      expect(await refusalOf(sign(fixture.call, request))).to.deep.equal({
        code: 'ValidationException',
        message: `MessageType ${MessageType} is not compatible with algorithm ${SigningAlgorithm}.`,
      });
    });
  }
});
