import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { replicateKey } from '../../../../src/kms/operations/replicate_key.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

describe('ReplicateKey', () => {
  let fixture: SoftwareRegion;
  let keyId: string;
  let arn: string;
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    const { KeyMetadata } = await createKey(fixture.call, { MultiRegion: true, Description: 'the primary’s' });
    keyId = KeyMetadata.KeyId;
    arn = KeyMetadata.Arn;
  });
  afterEach(() => fixture.close());

  const attempt = (more: object = {}) =>
    replicateKey(fixture.call, { KeyId: keyId, ReplicaRegion: 'eu-west-1', ...more });

  it('begins the replication, wakes the agent and answers with a replica that is being created', async () => {
    const answer = await attempt({ Description: 'its own', Tags: [{ TagKey: 'a', TagValue: 'b' }] });
    expect(fixture.replicator.begun).to.deep.equal([{ keyId, destination: 'eu-west-1' }]);
    expect(fixture.replicator.wakes).to.equal(1);
    const replicaArn = arn.replace('us-east-1', 'eu-west-1');
    expect(answer.ReplicaKeyMetadata).to.include({
      KeyId: keyId,
      Arn: replicaArn,
      KeyState: 'Creating',
      Enabled: false,
      Description: 'its own',
    });
    expect(answer.ReplicaKeyMetadata).to.not.have.property('CurrentKeyMaterialId');
    expect(answer.ReplicaKeyMetadata.MultiRegionConfiguration).to.deep.equal({
      MultiRegionKeyType: 'REPLICA',
      PrimaryKey: { Arn: arn, Region: 'us-east-1' },
      ReplicaKeys: [{ Arn: replicaArn, Region: 'eu-west-1' }],
    });
    expect(answer.ReplicaTags).to.deep.equal([{ TagKey: 'a', TagValue: 'b' }]);
    expect(JSON.parse(answer.ReplicaPolicy)).to.have.property('Id', 'key-default-1');
  });

  it('takes nothing of the primary’s own members for the replica', async () => {
    const answer = await attempt();
    expect(answer.ReplicaKeyMetadata.Description).to.equal('');
    expect(answer.ReplicaTags).to.deep.equal([]);
  });

  it('shows the replica on the primary from then on, the earliest first', async () => {
    await attempt({ ReplicaRegion: 'eu-west-1' });
    const second = await attempt({ ReplicaRegion: 'ap-south-1' });
    const regions = (replicas: readonly { readonly Region: string }[] = []) => replicas.map(({ Region }) => Region);
    const { KeyMetadata } = await describeKey(fixture.call, { KeyId: arn });
    expect(regions(KeyMetadata.MultiRegionConfiguration?.ReplicaKeys)).to.deep.equal(['eu-west-1', 'ap-south-1']);
    expect(regions(second.ReplicaKeyMetadata.MultiRegionConfiguration?.ReplicaKeys)).to.deep.equal([
      'eu-west-1',
      'ap-south-1',
    ]);
  });

  it('refuses keys that are no multi-Region primary', async () => {
    const single = (await createKey(fixture.call, {})).KeyMetadata.Arn;
    expect(await refusalOf(attempt({ KeyId: single }))).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: `${single} is not a multi-region primary key.`,
    });
    const destination = makeSoftwareRegion({ name: 'eu-west-1' });
    destination.replicatedKeys.announce({
      keyId,
      source: 'us-east-1',
      generation: 1n,
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      birthCertificate: 'birth',
      origin: 'AWS_KMS',
      materialIds: [],
    });
    const creating = await refusalOf(replicateKey(destination.call, { KeyId: keyId, ReplicaRegion: 'ap-south-1' }));
    expect(creating.code).to.equal('KMSInvalidStateException');
    const record = destination.region.store.key(keyId as never);
    if (record === undefined) throw new Error('the replica is gone');
    destination.region.store.installKey({ record: { ...record, state: 'Enabled' }, materials: [] });
    expect(
      await refusalOf(replicateKey(destination.call, { KeyId: keyId, ReplicaRegion: 'ap-south-1' })),
    ).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: `${arn.replace('us-east-1', 'eu-west-1')} is not a multi-region primary key.`,
    });
    destination.close();
  });

  it('refuses a second replica in a region, the primary’s own included', async () => {
    await attempt();
    expect((await refusalOf(attempt())).code).to.equal('AlreadyExistsException');
    expect((await refusalOf(attempt({ ReplicaRegion: 'us-east-1' }))).code).to.equal('AlreadyExistsException');
    fixture.replicatedKeys.confirmed(keyId, 'eu-west-1', 1n, { materialIds: [], context: new Uint8Array() });
    expect((await refusalOf(attempt())).code).to.equal('AlreadyExistsException');
    expect(fixture.replicator.begun).to.have.length(1);
  });

  it('can be called again after a replication failed for good', async () => {
    await attempt({ Description: 'first' });
    fixture.replicatedKeys.failed(keyId, 'eu-west-1', 'the destination has no room');
    const { KeyMetadata } = await describeKey(fixture.call, { KeyId: arn });
    expect(KeyMetadata.MultiRegionConfiguration?.ReplicaKeys).to.deep.equal([]);
    const again = await attempt({ Description: 'second' });
    expect(again.ReplicaKeyMetadata).to.include({ KeyState: 'Creating', Description: 'second' });
    expect(fixture.replicator.begun).to.have.length(2);
    expect(fixture.region.store.replica(keyId as never, 'eu-west-1')).to.include({
      standing: 'REPLICATING',
      failure: null,
    });
  });

  it('names the mechanisms that a destination is missing, and records nothing', async () => {
    fixture.replicator.refusals.set(
      'eu-west-1',
      'eu-west-1 and us-east-1 share no suite: CKM_AES_KEY_WRAP_KWP is missing',
    );
    expect(await refusalOf(attempt())).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'eu-west-1 and us-east-1 share no suite: CKM_AES_KEY_WRAP_KWP is missing',
    });
    expect(fixture.region.store.replica(keyId as never, 'eu-west-1')).to.equal(undefined);
  });

  it('records nothing where the replication cannot be begun', async () => {
    fixture.replicator.failure = new Error('the journal is full');
    try {
      await attempt();
      expect.fail('it was begun');
    } catch (error) {
      expect(String(error)).to.contain('the journal is full');
    }
    expect(fixture.region.store.replica(keyId as never, 'eu-west-1')).to.equal(undefined);
    expect(fixture.replicator.wakes).to.equal(0);
    expect((await attempt()).ReplicaKeyMetadata.KeyState).to.equal('Creating');
  });

  for (const [what, request, code] of [
    ['regions that the partition does not have', { ReplicaRegion: 'sa-east-1' }, 'ValidationException'],
    ['aliases', { KeyId: 'alias/mine' }, 'NotFoundException'],
    ['unknown keys', { KeyId: `mrk-${'0'.repeat(32)}` }, 'NotFoundException'],
    [
      'policies that lock the caller out',
      { Policy: '{"Statement":{"Effect":"Deny","Principal":"*"}}' },
      'MalformedPolicyDocumentException',
    ],
    ['reserved tags', { Tags: [{ TagKey: 'aws:x', TagValue: '' }] }, 'TagException'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      expect((await refusalOf(attempt(request))).code).to.equal(code);
      expect(fixture.replicator.begun).to.deep.equal([]);
    });
  }
});
