import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  ReplicateKeyCommand,
  ScheduleKeyDeletionCommand,
  UpdatePrimaryRegionCommand,
  type KeyMetadata,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { makeRegionSet, type PairedRegion } from '../support/region_pair.js';

describe('The primary Region of a multi-Region key, by the AWS SDK over three regions with tokens of both kinds', function () {
  this.timeout(120_000);
  let set: Awaited<ReturnType<typeof makeRegionSet>>;
  let clients: ReadonlyMap<string, KMSClient>;
  const names = ['us-east-1', 'eu-west-1', 'ap-south-1'] as const;
  const client = (name: string): KMSClient => clients.get(name) ?? expect.fail(`no region ${name}`);
  const regionOf = (name: string): PairedRegion =>
    set.regions.find((region) => region.name === name) ?? expect.fail(`no region ${name}`);

  before(async () => {
    set = await makeRegionSet([
      { name: names[0], kind: 'softhsm2' },
      { name: names[1], kind: 'nss' },
      { name: names[2], kind: 'softhsm2' },
    ]);
    clients = new Map(set.regions.map((region) => [region.name, region.client()]));
  });
  after(() => set.close());

  async function describeKey(name: string, keyId: string): Promise<KeyMetadata> {
    const { KeyMetadata } = await client(name).send(new DescribeKeyCommand({ KeyId: keyId }));
    return KeyMetadata ?? expect.fail('no metadata');
  }

  /** How a region describes the set: `PRIMARY eu-west-1 [us-east-1, ap-south-1] Enabled`. */
  async function shownBy(name: string, keyId: string): Promise<string> {
    const { MultiRegionConfiguration: set, KeyState } = await describeKey(name, keyId);
    const replicas = set?.ReplicaKeys?.map((replica) => replica.Region).toSorted() ?? [];
    return `${set?.MultiRegionKeyType} ${set?.PrimaryKey?.Region} [${replicas.join(', ')}] ${KeyState}`;
  }

  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 20_000;
    while (!(await isSo().catch(() => false))) {
      if (Date.now() > end) throw new Error(`never came: ${what}; ${set.regions.flatMap((r) => r.refusals).join()}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async function replicate(from: string, keyId: string, to: string): Promise<void> {
    await client(from).send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: to }));
    await until(`the replica in ${to}`, async () => (await describeKey(to, keyId)).KeyState === 'Enabled');
    await until(
      'its confirmation',
      async () => regionOf(from).region.store.replica(keyId as never, to)?.standing === 'ACTIVE',
    );
  }

  async function carries(from: string, to: string, keyId: string): Promise<void> {
    const Plaintext = Buffer.from(`${from} to ${to}`);
    const { CiphertextBlob } = await client(from).send(new EncryptCommand({ KeyId: keyId, Plaintext }));
    const answer = await client(to).send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(answer.Plaintext ?? []).toString()).to.equal(Plaintext.toString());
  }

  it('moves to a replica, and the new primary replicates onward, hands over again and comes back', async () => {
    const [a, b, c] = names;
    const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = KeyMetadata?.KeyId ?? '';
    await replicate(a, keyId, b);
    const answer = await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    expect(Object.keys(answer)).to.deep.equal(['$metadata']);
    await until('the word of the old primary', async () => (await describeKey(a, keyId)).KeyState === 'Enabled');
    for (const name of [a, b]) {
      expect(await shownBy(name, keyId)).to.equal(`${name === b ? 'PRIMARY' : 'REPLICA'} ${b} [${a}] Enabled`);
    }
    await carries(a, b, keyId);
    await replicate(b, keyId, c);
    await carries(c, a, keyId);
    await until('the third region at the old primary', async () => (await shownBy(a, keyId)).includes(c));
    const refused = await client(a)
      .send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: c }))
      .catch((error: unknown) => error);
    expect(refused).to.include({ name: 'UnsupportedOperationException' });

    await client(b).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: c }));
    for (const name of names) {
      const type = name === c ? 'PRIMARY' : 'REPLICA';
      await until(
        `the new primary at ${name}`,
        async () => (await shownBy(name, keyId)) === `${type} ${c} [${b}, ${a}] Enabled`,
      );
    }
    await client(c).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: a }));
    for (const name of names) {
      const type = name === a ? 'PRIMARY' : 'REPLICA';
      await until(
        `the first primary at ${name}`,
        async () => (await shownBy(name, keyId)) === `${type} ${a} [${c}, ${b}] Enabled`,
      );
    }
    await carries(b, c, keyId);
    expect(set.regions.flatMap((region) => region.refusals)).to.deep.equal([]);

    const events = async (name: string) =>
      (await regionOf(name).events()).filter(({ eventName }) => eventName === 'UpdatePrimaryRegion');
    await until('the event of the new primary', async () => (await events(a)).length === 3);
    const [asked, failed, received] = await events(a);
    expect(asked).to.deep.include({
      eventType: 'AwsApiCall',
      requestParameters: { keyId, primaryRegion: b },
      responseElements: null,
    });
    expect(failed).to.include({ errorCode: 'UnsupportedOperationException' });
    const arn = `arn:aws:kms:${a}:111122223333:key/${keyId}`;
    expect(received).to.deep.include({
      eventType: 'AwsApiCall',
      userIdentity: { accountId: '111122223333', invokedBy: 'kms.amazonaws.com' },
      requestParameters: { keyId: arn, primaryRegion: a },
      resources: [{ accountId: '111122223333', type: 'AWS::KMS::Key', ARN: arn }],
    });
  });

  it('lets the former primary be deleted, while the new one stays', async () => {
    const [a, b] = names;
    const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = KeyMetadata?.KeyId ?? '';
    await replicate(a, keyId, b);
    await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    await until('the replica', async () => (await shownBy(a, keyId)).startsWith('REPLICA'));
    await until('the end of updating', async () => (await describeKey(a, keyId)).KeyState === 'Enabled');
    const scheduled = await client(a).send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 }));
    expect(scheduled.KeyState).to.equal('PendingDeletion');
    await carries(b, b, keyId);
  });
});
