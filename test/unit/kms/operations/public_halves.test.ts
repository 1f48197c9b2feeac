import { createECDH, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import type { RequestedKeySpec } from '../../../../src/kms/key_spec.js';
import { deriveSharedSecret } from '../../../../src/kms/operations/derive_shared_secret.js';
import { getPublicKey } from '../../../../src/kms/operations/get_public_key.js';
import { makeKey, publicKeyOf, putState } from '../../../support/keys_of_every_spec.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const CURVES: readonly [RequestedKeySpec, string, number][] = [
  ['ECC_NIST_P256', 'P-256', 32],
  ['ECC_NIST_P384', 'P-384', 48],
  ['ECC_NIST_P521', 'P-521', 66],
];

/** SubjectPublicKeyInfo of a P-256 point in any form. */
function p256(point: Uint8Array): Buffer {
  const algorithm = Buffer.from('301306072a8648ce3d020106082a8648ce3d030107', 'hex');
  const bits = Buffer.concat([Buffer.of(3, point.length + 1, 0), point]);
  return Buffer.concat([Buffer.of(0x30, algorithm.length + bits.length), algorithm, bits]);
}

describe('GetPublicKey', () => {
  let fixture: SoftwareRegion;
  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  it('answers SubjectPublicKeyInfo with spec, usage and algorithms', async () => {
    const key = await makeKey(fixture, 'ECC_NIST_P384', 'KEY_AGREEMENT');
    const answer = await getPublicKey(fixture.call, { KeyId: key.keyId });
    const { PublicKey, ...rest } = answer;
    expect(PublicKey).to.have.length(120);
    expect(rest).to.deep.equal({
      KeyId: key.arn,
      KeySpec: 'ECC_NIST_P384',
      CustomerMasterKeySpec: 'ECC_NIST_P384',
      KeyUsage: 'KEY_AGREEMENT',
      KeyAgreementAlgorithms: ['ECDH'],
    });
  });

  for (const [spec, usage] of [
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ] as const) {
    it(`refuses ${spec}`, async () => {
      const key = await makeKey(fixture, spec, usage);
      expect((await refusalOf(getPublicKey(fixture.call, { KeyId: key.arn }))).code).to.equal(
        'UnsupportedOperationException',
      );
    });
  }

  it('works with a disabled key, and not with one that is being created or to be deleted', async () => {
    const key = await makeKey(fixture, 'RSA_2048', 'SIGN_VERIFY');
    for (const state of ['Disabled', 'PendingImport', 'Updating'] as const) {
      putState(fixture, key, state);
      expect((await getPublicKey(fixture.call, { KeyId: key.arn })).PublicKey).to.have.length(294);
    }
    for (const state of ['PendingDeletion', 'PendingReplicaDeletion', 'Creating'] as const) {
      putState(fixture, key, state);
      expect((await refusalOf(getPublicKey(fixture.call, { KeyId: key.arn }))).code).to.equal(
        'KMSInvalidStateException',
      );
    }
  });

  it('says nothing to strangers', async () => {
    const key = await makeKey(fixture, 'ECC_SECG_P256K1', 'SIGN_VERIFY');
    const stranger = fixture.callAs('arn:aws:iam::999988887777:user/eve');
    expect((await refusalOf(getPublicKey(stranger, { KeyId: key.arn }))).code).to.equal('AccessDeniedException');
  });
});

describe('DeriveSharedSecret', () => {
  let fixture: SoftwareRegion;
  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  const derive = (KeyId: string, PublicKey: Uint8Array) =>
    deriveSharedSecret(fixture.call, { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey });

  for (const [spec, namedCurve, octets] of CURVES) {
    it(`answers the x coordinate that the peer finds, on ${namedCurve}`, async () => {
      const key = await makeKey(fixture, spec, 'KEY_AGREEMENT');
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
      const answer = await derive(key.arn, publicKey.export({ format: 'der', type: 'spki' }));
      expect(answer).to.include({ KeyId: key.arn, KeyAgreementAlgorithm: 'ECDH', KeyOrigin: 'AWS_KMS' });
      const expected = diffieHellman({ privateKey, publicKey: await publicKeyOf(fixture, key) });
      expect(expected).to.have.length(octets);
      expect(expected.equals(answer.SharedSecret)).to.equal(true);
    });
  }

  it('takes a compressed point for the same point', async () => {
    const key = await makeKey(fixture, 'ECC_NIST_P256', 'KEY_AGREEMENT');
    for (let tries = 0; tries < 4; tries += 1) {
      const peer = createECDH('prime256v1');
      peer.generateKeys();
      const long = await derive(key.arn, p256(peer.getPublicKey()));
      const short = await derive(key.arn, p256(peer.getPublicKey(null, 'compressed')));
      expect(Buffer.from(short.SharedSecret).equals(long.SharedSecret)).to.equal(true);
    }
  });

  it('refuses what is no public key of its curve, without a word and before the token is asked', async () => {
    const key = await makeKey(fixture, 'ECC_NIST_P256', 'KEY_AGREEMENT');
    const ecdh = createECDH('prime256v1');
    const point = ecdh.generateKeys();
    const offCurve = Buffer.from(point);
    offCurve[64] = (offCurve[64] ?? 0) ^ 1;
    const good = p256(point);
    const spki = (curve: string) =>
      generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'der', type: 'spki' });
    const explicit = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey;
    const wrong: readonly [string, Uint8Array][] = [
      ['another curve', spki('P-384')],
      ['a curve of the same size', spki('secp256k1')],
      ['explicit parameters', explicit.export({ format: 'der', type: 'spki' })],
      ['an X25519 key', generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' })],
      ['a point off the curve', p256(offCurve)],
      ['the point at infinity', p256(Buffer.of(0))],
      ['a hybrid point', p256(ecdh.getPublicKey(null, 'hybrid'))],
      ['a coordinate that is no field element', p256(Buffer.concat([Buffer.of(4), Buffer.alloc(64, 0xff)]))],
      ['something behind it', Buffer.concat([good, Buffer.of(0)])],
      ['half of it', good.subarray(0, 50)],
      ['a bare point', point],
      ['no DER at all', Buffer.from('-----BEGIN PUBLIC KEY-----')],
    ];
    for (const [what, PublicKey] of wrong) {
      expect(await refusalOf(derive(key.arn, PublicKey)), what).to.deep.equal({
        code: 'ValidationException',
        message: '',
      });
    }
    expect(fixture.hsm.calls).to.deep.equal(['createMaterial']);
  });

  it('refuses enclaves', async () => {
    const key = await makeKey(fixture, 'ECC_NIST_P256', 'KEY_AGREEMENT');
    const refusal = await refusalOf(
      deriveSharedSecret(fixture.call, {
        KeyId: key.arn,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: Buffer.alloc(91),
        Recipient: { KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' },
      }),
    );
    expect(refusal.code).to.equal('ValidationException');
  });
});
