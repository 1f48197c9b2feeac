import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  ReEncryptCommand,
  ReplicateKeyCommand,
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
