import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeCustomKeyStoresCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncapsulateCommand,
  EncryptCommand,
  GetKeyLastUsageCommand,
  ListResourceTagsCommand,
  paginateListAliases,
  ReEncryptCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateKeyDescriptionCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { KeyId } from '../../src/kms/key_id.js';
import { makeFixtureHsm, makeRegionFixture, type FixtureHsm, type RegionFixture } from '../support/region_fixture.js';
import { postSigned } from '../support/signed_post.js';

describe('Aliases, tags, states and last usages through the AWS SDK', function () {
  this.timeout(20_000);
  let double: FixtureHsm;
  let fixture: RegionFixture;
  let client: KMSClient;
  const newKey = async (): Promise<string> => (await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId ?? '';

  before(async () => {
    double = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: double.hsm, imports: double.imports });
    client = fixture.client();
  });
  after(async () => {
    await fixture?.close();
    await double?.close();
  });

  it('name, move and release a key by an alias', async () => {
    const [first, second] = [await newKey(), await newKey()];
    const alias = { AliasName: 'alias/app' };
    await client.send(new CreateAliasCommand({ ...alias, TargetKeyId: first }));
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: 'alias/app', Plaintext: Buffer.from('text') }),
    );
    await client.send(new UpdateAliasCommand({ ...alias, TargetKeyId: second }));
    const opened = await client.send(new DecryptCommand({ CiphertextBlob }));
    expect(opened.KeyId).to.match(new RegExp(`${first}$`));
    const wrong = client.send(new DecryptCommand({ CiphertextBlob, KeyId: 'alias/app' }));
    expect(await wrong.catch((error: Error) => error.name)).to.equal('IncorrectKeyException');
    const names: unknown[] = [];
    for await (const page of paginateListAliases({ client, pageSize: 1 }, {})) {
      names.push(...(page.Aliases ?? []).map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId]));
    }
    expect(names).to.deep.equal([['alias/app', second]]);
    await client.send(new DeleteAliasCommand(alias));
  });

  it('show tags, a description and a state as they were given', async () => {
    const KeyId = await newKey();
    await client.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'a', TagValue: '1' }] }));
    await client.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'b', TagValue: '2' }] }));
    await client.send(new UntagResourceCommand({ KeyId, TagKeys: ['a'] }));
    expect((await client.send(new ListResourceTagsCommand({ KeyId }))).Tags).to.deep.equal([
      { TagKey: 'b', TagValue: '2' },
    ]);
    await client.send(new UpdateKeyDescriptionCommand({ KeyId, Description: 'of the application' }));
    await client.send(new DisableKeyCommand({ KeyId }));
    await client.send(new EnableKeyCommand({ KeyId }));
    expect(fixture.region.store.key(KeyId as KeyId)).to.include({
      description: 'of the application',
      state: 'Enabled',
    });
  });

  it('answer nothing with an empty body, as the service does', async () => {
    const KeyId = await newKey();
    const answer = await postSigned(fixture, 'EnableKey', { KeyId });
    expect(answer).to.include({ status: 200, body: '' });
    expect(await postSigned(fixture, 'DescribeCustomKeyStores', {})).to.include({
      status: 200,
      body: '{"CustomKeyStores":[],"Truncated":false}',
    });
  });

  it('ignore members that no model knows, and take null for absent', async () => {
    const KeyId = await newKey();
    const answer = await postSigned(fixture, 'ListAliases', { KeyId, Marker: null, Limit: null, Colour: ['red'] });
    expect(answer).to.include({ status: 200, body: '{"Aliases":[],"Truncated":false}' });
  });

  it('tell the last usage by the ids of its answer and of its event in the audit trail', async () => {
    const [source, destination] = [await newKey(), await newKey()];
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: source, Plaintext: Buffer.from('text') }));
    const { $metadata } = await client.send(
      new ReEncryptCommand({ CiphertextBlob, SourceKeyId: source, DestinationKeyId: destination }),
    );
    const event = (await fixture.events()).findLast(({ eventName }) => eventName === 'ReEncrypt');
    for (const KeyId of [source, destination]) {
      const { KeyLastUsage, KeyCreationDate } = await client.send(new GetKeyLastUsageCommand({ KeyId }));
      expect(KeyLastUsage).to.include({
        Operation: 'ReEncrypt',
        KmsRequestId: $metadata.requestId,
        CloudTrailEventId: event?.eventID,
      });
      expect(KeyCreationDate).to.be.instanceOf(Date);
    }
    const refused = client.send(new EncryptCommand({ KeyId: source, Plaintext: Buffer.from('x'), DryRun: true }));
    expect(await refused.catch((error: Error) => error.name)).to.equal('DryRunOperationException');
    const { KeyLastUsage } = await client.send(new GetKeyLastUsageCommand({ KeyId: source }));
    expect(KeyLastUsage?.Operation).to.equal('ReEncrypt');
  });

  it('say honestly what there is none of', async () => {
    const KeyId = await newKey();
    expect((await client.send(new DescribeCustomKeyStoresCommand({}))).CustomKeyStores).to.deep.equal([]);
    const attempt = client.send(new EncapsulateCommand({ KeyId, EncapsulationAlgorithm: 'ML_KEM' }));
    expect(await attempt.catch((error: Error) => error.name)).to.equal('InvalidKeyUsageException');
  });
});
