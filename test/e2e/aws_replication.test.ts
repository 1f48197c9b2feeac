import { generateKeyPairSync } from 'node:crypto';
import {
  CreateKeyCommand,
  DecryptCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateMacCommand,
  GetPublicKeyCommand,
  ReEncryptCommand,
  ReplicateKeyCommand,
  SignCommand,
  VerifyCommand,
  VerifyMacCommand,
  type KeyMetadata,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { makeRegionPair, type RegionPair } from '../support/region_pair.js';
import type { SoftwareTokenKind } from '../support/token_directory.js';

const PAIRS: readonly [SoftwareTokenKind, SoftwareTokenKind][] = [
  ['softhsm2', 'nss'],
  ['nss', 'softhsm2'],
];

for (const [from, to] of PAIRS) {
  describe(`Two regions, the first on ${from} and the second on ${to}, through the AWS SDK`, function () {
    this.timeout(30_000);
    let pair: RegionPair;
    let first: KMSClient;
    let second: KMSClient;

    before(async () => {
      pair = await makeRegionPair({ name: 'us-east-1', kind: from }, { name: 'eu-west-1', kind: to });
      first = pair.first.client();
      second = pair.second.client();
    });
    after(() => pair?.close());

    it('replicates a key, and each region decrypts what the other encrypts', async () => {
      const KeyId = await createPrimary(first);
      const begun = await first.send(
        new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1', Description: 'the replica’s own' }),
      );
      expect(begun.ReplicaKeyMetadata?.KeyState).to.equal('Creating');
      const replica = await waitUntilEnabled(second, KeyId);
      const primary = (await first.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;
      expect(replica).to.deep.include({
        KeyId,
        Description: 'the replica’s own',
        CurrentKeyMaterialId: primary?.CurrentKeyMaterialId,
      });
      expect(replica.MultiRegionConfiguration).to.deep.equal({
        ...primary?.MultiRegionConfiguration,
        MultiRegionKeyType: 'REPLICA',
      });
      for (const [here, there] of [
        [first, second],
        [second, first],
      ] as const) {
        const EncryptionContext = { crossed: 'the proxy' };
        const { CiphertextBlob } = await here.send(
          new EncryptCommand({ KeyId, Plaintext: Buffer.from('one key, two tokens'), EncryptionContext }),
        );
        const { Plaintext } = await there.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
        expect(Buffer.from(Plaintext ?? []).toString()).to.equal('one key, two tokens');
      }
      expect([pair.first.refusals, pair.second.refusals]).to.deep.equal([[], []]);
    });

    for (const [spec, usage] of [
      ['HMAC_224', 'GENERATE_VERIFY_MAC'],
      ['HMAC_512', 'GENERATE_VERIFY_MAC'],
      ['ECC_NIST_P256', 'SIGN_VERIFY'],
      ['ECC_NIST_P521', 'KEY_AGREEMENT'],
      ['RSA_2048', 'SIGN_VERIFY'],
      ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ] as const) {
      it(`replicates ${spec} for ${usage}: both regions have one key`, async () => {
        const made = await first.send(new CreateKeyCommand({ MultiRegion: true, KeySpec: spec, KeyUsage: usage }));
        const KeyId = made.KeyMetadata?.KeyId ?? '';
        const before = await trace(first, KeyId, usage);
        await first.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' }));
        const replica = await waitUntilEnabled(second, KeyId);
        expect(replica).to.include({ KeySpec: spec, KeyUsage: usage });
        await before.isOfTheSameKey(second);
        await (await trace(second, KeyId, usage)).isOfTheSameKey(first);
        expect([pair.first.refusals, pair.second.refusals]).to.deep.equal([[], []]);
      });
    }

    it('does not decrypt blobs of keys that were not replicated', async () => {
      const KeyId = await createPrimary(first);
      const { CiphertextBlob } = await first.send(new EncryptCommand({ KeyId, Plaintext: Buffer.of(1) }));
      const failure = await second.send(new DecryptCommand({ CiphertextBlob })).catch((error: Error) => error);
      expect(failure).to.have.property('name', 'AccessDeniedException');
      const unknown = await second.send(new DescribeKeyCommand({ KeyId })).catch((error: Error) => error);
      expect(unknown).to.have.property(
        'message',
        `Key 'arn:aws:kms:eu-west-1:111122223333:key/${KeyId}' does not exist`,
      );
    });

    it('re-encrypts in the replica’s region what was encrypted before there was a replica', async () => {
      const KeyId = await createPrimary(first);
      const { CiphertextBlob } = await first.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('early') }));
      await first.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' }));
      await waitUntilEnabled(second, KeyId);
      const local = (await second.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId;
      const moved = await second.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: local }));
      const { Plaintext } = await second.send(new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob }));
      expect(Buffer.from(Plaintext ?? []).toString()).to.equal('early');
    });

    it('goes on with a replication that the network interrupted', async () => {
      const KeyId = await createPrimary(first);
      pair.connect(false);
      await first.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' }));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const away = await second.send(new DescribeKeyCommand({ KeyId })).catch((error: Error) => error);
      expect(away).to.have.property('name', 'NotFoundException');
      pair.connect(true);
      expect((await waitUntilEnabled(second, KeyId)).KeyState).to.equal('Enabled');
    });

    it('refuses a second replica, a replica of the replica, and an unknown region', async () => {
      const KeyId = await createPrimary(first);
      await first.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' }));
      await waitUntilEnabled(second, KeyId);
      const failures = [
        first.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' })),
        second.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'us-east-1' })),
        first.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'sa-east-1' })),
      ].map((work) => work.catch((error: Error) => error.name));
      expect(await Promise.all(failures)).to.deep.equal([
        'AlreadyExistsException',
        'UnsupportedOperationException',
        'ValidationException',
      ]);
    });
  });
}

