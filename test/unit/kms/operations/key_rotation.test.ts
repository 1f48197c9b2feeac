import { expect } from 'chai';
import type { KeyId } from '../../../../src/kms/key_id.js';
import { cancelKeyDeletion } from '../../../../src/kms/operations/cancel_key_deletion.js';
import { createKey, type CreateKeyRequest } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { disableKeyRotation } from '../../../../src/kms/operations/disable_key_rotation.js';
import { enableKeyRotation } from '../../../../src/kms/operations/enable_key_rotation.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { getKeyRotationStatus } from '../../../../src/kms/operations/get_key_rotation_status.js';
import { listKeyRotations } from '../../../../src/kms/operations/list_key_rotations.js';
import { rotateKeyOnDemand } from '../../../../src/kms/operations/rotate_key_on_demand.js';
import { scheduleKeyDeletion } from '../../../../src/kms/operations/schedule_key_deletion.js';
import { HsmError } from '../../../../src/hsm/errors.js';
import { defaultPolicy } from '../../../../src/kms/policy.js';
import { makeExternalKey } from '../../../support/import_ceremony.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

describe('Automatic rotation', () => {
  let software: SoftwareRegion;
  let keyId: string;
  let arn: string;
  const make = async (request: CreateKeyRequest = {}) => (await createKey(software.call, request)).KeyMetadata;
  const status = (id = keyId) => getKeyRotationStatus(software.call, { KeyId: id });
  const current = async (id = keyId) =>
    (await describeKey(software.call, { KeyId: id })).KeyMetadata.CurrentKeyMaterialId;
  const rotations = async (id = keyId) => (await listKeyRotations(software.call, { KeyId: id })).Rotations;
  const enable = (days?: number) =>
    enableKeyRotation(software.call, { KeyId: keyId, ...(days !== undefined && { RotationPeriodInDays: days }) });
  const putState = (state: 'Enabled' | 'Disabled') => software.region.store.setState(keyId as KeyId, state, null);
  const pass = async (ms: number) => {
    software.clock.ms += ms;
    await software.deadlines.runDue();
  };

  beforeEach(async () => {
    software = makeSoftwareRegion();
    ({ KeyId: keyId, Arn: arn } = await make());
  });
  afterEach(() => {
    expect(software.failures).to.deep.equal([]);
    software.close();
  });

  it('is off until it is enabled, then shows its period and the next date, and is off again', async () => {
    expect(await status()).to.deep.equal({ KeyId: arn, KeyRotationEnabled: false });
    expect(await enable()).to.deep.equal({});
    const everyYear = { KeyId: arn, KeyRotationEnabled: true, RotationPeriodInDays: 365 };
    expect(await status()).to.deep.equal({
      ...everyYear,
      NextRotationDate: new Date(software.clock.ms + 365 * DAY_MS),
    });
    expect(await disableKeyRotation(software.call, { KeyId: keyId })).to.deep.equal({});
    expect(await disableKeyRotation(software.call, { KeyId: keyId })).to.deep.equal({});
    expect(await status()).to.deep.equal({ KeyId: arn, KeyRotationEnabled: false });
    await pass(400 * DAY_MS);
    expect(await rotations()).to.deep.equal([]);
  });

  it('happens at its date and not before, period after period, and old ciphertexts still decrypt', async () => {
    await enable(90);
    const first = await current();
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('old') });
    await pass(90 * DAY_MS - 1);
    expect(await current()).to.equal(first);
    await pass(1);
    const second = await current();
    expect(second).to.not.equal(first);
    const entry = { KeyId: arn, KeyMaterialState: 'CURRENT', RotationType: 'AUTOMATIC' };
    expect(await rotations()).to.deep.equal([
      { ...entry, KeyMaterialId: second, RotationDate: new Date(software.clock.ms) },
    ]);
    expect((await status()).NextRotationDate).to.deep.equal(new Date(software.clock.ms + 90 * DAY_MS));
    await software.deadlines.runDue();
    expect(await rotations()).to.have.lengthOf(1);
    await pass(90 * DAY_MS);
    expect(await rotations()).to.have.lengthOf(2);
    expect((await decrypt(software.call, { CiphertextBlob })).KeyMaterialId).to.equal(first);
    expect(
      software.trail.events.filter(({ eventName }) => eventName === 'RotateKey')[0]?.serviceEventDetails,
    ).to.deep.equal({
      keyId,
      rotationType: 'AUTOMATIC',
      keyOrigin: 'AWS_KMS',
      previousKeyMaterialId: first,
      currentKeyMaterialId: second,
    });
  });

  it('restarts its schedule when it is enabled again, with the new period', async () => {
    await enable(90);
    await pass(80 * DAY_MS);
    await enable(100);
    await pass(99 * DAY_MS);
    expect(await rotations()).to.deep.equal([]);
    await pass(DAY_MS);
    expect(await rotations()).to.have.lengthOf(1);
    expect(await status()).to.include({ RotationPeriodInDays: 100 });
  });

  it('makes up for years once, and goes on a period after that', async () => {
    await enable(90);
    await pass(10 * 365 * DAY_MS);
    expect(await rotations()).to.have.lengthOf(1);
    expect((await status()).NextRotationDate).to.deep.equal(new Date(software.clock.ms + 90 * DAY_MS));
  });

  it('makes up at the start of a region for what fell due while it was down', async () => {
    await enable(90);
    software.clock.ms += 91 * DAY_MS;
    await software.deadlines.start();
    await software.deadlines.stop();
    expect(await rotations()).to.have.lengthOf(1);
  });

  it('waits while the key is disabled, and happens when it is enabled again', async () => {
    await enable(90);
    putState('Disabled');
    await pass(91 * DAY_MS);
    expect(await rotations()).to.deep.equal([]);
    expect(await status()).to.include({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    for (const change of [enable(), disableKeyRotation(software.call, { KeyId: keyId })]) {
      expect((await refusalOf(change)).code).to.equal('DisabledException');
    }
    putState('Enabled');
    await software.deadlines.runDue();
    expect(await rotations()).to.have.lengthOf(1);
  });

  it('reads as off while the key is to be deleted, and as before when that is taken back', async () => {
    await enable(90);
    const before = await status();
    await scheduleKeyDeletion(software.call, { KeyId: keyId, PendingWindowInDays: 30 });
    expect(await status()).to.deep.equal({ KeyId: arn, KeyRotationEnabled: false });
    expect((await refusalOf(enable())).message).to.equal(`${arn} is pending deletion.`);
    await cancelKeyDeletion(software.call, { KeyId: keyId });
    expect(await status()).to.deep.equal(before);
    await pass(91 * DAY_MS);
    expect(await rotations()).to.deep.equal([]);
    putState('Enabled');
    await software.deadlines.runDue();
    expect(await rotations()).to.have.lengthOf(1);
  });

  it('goes with the key', async () => {
    await enable(90);
    await scheduleKeyDeletion(software.call, { KeyId: keyId, PendingWindowInDays: 7 });
    await pass(8 * DAY_MS);
    const left = software.database.prepare('SELECT count(*) AS count FROM key_rotations').get();
    expect(left).to.include({ count: 0 });
    expect(software.region.rotations.nextDueMs()).to.equal(null);
  });

  it('does not count among the rotations that may be asked for, and leaves no room for one right before it', async () => {
    await enable(90);
    for (let turn = 0; turn < 30; turn += 1) await pass(90 * DAY_MS);
    expect(await rotations()).to.have.lengthOf(30);
    await rotateKeyOnDemand(software.call, { KeyId: keyId });
    const { NextRotationDate } = await status();
    expect(NextRotationDate).to.deep.equal(new Date(software.clock.ms + 90 * DAY_MS));
    software.clock.ms += 90 * DAY_MS - 20 * MINUTE_MS;
    const refusal = await refusalOf(rotateKeyOnDemand(software.call, { KeyId: keyId }));
    expect(refusal.code).to.equal('ConflictException');
    software.clock.ms -= 1;
    await rotateKeyOnDemand(software.call, { KeyId: keyId });
    expect((await rotations()).map(({ RotationType }) => RotationType).slice(-3)).to.deep.equal([
      'AUTOMATIC',
      'ON_DEMAND',
      'ON_DEMAND',
    ]);
  });

  it('takes periods of 90 to 2560 days, of symmetric keys with material of AWS KMS only', async () => {
    for (const days of [89, 2561, 0]) expect((await refusalOf(enable(days))).code).to.equal('ValidationException');
    for (const days of [90, 2560]) await enable(days);
    const external = await makeExternalKey(software.call);
    const { KeyId: hmac } = await make({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    for (const run of [enableKeyRotation, disableKeyRotation, getKeyRotationStatus]) {
      expect(await refusalOf(run(software.call, { KeyId: external }))).to.deep.equal({
        code: 'UnsupportedOperationException',
        message: `${arn.replace(keyId, external)} origin is EXTERNAL which is not valid for this operation.`,
      });
      expect(await refusalOf(run(software.call, { KeyId: hmac }))).to.deep.equal({
        code: 'UnsupportedOperationException',
        message: '',
      });
    }
  });

  it('is tried again after the token failed, without keeping other keys from theirs', async () => {
    await enable(90);
    const { KeyId: other } = await make();
    await enableKeyRotation(software.call, { KeyId: other, RotationPeriodInDays: 90 });
    software.hsm.faults.push({
      call: 'createMaterial',
      error: new HsmError('ERR_HSM_SESSION_LOST', 'the token is away'),
    });
    await pass(91 * DAY_MS);
    expect((await rotations()).length + (await rotations(other)).length).to.equal(1);
    expect(software.failures.splice(0)).to.have.lengthOf(1);
    await software.deadlines.runDue();
    expect([await rotations(), await rotations(other)].map(({ length }) => length)).to.deep.equal([1, 1]);
  });

  it('does nothing where the key was disabled while the token worked', async () => {
    await enable(90);
    const { createMaterial } = software.hsm;
    software.hsm.createMaterial = async function createAndDisable(binding) {
      const material = await createMaterial.call(software.hsm, binding);
      putState('Disabled');
      return material;
    };
    await pass(91 * DAY_MS);
    expect(await rotations()).to.deep.equal([]);
  });

  describe('of a multi-Region key with replicas', () => {
    const confirm = (region: string, materialIds: readonly string[]) =>
      software.replicatedKeys.confirmed(keyId, region, 1n, { materialIds, context: Buffer.from(materialIds.join()) });
    const held = () => software.region.materials.versions(keyId as KeyId).map(({ materialId }) => materialId);
    const addReplica = (region: string) =>
      software.region.store.putReplica(keyId as KeyId, {
        region,
        standing: 'REPLICATING',
        failure: null,
        description: '',
        policy: '',
        tags: [],
      });

    beforeEach(async () => {
      ({ KeyId: keyId, Arn: arn } = await make({ MultiRegion: true }));
      for (const region of ['eu-west-1', 'ap-south-1']) {
        addReplica(region);
        confirm(region, held());
      }
      software.replicator.begun.length = 0;
    });

    it('tells the replicas of each change of the setting', async () => {
      await enable(90);
      expect(software.replicator.begun.map(({ destination }) => destination)).to.deep.equal([
        'eu-west-1',
        'ap-south-1',
      ]);
      expect(software.replicatedKeys.exportable(keyId, 'eu-west-1')?.context.rotation?.setting).to.deep.equal({
        periodDays: 90,
        nextMs: software.clock.ms + 90 * DAY_MS,
      });
      await disableKeyRotation(software.call, { KeyId: keyId });
      expect(software.replicator.begun).to.have.lengthOf(4);
      expect(software.replicatedKeys.exportable(keyId, 'eu-west-1')?.context).to.not.have.property('rotation');
    });

    it('makes material current when every replica has it, and not when some have', async () => {
      const before = await current();
      await rotateKeyOnDemand(software.call, { KeyId: keyId });
      expect(software.replicator.begun).to.have.lengthOf(2);
      const sent = software.replicatedKeys.exportable(keyId, 'eu-west-1');
      expect(sent?.materials).to.have.lengthOf(2);
      expect(sent?.context.materials.map(({ state }) => state)).to.deep.equal(['CURRENT', 'NON_CURRENT']);
      expect(sent?.context.rotation?.versions).to.deep.equal([
        { type: null, rotatedMs: null },
        { type: 'ON_DEMAND', rotatedMs: null },
      ]);
      confirm('eu-west-1', held());
      await software.deadlines.runDue();
      expect(await current()).to.equal(before);
      confirm('ap-south-1', held().slice(0, 1));
      await software.deadlines.runDue();
      expect(await current()).to.equal(before);
      const started = new Date(software.clock.ms);
      await pass(MINUTE_MS);
      expect((await status()).OnDemandRotationStartDate).to.deep.equal(started);
      confirm('ap-south-1', held());
      await software.deadlines.runDue();
      expect(await current()).to.equal(held()[1]);
      expect(software.replicator.begun).to.have.lengthOf(4);
      expect(software.replicatedKeys.exportable(keyId, 'eu-west-1')?.context.rotation?.versions[1]).to.deep.equal({
        type: 'ON_DEMAND',
        rotatedMs: software.clock.ms,
      });
    });

    it('waits for one rotation to end before the next', async () => {
      await enable(90);
      await rotateKeyOnDemand(software.call, { KeyId: keyId });
      await pass(91 * DAY_MS);
      expect(held()).to.have.lengthOf(2);
      expect((await refusalOf(rotateKeyOnDemand(software.call, { KeyId: keyId }))).code).to.equal('ConflictException');
      for (const region of ['eu-west-1', 'ap-south-1']) confirm(region, held());
      await software.deadlines.runDue();
      expect(held()).to.have.lengthOf(3);
      expect(await current()).to.equal(held()[1]);
    });

    it('ends without a replica that is gone, and not without one that is being made', async () => {
      await rotateKeyOnDemand(software.call, { KeyId: keyId });
      confirm('eu-west-1', held());
      addReplica('sa-east-1');
      software.replicatedKeys.replicaDeleted(keyId, 'ap-south-1');
      await software.deadlines.runDue();
      expect(await current()).to.equal(held()[0]);
      confirm('sa-east-1', held());
      await software.deadlines.runDue();
      expect(await current()).to.equal(held()[1]);
    });

    it('ends when one transfer would not hold another version', async () => {
      for (const region of ['eu-west-1', 'ap-south-1']) software.replicatedKeys.replicaDeleted(keyId, region);
      await enable(90);
      for (let turn = 1; turn < 70; turn += 1) await pass(90 * DAY_MS);
      expect(held()).to.have.lengthOf(64);
      const refusal = await refusalOf(rotateKeyOnDemand(software.call, { KeyId: keyId }));
      expect(refusal.code).to.equal('LimitExceededException');
    });

    it('is the primary’s to do: not of a key that has become a replica, and again of one that has become the primary', async () => {
      const { store } = software.region;
      await enable(90);
      store.setPlace(keyId as KeyId, { type: 'REPLICA', primaryRegion: 'eu-west-1' });
      await pass(91 * DAY_MS);
      expect(held()).to.have.lengthOf(1);
      expect(software.region.rotations.nextDueMs()).to.equal(null);
      store.setPlace(keyId as KeyId, { type: 'PRIMARY', primaryRegion: 'us-east-1' });
      await software.deadlines.runDue();
      expect(held()).to.have.lengthOf(2);
    });

    it('leaves what a replica was given out of a transfer that has no room for it', async () => {
      const region = 'eu-west-1';
      const replica = software.region.store.replica(keyId as KeyId, region) ?? expect.fail('no replica');
      const policy = JSON.stringify({ Version: '2012-10-17', Id: 'x'.repeat(32_000), Statement: [] });
      const sentPolicy = () => software.replicatedKeys.exportable(keyId, region)?.context.replica.policy;
      software.region.store.putReplica(keyId as KeyId, { ...replica, policy });
      expect(sentPolicy()).to.equal(policy);
      for (let turn = 0; turn < 10; turn += 1) {
        await rotateKeyOnDemand(software.call, { KeyId: keyId });
        for (const name of ['eu-west-1', 'ap-south-1']) confirm(name, held());
        await software.deadlines.runDue();
      }
      expect(sentPolicy()).to.equal('');
      software.region.store.putReplica(keyId as KeyId, { ...replica, policy, standing: 'REPLICATING' });
      expect(sentPolicy()).to.equal(policy);

      // A region that has lost the replica, and its policy with it.
      software.region.store.putReplica(keyId as KeyId, { ...replica, policy });
      const key = software.replicatedKeys.exportable(keyId, region) ?? expect.fail('nothing to send');
      const destination = makeSoftwareRegion({ name: region });
      destination.replicatedKeys.install({
        source: 'us-east-1',
        generation: 9n,
        birthCertificate: key.birthCertificate,
        context: key.context,
        materials: key.materials.map((material) => destination.hsm.adopt(material, software.hsm)),
      });
      const { KeyMetadata } = await describeKey(destination.call, { KeyId: keyId });
      expect(KeyMetadata).to.include({ KeyState: 'Disabled', Enabled: false });
      expect(destination.region.store.policy(keyId as KeyId)).to.equal(defaultPolicy(destination.region.home));
      destination.close();
    });
  });
});
