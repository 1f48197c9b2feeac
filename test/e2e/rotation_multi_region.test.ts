import { expect } from 'chai';
import type { TrailEvent } from '../../src/audit/trail_event.js';
import type { KeyId } from '../../src/kms/key_id.js';
import { ReplicaImportWatch } from '../../src/kms/multi_region_sync.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { decrypt } from '../../src/kms/operations/decrypt.js';
import { describeKey } from '../../src/kms/operations/describe_key.js';
import { enableKeyRotation } from '../../src/kms/operations/enable_key_rotation.js';
import { disableKeyRotation } from '../../src/kms/operations/disable_key_rotation.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import { getKeyRotationStatus } from '../../src/kms/operations/get_key_rotation_status.js';
import { listKeyRotations } from '../../src/kms/operations/list_key_rotations.js';
import { replicateKey } from '../../src/kms/operations/replicate_key.js';
import { rotateKeyOnDemand } from '../../src/kms/operations/rotate_key_on_demand.js';
import { updatePrimaryRegion } from '../../src/kms/operations/update_primary_region.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../src/kms/region.js';
import { makeRegionPair, untilSo, type PairedRegion, type RegionPair } from '../support/region_pair.js';
import { ACCOUNT, refusalOf, ROOT } from '../support/software_region.js';

const DAY_MS = 86_400_000;