/** What a key did in one region, and how another region shows that it holds the same key. */
interface KeyTrace {
  isOfTheSameKey(elsewhere: KMSClient): Promise<void>;
}

async function trace(
  client: KMSClient,
  KeyId: string,
  usage: 'GENERATE_VERIFY_MAC' | 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT' | 'KEY_AGREEMENT',
): Promise<KeyTrace> {
  const Message = Buffer.from('one key, two tokens');
  if (usage === 'GENERATE_VERIFY_MAC') {
    const { MacAlgorithms } = (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata ?? {};
    const MacAlgorithm = MacAlgorithms?.[0];
    const { Mac } = await client.send(new GenerateMacCommand({ KeyId, Message, MacAlgorithm }));
    return {
      isOfTheSameKey: async (elsewhere) => {
        const verified = await elsewhere.send(new VerifyMacCommand({ KeyId, Message, MacAlgorithm, Mac }));
        expect(verified.MacValid).to.equal(true);
      },
    };
  }
  const { PublicKey, SigningAlgorithms } = await client.send(new GetPublicKeyCommand({ KeyId }));
  const isTheSamePublicKey = async (elsewhere: KMSClient) => {
    const there = await elsewhere.send(new GetPublicKeyCommand({ KeyId }));
    expect(there.PublicKey).to.deep.equal(PublicKey);
  };
  if (usage === 'SIGN_VERIFY') {
    const SigningAlgorithm = SigningAlgorithms?.[0];
    const { Signature } = await client.send(new SignCommand({ KeyId, Message, SigningAlgorithm }));
    return {
      isOfTheSameKey: async (elsewhere) => {
        await isTheSamePublicKey(elsewhere);
        const verified = await elsewhere.send(new VerifyCommand({ KeyId, Message, SigningAlgorithm, Signature }));
        expect(verified.SignatureValid).to.equal(true);
      },
    };
  }
  if (usage === 'ENCRYPT_DECRYPT') {
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_1';
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId, Plaintext: Message, EncryptionAlgorithm }),
    );
    return {
      isOfTheSameKey: async (elsewhere) => {
        await isTheSamePublicKey(elsewhere);
        const { Plaintext } = await elsewhere.send(new DecryptCommand({ KeyId, CiphertextBlob, EncryptionAlgorithm }));
        expect(Buffer.from(Plaintext ?? []).equals(Message)).to.equal(true);
      },
    };
  }
  const peer = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'der', type: 'spki' });
  const agreement = { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: peer } as const;
  const { SharedSecret } = await client.send(new DeriveSharedSecretCommand(agreement));
  return {
    isOfTheSameKey: async (elsewhere) => {
      await isTheSamePublicKey(elsewhere);
      const there = await elsewhere.send(new DeriveSharedSecretCommand(agreement));
      expect(there.SharedSecret).to.deep.equal(SharedSecret);
    },
  };
}

async function createPrimary(client: KMSClient): Promise<string> {
  const { KeyMetadata: made } = await client.send(new CreateKeyCommand({ MultiRegion: true }));
  return made?.KeyId ?? '';
}

/** Asks until the key is there and enabled; gives up after ten seconds. */
async function waitUntilEnabled(client: KMSClient, KeyId: string): Promise<KeyMetadata> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answer = await client.send(new DescribeKeyCommand({ KeyId })).catch((error: Error) => error);
    if (!(answer instanceof Error) && answer.KeyMetadata?.KeyState === 'Enabled') return answer.KeyMetadata;
    if (Date.now() > deadline) throw new Error(`the replica of ${KeyId} was not enabled in time`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
