import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseKeyReference } from '../../../src/kms/key_id.js';
import { KmsError } from '../../../src/kms/errors.js';
import { ENCRYPTION_ALGORITHMS, SIGNING_ALGORITHMS } from '../../../src/kms/key_spec.js';
import { getPublicKey } from '../../../src/kms/operations/get_public_key.js';
import { requireValidPolicy } from '../../../src/kms/policy.js';
import { AwsError } from '../../../src/surfaces/aws/exceptions.js';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import { readHeaders } from '../../../src/surfaces/aws/request_headers.js';
import { SignatureVerifier } from '../../../src/surfaces/aws/sigv4.js';
import { makeKey } from '../../support/keys_of_every_spec.js';
import { makeSoftwareRegion } from '../../support/software_region.js';

/** Whether work was refused in the words of the service, or succeeded: anything else is a defect. */
async function staysWithinWords(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof AwsError || error instanceof KmsError) return true;
    throw error;
  }
}

describe('Hostile input', function () {
  this.timeout(10_000);

  it('of any JSON to any operation is refused in the words of the service', async () => {
    const fixture = makeSoftwareRegion();
    const names = ['KeyId', 'Plaintext', 'CiphertextBlob', 'EncryptionContext', 'Tags', 'Policy', 'ReplicaRegion'];
    const more = ['DestinationKeyId', 'NumberOfBytes', 'Limit', 'Marker', 'DryRun', 'GrantTokens', 'KeySpec'];
    const member = fc.oneof(fc.constantFrom(...names, ...more), fc.string());
    const value = fc.oneof(
      fc.jsonValue(),
      fc.base64String(),
      fc.integer({ min: -1, max: 2000 }),
      fc.constant('alias/x'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...OPERATIONS.keys()), fc.dictionary(member, value), async (name, request) => {
        const run = OPERATIONS.get(name);
        if (run === undefined) throw new Error(`${name} is gone`);
        return staysWithinWords(() => run(Buffer.from(JSON.stringify(request))).run(fixture.call));
      }),
      { numRuns: 1500 },
    );
    fixture.close();
  });

  it('to the operations of every key spec, with keys that exist, is refused in the words of the service', async () => {
    const fixture = makeSoftwareRegion();
    const keys = [
      await makeKey(fixture, 'HMAC_256', 'GENERATE_VERIFY_MAC'),
      await makeKey(fixture, 'ECC_NIST_P256', 'SIGN_VERIFY'),
      await makeKey(fixture, 'ECC_NIST_P256', 'KEY_AGREEMENT'),
      await makeKey(fixture, 'ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'),
      await makeKey(fixture, 'RSA_2048', 'SIGN_VERIFY'),
      await makeKey(fixture, 'RSA_2048', 'ENCRYPT_DECRYPT'),
      await makeKey(fixture, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
    ];
    const names = ['Encrypt', 'Decrypt', 'ReEncrypt', 'Sign', 'Verify', 'GenerateMac', 'VerifyMac'];
    const operation = fc.constantFrom(...names, 'DeriveSharedSecret', 'GetPublicKey', 'GenerateDataKey');
    const keyId = fc.constantFrom(...keys.map((key) => key.keyId));
    const { PublicKey } = await getPublicKey(fixture.call, { KeyId: keys[2]?.keyId ?? '' });
    const spki = fc
      .tuple(fc.nat({ max: PublicKey.length - 1 }), fc.nat({ max: 255 }), fc.nat({ max: PublicKey.length }))
      .map(([at, octet, length]) => {
        const changed = Buffer.from(PublicKey).subarray(0, length);
        if (at < length) changed[at] = octet;
        return changed;
      });
    const octets = fc
      .oneof(
        spki,
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.constantFrom(20, 32, 64, 256).map((n) => Buffer.alloc(n, 1)),
      )
      .map((value) => Buffer.from(value).toString('base64'));
    const request = fc.record(
      {
        KeyId: keyId,
        DestinationKeyId: keyId,
        SourceKeyId: keyId,
        Message: octets,
        Plaintext: octets,
        CiphertextBlob: octets,
        Signature: octets,
        Mac: octets,
        PublicKey: octets,
        MessageType: fc.constantFrom('RAW', 'DIGEST', 'EXTERNAL_MU'),
        SigningAlgorithm: fc.constantFrom(...SIGNING_ALGORITHMS),
        MacAlgorithm: fc.constantFrom('HMAC_SHA_256', 'HMAC_SHA_512'),
        KeyAgreementAlgorithm: fc.constant('ECDH'),
        EncryptionAlgorithm: fc.constantFrom(...ENCRYPTION_ALGORITHMS),
        SourceEncryptionAlgorithm: fc.constantFrom(...ENCRYPTION_ALGORITHMS),
        DestinationEncryptionAlgorithm: fc.constantFrom(...ENCRYPTION_ALGORITHMS),
        KeySpec: fc.constant('AES_256'),
        DryRun: fc.boolean(),
      },
      { requiredKeys: ['KeyId', 'DestinationKeyId', 'Message', 'PublicKey', 'KeyAgreementAlgorithm'] },
    );
    await fc.assert(
      fc.asyncProperty(operation, request, async (name, members) => {
        const run = OPERATIONS.get(name);
        if (run === undefined) throw new Error(`${name} is gone`);
        return staysWithinWords(() => run(Buffer.from(JSON.stringify(members))).run(fixture.call));
      }),
      { numRuns: 1500 },
    );
    fixture.close();
  });

  it('of any octets as a body is refused in the words of the service', async () => {
    const fixture = makeSoftwareRegion();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...OPERATIONS.values()), fc.uint8Array({ maxLength: 64 }), (run, body) =>
        staysWithinWords(() => run(body).run(fixture.call)),
      ),
      { numRuns: 500 },
    );
    fixture.close();
  });

  it('as headers never passes for a signature', () => {
    const credentials = [{ accessKeyId: 'AKID', secretAccessKey: 'secret', principal: 'arn:aws:iam::1:root' }];
    const verifier = new SignatureVerifier({ region: 'us-east-1', services: ['kms'], credentials, nowMs: () => 0 });
    const claim = fc
      .tuple(fc.stringMatching(/^[0-9]{8}$/), fc.stringMatching(/^[a-z;-]{1,20}$/), fc.stringMatching(/^[0-9a-f]{64}$/))
      .map(
        ([date, list, signature]) =>
          `AWS4-HMAC-SHA256 Credential=AKID/${date}/us-east-1/kms/aws4_request, SignedHeaders=${list}, Signature=${signature}`,
      );
    const name = fc.oneof(fc.constantFrom('host', 'x-amz-date', 'date', 'x-amz-target', '__proto__'), fc.string());
    const header = fc.tuple(name, fc.string());
    fc.assert(
      fc.property(fc.array(header), fc.oneof(claim, fc.string()), (others, authorization) => {
        const rawHeaders = [...others.flat(), 'authorization', authorization];
        const request = { method: 'POST', target: '/', headers: readHeaders(rawHeaders), body: Buffer.alloc(0) };
        expect(() => verifier.verify(request)).to.throw(AwsError);
      }),
      { numRuns: 1000 },
    );
  });

  it('as a key identifier or a key policy is refused or taken, and nothing else', async () => {
    const home = { partition: 'aws', region: 'us-east-1', account: '111122223333' };
    const fixture = makeSoftwareRegion();
    const part = fc.constantFrom('arn', 'aws', 'kms', 'us-east-1', '111122223333', 'key/x', 'alias/x', '', ':');
    const identifier = fc.oneof(
      fc.string(),
      fc.array(part).map((parts) => parts.join(':')),
    );
    const statement = fc.dictionary(
      fc.constantFrom('Effect', 'Principal', 'Action', 'Resource', 'Condition'),
      fc.oneof(fc.jsonValue(), fc.constantFrom<fc.JsonValue>('Allow', '*', 'kms:*')),
    );
    const policy = fc.oneof(
      fc.json(),
      fc.record({ Statement: statement }).map((document) => JSON.stringify(document)),
    );
    await fc.assert(
      fc.asyncProperty(identifier, policy, async (text, document) => {
        await staysWithinWords(() => parseKeyReference(text, home, 'key-or-alias'));
        return staysWithinWords(() => requireValidPolicy(fixture.call, document, { bypassLockoutCheck: false }));
      }),
      { numRuns: 1500 },
    );
    fixture.close();
  });
});