describe('Rotation of a multi-Region key', function () {
  this.timeout(90_000);
  let pair: RegionPair;
  let primary: Call;
  let replica: Call;
  let keyId: string;
  const blobs: Uint8Array[] = [];
  const callOf = ({ region }: PairedRegion): Call => ({ region, caller: { principal: ROOT, account: ACCOUNT } });
  const metadata = async (call: Call) => (await describeKey(call, { KeyId: keyId })).KeyMetadata;
  const currentOf = async (call: Call) => (await metadata(call)).CurrentKeyMaterialId;
  const statusOf = (call: Call) => getKeyRotationStatus(call, { KeyId: keyId });
  const versionsOf = async (call: Call) =>
    (await listKeyRotations(call, { KeyId: keyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).Rotations;
  const rotationsOf = async (call: Call) =>
    (await listKeyRotations(call, { KeyId: keyId })).Rotations.map((entry) => ({ ...entry, KeyId: keyId }));

  /** Encrypts in both regions, and shows that each blob, old or new, opens in both. */
  async function exchange(): Promise<void> {
    for (const call of [primary, replica]) {
      blobs.push((await encrypt(call, { KeyId: keyId, Plaintext: Buffer.from('ferried') })).CiphertextBlob);
    }
    for (const CiphertextBlob of blobs) {
      for (const call of [primary, replica]) {
        expect(Buffer.from((await decrypt(call, { CiphertextBlob })).Plaintext).toString()).to.equal('ferried');
      }
    }
  }

  const until = (what: string, isSo: () => Promise<boolean>): Promise<void> =>
    untilSo([pair.first, pair.second], what, isSo);

  const untilBothUse = (what: string, materialId: string | undefined) =>
    until(what, async () => (await currentOf(primary)) === materialId && (await currentOf(replica)) === materialId);

  before(async () => {
    pair = await makeRegionPair({ name: 'us-east-1', kind: 'softhsm2' }, { name: 'eu-west-1', kind: 'nss' });
    primary = callOf(pair.first);
    replica = callOf(pair.second);
    keyId = (await createKey(primary, { MultiRegion: true })).KeyMetadata.KeyId;
    await replicateKey(primary, { KeyId: keyId, ReplicaRegion: 'eu-west-1' });
    await until('the replica', async () => (await metadata(replica)).KeyState === 'Enabled');
  });
  after(() => pair.close());

  it('carries fresh material to the replica, and both encrypt with it then', async () => {
    await exchange();
    const before = await currentOf(primary);
    await rotateKeyOnDemand(primary, { KeyId: keyId });
    await until('the rotation', async () => (await currentOf(primary)) !== before);
    await untilBothUse('the same material in both', await currentOf(primary));
    await exchange();
    expect(await rotationsOf(replica)).to.deep.equal(await rotationsOf(primary));
    expect(await rotationsOf(replica)).to.have.lengthOf(1);
    expect(await statusOf(primary)).to.deep.equal({ KeyId: (await metadata(primary)).Arn, KeyRotationEnabled: false });
  });

  it('stays in progress while the replica is away: everybody encrypts with the old material', async () => {
    const before = await currentOf(primary);
    pair.connect(false);
    await rotateKeyOnDemand(primary, { KeyId: keyId });
    expect((await statusOf(primary)).OnDemandRotationStartDate).to.be.instanceOf(Date);
    expect((await versionsOf(primary)).at(-1)).to.include({ KeyMaterialState: 'PENDING_ROTATION' });
    expect((await refusalOf(rotateKeyOnDemand(primary, { KeyId: keyId }))).code).to.equal('ConflictException');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect([await currentOf(primary), await currentOf(replica)]).to.deep.equal([before, before]);
    await exchange();
    pair.connect(true);
    await until('the rotation', async () => (await currentOf(primary)) !== before);
    await untilBothUse('the same material in both', await currentOf(primary));
    expect(await statusOf(primary)).to.not.have.property('OnDemandRotationStartDate');
    await exchange();
  });

  it('happens by itself at the primary’s clock, and the replica shows the primary’s setting', async () => {
    await enableKeyRotation(primary, { KeyId: keyId, RotationPeriodInDays: 90 });
    const refusal = await refusalOf(enableKeyRotation(replica, { KeyId: keyId }));
    expect(refusal.code).to.equal('UnsupportedOperationException');
    const { KeyId: primaryArn, ...setting } = await statusOf(primary);
    expect(primaryArn).to.equal((await metadata(primary)).Arn);
    expect(setting).to.include({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    await until('the setting', async () => (await statusOf(replica)).KeyRotationEnabled);
    expect(await statusOf(replica)).to.deep.include(setting);
    const before = await currentOf(primary);
    await pair.second.advance(400 * DAY_MS);
    expect(await currentOf(replica)).to.equal(before);
    await pair.first.advance(91 * DAY_MS);
    await until('the rotation', async () => (await currentOf(primary)) !== before);
    await untilBothUse('the same material in both', await currentOf(primary));
    expect((await rotationsOf(replica)).map(({ RotationType }) => RotationType)).to.deep.equal([
      'ON_DEMAND',
      'ON_DEMAND',
      'AUTOMATIC',
    ]);
    await exchange();
    await disableKeyRotation(primary, { KeyId: keyId });
    await until('the end of the setting', async () => !(await statusOf(replica)).KeyRotationEnabled);
  });

  it('is told in both trails', async () => {
    const named = (events: readonly TrailEvent[], name: string) => events.filter(({ eventName }) => eventName === name);
    // The replica, three rotations in two steps each, and the setting twice.
    await until(
      'the last synchronisation',
      async () => named(await pair.first.events(), 'SynchronizeMultiRegionKey').length === 9,
    );
    const [here, there] = [await pair.first.events(), await pair.second.events()];
    const arn = (await metadata(primary)).Arn;
    expect(named(here, 'RotateKey')).to.have.lengthOf(3);
    expect(named(there, 'RotateKey')).to.have.lengthOf(0);
    expect(
      named(here, 'RotateKey').map(({ serviceEventDetails }) => serviceEventDetails?.['rotationType']),
    ).to.deep.equal(['ON_DEMAND', 'ON_DEMAND', 'AUTOMATIC']);
    const synchronized = named(here, 'SynchronizeMultiRegionKey');
    expect(synchronized[0]).to.deep.include({
      eventType: 'AwsApiCall',
      requestParameters: null,
      responseElements: { keyId: arn },
      readOnly: false,
      resources: [{ accountId: ACCOUNT, type: 'AWS::KMS::Key', ARN: arn }],
    });
    expect(synchronized[0]?.userIdentity).to.deep.equal({ accountId: ACCOUNT, invokedBy: 'AWS Internal' });
    const [created, ...others] = named(there, 'CreateKey');
    expect(others).to.deep.equal([]);
    expect(created).to.deep.include({ eventType: 'AwsApiCall', readOnly: false });
    expect(created?.requestParameters).to.deep.include({ keySpec: 'SYMMETRIC_DEFAULT', multiRegion: true });
    const shown = created?.responseElements?.['keyMetadata'];
    expect(shown).to.include({ keyId, multiRegion: true, keyState: 'Enabled' });
    expect(shown)
      .to.have.property('creationDate')
      .that.matches(/^[A-Z][a-z]{2} \d+, \d{4}, /);
  });

  it('ends without the replica when that was deleted meanwhile', async () => {
    await scheduleKeyDeletion(replica, { KeyId: keyId, PendingWindowInDays: 7 });
    pair.connect(false);
    const before = await currentOf(primary);
    await rotateKeyOnDemand(primary, { KeyId: keyId });
    await pair.second.advance(8 * DAY_MS);
    expect(await currentOf(primary)).to.equal(before);
    pair.connect(true);
    new ReplicaImportWatch(primary.region, { report: (failure) => expect.fail(String(failure)) }).ask();
    await until('the rotation', async () => (await currentOf(primary)) !== before);
    expect((await metadata(primary)).MultiRegionConfiguration?.ReplicaKeys).to.deep.equal([]);
    for (const CiphertextBlob of blobs) await decrypt(primary, { CiphertextBlob });
  });

  it('counts a replica that is added while it is in progress', async () => {
    pair.connect(false);
    await replicateKey(primary, { KeyId: keyId, ReplicaRegion: 'eu-west-1' });
    const before = await currentOf(primary);
    await rotateKeyOnDemand(primary, { KeyId: keyId });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await currentOf(primary)).to.equal(before);
    pair.connect(true);
    await until('the rotation', async () => (await currentOf(primary)) !== before);
    await untilBothUse('the same material in both', await currentOf(primary));
    await exchange();
  });

  it('goes on at the new primary where the primary Region changes while it is in progress', async () => {
    keyId = (await createKey(primary, { MultiRegion: true })).KeyMetadata.KeyId;
    await replicateKey(primary, { KeyId: keyId, ReplicaRegion: 'eu-west-1' });
    await until('the replica', async () => (await metadata(replica)).KeyState === 'Enabled');
    const isActive = async () => primary.region.store.replica(keyId as KeyId, 'eu-west-1')?.standing === 'ACTIVE';
    await until('its confirmation', isActive);
    await enableKeyRotation(primary, { KeyId: keyId, RotationPeriodInDays: 500 });
    const before = await currentOf(primary);
    blobs.length = 0;
    pair.connect(false);
    await rotateKeyOnDemand(primary, { KeyId: keyId });
    const changing = updatePrimaryRegion(primary, { KeyId: keyId, PrimaryRegion: 'eu-west-1' });
    await exchange();
    pair.connect(true);
    await changing;
    const { NextRotationDate } = await statusOf(primary);
    new ReplicaImportWatch(replica.region, { report: (failure) => expect.fail(String(failure)) }).ask();
    await until('the rotation', async () => (await currentOf(replica)) !== before);
    await untilBothUse('the same material in both', await currentOf(replica));
    await exchange();
    expect((await metadata(replica)).MultiRegionConfiguration?.MultiRegionKeyType).to.equal('PRIMARY');
    expect((await statusOf(replica)).NextRotationDate).to.deep.equal(NextRotationDate);

    const second = await currentOf(replica);
    expect((await refusalOf(rotateKeyOnDemand(primary, { KeyId: keyId }))).code).to.equal(
      'UnsupportedOperationException',
    );
    await pair.second.advance(200 * DAY_MS);
    await until('the rotation at the new primary', async () => (await currentOf(replica)) !== second);
    await untilBothUse('the same material in both', await currentOf(replica));
    await exchange();
    expect(await rotationsOf(primary)).to.deep.equal(await rotationsOf(replica));
  });
});
