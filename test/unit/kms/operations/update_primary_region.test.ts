import { expect } from 'chai';
import type { KeyId } from '../../../../src/kms/key_id.js';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { replicateKey } from '../../../../src/kms/operations/replicate_key.js';
import { scheduleKeyDeletion } from '../../../../src/kms/operations/schedule_key_deletion.js';
import { updatePrimaryRegion } from '../../../../src/kms/operations/update_primary_region.js';
import type { Handover } from '../../../../src/replication/handover.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

describe('UpdatePrimaryRegion', () => {
  let fixture: SoftwareRegion;
  let keyId: KeyId;
  let arn: string;
  const confirmed = (region: string) =>
    fixture.replicatedKeys.confirmed(keyId, region, 1n, { materialIds: [], context: new Uint8Array() });

  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    const { KeyMetadata } = await createKey(fixture.call, { MultiRegion: true });
    keyId = KeyMetadata.KeyId as KeyId;
    arn = KeyMetadata.Arn;
    await replicateKey(fixture.call, { KeyId: keyId, ReplicaRegion: 'eu-west-1' });
    confirmed('eu-west-1');
  });
  afterEach(() => fixture.close());

  const ask = (PrimaryRegion = 'eu-west-1', KeyId: string = keyId) =>
    updatePrimaryRegion(fixture.call, { KeyId, PrimaryRegion });
  const underWay = (): Handover => {
    const handover = fixture.region.primaryChanges.underWay(keyId);
    if (handover === undefined) throw new Error('no hand-over is under way');
    return handover;
  };
  const shown = async () => {
    const { KeyMetadata } = await describeKey(fixture.call, { KeyId: keyId });
    const { MultiRegionConfiguration: set, KeyState } = KeyMetadata;
    const replicas = set?.ReplicaKeys.map(({ Region }) => Region).join();
    return `${set?.MultiRegionKeyType} ${set?.PrimaryKey.Region} [${replicas}] ${KeyState}`;
  };

  it('asks the new primary, works on as an updating replica, and is its replica when that has taken over', async () => {
    const before = fixture.replicator.begun.length;
    const asked = ask();
    expect(fixture.replicator.begun.slice(before)).to.deep.equal([{ keyId, destination: 'eu-west-1' }]);
    expect(await shown()).to.equal('REPLICA us-east-1 [eu-west-1] Updating');
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: keyId, Plaintext: Buffer.from('x') });
    expect(Buffer.from((await decrypt(fixture.call, { CiphertextBlob })).Plaintext).toString()).to.equal('x');
    const refused = await refusalOf(scheduleKeyDeletion(fixture.call, { KeyId: keyId }));
    expect(refused).to.deep.equal({ code: 'KMSInvalidStateException', message: `${arn} is updating.` });
    expect(fixture.replicatedKeys.exportable(keyId, 'eu-west-1')).to.have.nested.property('context.keyId', keyId);
    fixture.region.primaryChanges.done({ ...underWay(), certificate: 'hand-over 1' });
    expect(await asked).to.deep.equal({});
    expect(await shown()).to.equal('REPLICA eu-west-1 [us-east-1] Enabled');
    expect(fixture.region.primaryChanges.handovers(keyId)).to.deep.equal(['hand-over 1']);
    expect(fixture.replicatedKeys.exportable(keyId, 'eu-west-1')).to.equal(undefined);
    expect((await refusalOf(ask())).code).to.equal('UnsupportedOperationException');
  });

  it('leaves everything as it was where the new primary refuses, and says why', async () => {
    for (const [code, message] of [
      ['NOT_ENABLED', /eu-west-1:\d+:key\/mrk-[0-9a-f]+ is not enabled\.$/u],
      ['UNDONE', /has not become the primary key: UNDONE\. arn:aws:kms:us-east-1:.* still is\.$/u],
    ] as const) {
      const asked = refusalOf(ask());
      fixture.region.primaryChanges.undone(keyId, code);
      expect(await asked).to.have.property('code', 'KMSInvalidStateException');
      expect((await asked).message).to.match(message);
      expect(await shown()).to.equal('PRIMARY us-east-1 [eu-west-1] Enabled');
    }
  });

  it('joins a change that is under way to the same region, and refuses one to another', async () => {
    await replicateKey(fixture.call, { KeyId: keyId, ReplicaRegion: 'ap-south-1' });
    expect((await refusalOf(ask())).message).to.match(/ap-south-1:\d+:key\/mrk-[0-9a-f]+ is creating\.$/u);
    confirmed('ap-south-1');
    const both = [ask(), ask()];
    expect(await refusalOf(ask('ap-south-1'))).to.deep.equal({
      code: 'KMSInvalidStateException',
      message: `${arn} is updating.`,
    });
    fixture.region.primaryChanges.done({ ...underWay(), certificate: 'c' });
    expect(await Promise.all(both)).to.deep.equal([{}, {}]);
    expect(await shown()).to.equal('REPLICA eu-west-1 [ap-south-1,us-east-1] Enabled');
  });

  it('refuses regions without a replica, keys that are no primaries, and calls of strangers', async () => {
    const refusals = [
      ['NotFoundException', ask('ap-south-1')],
      ['NotFoundException', ask('us-east-1')],
      [
        'UnsupportedOperationException',
        createKey(fixture.call, {}).then((made) => ask('eu-west-1', made.KeyMetadata.KeyId)),
      ],
      ['NotFoundException', ask('eu-west-1', 'mrk-00000000000000000000000000000000')],
      [
        'AccessDeniedException',
        updatePrimaryRegion(fixture.callAs('arn:aws:iam::444455556666:user/eve'), {
          KeyId: arn,
          PrimaryRegion: 'eu-west-1',
        }),
      ],
    ] as const;
    for (const [code, work] of refusals) expect((await refusalOf(work)).code).to.equal(code);
    fixture.replicator.refusals.set('eu-west-1', 'region eu-west-1 has no active replication signing key');
    expect((await refusalOf(ask())).message).to.match(/has no active replication signing key\.$/u);
    expect(await shown()).to.equal('PRIMARY us-east-1 [eu-west-1] Enabled');
  });

  it('begins nothing where its replication cannot be noted', async () => {
    fixture.replicator.failure = new Error('the disk is full');
    expect(await ask().catch((error: unknown) => error)).to.have.property('message', 'the disk is full');
    expect(await shown()).to.equal('PRIMARY us-east-1 [eu-west-1] Enabled');
    expect(fixture.region.primaryChanges.allUnderWay()).to.deep.equal([]);
  });

  it('takes over as the new primary with one event, once, and goes back where it does not', async () => {
    const changes = fixture.region.primaryChanges;
    fixture.region.store.setPlace(keyId, { type: 'REPLICA', primaryRegion: 'eu-west-1' }, ['us-east-1']);
    expect(changes.canReceive(keyId)).to.equal(true);
    changes.receive(keyId);
    expect(await shown()).to.equal('REPLICA eu-west-1 [us-east-1] Updating');
    changes.notReceived(keyId);
    expect(await shown()).to.equal('REPLICA eu-west-1 [us-east-1] Enabled');
    changes.receive(keyId);
    changes.takeOver(keyId);
    expect(await shown()).to.match(/^PRIMARY us-east-1 .* Enabled$/u);
    expect(changes.canReceive(keyId)).to.equal(false);
    const [event, ...others] = fixture.region.materials.events(10).filter(({ name }) => name === 'UpdatePrimaryRegion');
    expect(event).to.deep.include({
      name: 'UpdatePrimaryRegion',
      keyArn: arn,
      call: { request: { KeyId: arn, PrimaryRegion: 'us-east-1' }, response: null },
    });
    expect(others).to.deep.equal([]);
  });

  it('leaves nothing of its hand-overs when the key is deleted', async () => {
    const asked = ask();
    fixture.region.primaryChanges.done({ ...underWay(), certificate: 'c' });
    await asked;
    fixture.region.store.deleteKey(keyId);
    expect(fixture.database.prepare('SELECT count(*) AS rows FROM key_handovers').get()).to.deep.include({ rows: 0 });
  });
});
