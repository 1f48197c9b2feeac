import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  type KMSClient,
  ReplicateKeyCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  UpdatePrimaryRegionCommand,
  type KeyMetadata,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyId } from '../../src/kms/key_id.js';
import { ReplicaImportWatch } from '../../src/kms/multi_region_sync.js';
import { listKeyRotations } from '../../src/kms/operations/list_key_rotations.js';
import type { Call } from '../../src/kms/region.js';
import { kmsCli, kmsCliRefusal } from '../support/aws_cli.js';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { FIXTURE_CREDENTIAL } from '../support/region_fixture.js';
import { makeRegionSet, untilSo, type PairedRegion, type RegionSet } from '../support/region_pair.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';

describe('The primary Region of a multi-Region key, by the AWS SDK over three regions with tokens of both kinds', function () {
  this.timeout(120_000);
  let set: RegionSet;
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

  const until = (what: string, isSo: () => Promise<boolean>): Promise<void> => untilSo(set.regions, what, isSo);

  async function replicate(from: string, keyId: string, to: string): Promise<void> {
    await client(from).send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: to }));
    await until(`the replica in ${to}`, async () => (await describeKey(to, keyId)).KeyState === 'Enabled');
    await until(
      'its confirmation',
      async () => regionOf(from).region.store.replica(keyId as KeyId, to)?.standing === 'ACTIVE',
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
    const arn = `arn:aws:kms:${a}:111122223333:key/${keyId}`;
    expect(asked).to.deep.include({
      eventType: 'AwsApiCall',
      requestParameters: { keyId, primaryRegion: b },
      responseElements: { keyId: arn },
    });
    expect(failed).to.include({ errorCode: 'UnsupportedOperationException' });
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

  it('moves by the AWS CLI, which is told what is no primary and where no replica is', async () => {
    const [a, b, c] = names;
    const home = await mkdtemp(join(tmpdir(), 'keyferry-cli-'));
    try {
      const caller = (name: string) => ({ endpoint: regionOf(name).url, region: name, home, ...FIXTURE_CREDENTIAL });
      const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
      const keyId = KeyMetadata?.KeyId ?? '';
      await replicate(a, keyId, b);
      const update = ['update-primary-region', '--key-id', keyId, '--primary-region'];
      expect(await kmsCliRefusal(caller(a), ...update, c)).to.match(
        /NotFoundException.*Key 'arn:aws:kms:ap-south-1:111122223333:key\/mrk-[0-9a-f]+' does not exist/,
      );
      expect(await kmsCli(caller(a), ...update, b)).to.equal('');
      expect(await kmsCliRefusal(caller(a), ...update, b)).to.match(
        /UnsupportedOperationException.* is not a multi-region primary key\./,
      );
      expect(await shownBy(b, keyId)).to.equal(`PRIMARY ${b} [${a}] Enabled`);
    } finally {
      await rm(home, { recursive: true });
    }
  });

  it('takes a rotation in progress with it: the new primary finishes it when every region has the material', async () => {
    const [a, b, c] = names;
    const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = KeyMetadata?.KeyId ?? '';
    for (const to of [b, c]) await replicate(a, keyId, to);
    set.cut.add(c);
    await client(a).send(new RotateKeyOnDemandCommand({ KeyId: keyId }));
    await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    await until('the replica', async () => (await shownBy(a, keyId)) === `REPLICA ${b} [${c}, ${a}] Enabled`);
    const old = KeyMetadata?.CurrentKeyMaterialId ?? (await describeKey(c, keyId)).CurrentKeyMaterialId;
    expect((await describeKey(b, keyId)).CurrentKeyMaterialId).to.equal(old);
    set.cut.delete(c);
    for (const name of names) {
      await until(
        `the new material in ${name}`,
        async () => (await describeKey(name, keyId)).CurrentKeyMaterialId !== old,
      );
    }
    const ids = await Promise.all(names.map(async (name) => (await describeKey(name, keyId)).CurrentKeyMaterialId));
    expect(new Set(ids).size).to.equal(1);
    await carries(c, a, keyId);
    // And rotates by itself from then on.
    await client(b).send(new RotateKeyOnDemandCommand({ KeyId: keyId }));
    for (const name of names) {
      await until(
        `the newest in ${name}`,
        async () => (await describeKey(name, keyId)).CurrentKeyMaterialId !== ids[0],
      );
    }
    await carries(a, c, keyId);
  });

  it('carries imported keys over, with what waits for a rotation', async () => {
    const [a, b, c] = names;
    const callOf = (name: string): Call => ({
      region: regionOf(name).region,
      caller: { principal: ROOT, account: ACCOUNT },
    });
    const [material, next] = [randomBytes(32), randomBytes(32)];
    const keyId = await makeExternalKey(callOf(a), { MultiRegion: true });
    await importInto(callOf(a), keyId, material);
    for (const to of [b, c]) {
      await client(a).send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: to }));
      await until('the replica', async () => (await describeKey(to, keyId)).KeyState === 'PendingImport');
      await until('it', async () => regionOf(a).region.store.replica(keyId as KeyId, to)?.standing === 'ACTIVE');
    }
    const early = await client(a)
      .send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }))
      .catch((error: unknown) => error);
    expect(early).to.include({ name: 'KMSInvalidStateException' });
    for (const to of [b, c]) await importInto(callOf(to), keyId, material);
    await importInto(callOf(a), keyId, next, { ImportType: 'NEW_KEY_MATERIAL', KeyMaterialDescription: 'next' });
    await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    await until('the replica', async () => (await shownBy(a, keyId)) === `REPLICA ${b} [${c}, ${a}] Enabled`);
    const statesOf = async (name: string) =>
      (await listKeyRotations(callOf(name), { KeyId: keyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).Rotations.map(
        ({ KeyMaterialState, ImportState }) => `${KeyMaterialState} ${ImportState}`,
      );
    const waiting = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION';
    expect(await statesOf(b)).to.deep.equal(['CURRENT IMPORTED', `${waiting} PENDING_IMPORT`]);
    for (const to of [b, c]) await importInto(callOf(to), keyId, next, { ImportType: 'EXISTING_KEY_MATERIAL' });
    new ReplicaImportWatch(regionOf(b).region, { report: (failure) => expect.fail(String(failure)) }).ask();
    await until('the reports', async () => (await statesOf(b))[1] === 'PENDING_ROTATION IMPORTED');
    await client(b).send(new RotateKeyOnDemandCommand({ KeyId: keyId }));
    for (const name of names) {
      await until(`the rotation in ${name}`, async () => (await statesOf(name))[1] === 'CURRENT IMPORTED');
    }
    await carries(a, c, keyId);
  });

  it('hears of replicas that were deleted before it was the primary, and makes them anew where somebody asks', async () => {
    const [a, b, c] = names;
    const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = KeyMetadata?.KeyId ?? '';
    for (const to of [b, c]) await replicate(a, keyId, to);
    await client(c).send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 }));
    const again = new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: c });
    const refused = await client(a)
      .send(again)
      .catch((error: unknown) => error);
    expect(refused).to.include({ name: 'AlreadyExistsException' });
    // It is deleted while nothing reaches it, so that only the new primary can hear of it.
    set.cut.add(c);
    await regionOf(c).advance(7 * 86_400_000);
    await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    await until('the replica', async () => (await shownBy(a, keyId)) === `REPLICA ${b} [${c}, ${a}] Enabled`);
    set.cut.delete(c);
    for (const [name, type] of [
      [a, 'REPLICA'],
      [b, 'PRIMARY'],
    ] as const) {
      await until(
        `the end of the replica, in ${name}`,
        async () => (await shownBy(name, keyId)) === `${type} ${b} [${a}] Enabled`,
      );
    }
    await replicate(b, keyId, c);
    await carries(c, a, keyId);
  });

  it('makes a replica anew that was deleted under a former primary', async () => {
    const [a, b, c] = names;
    const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = KeyMetadata?.KeyId ?? '';
    for (const to of [b, c]) await replicate(a, keyId, to);
    await client(c).send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 }));
    await regionOf(c).advance(7 * 86_400_000);
    // The former primary hears of it, and the new one does not list it any more.
    regionOf(a).region.replicator.begin({ keyId, destination: c });
    regionOf(a).region.replicator.wake();
    await until('the end of the replica', async () => (await shownBy(a, keyId)) === `PRIMARY ${a} [${b}] Enabled`);
    await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    await until('the new primary', async () => (await shownBy(a, keyId)) === `REPLICA ${b} [${a}] Enabled`);
    await replicate(b, keyId, c);
    await carries(c, a, keyId);
  });

  it('waits as a primary for its replicas to go, then for its own window; a cancelled deletion leaves it disabled', async () => {
    const [a, b] = names;
    const { KeyMetadata } = await client(a).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = KeyMetadata?.KeyId ?? '';
    await replicate(a, keyId, b);
    await client(a).send(new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: b }));
    await until('the replica', async () => (await shownBy(a, keyId)) === `REPLICA ${b} [${a}] Enabled`);
    const schedule = new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 9 });
    const scheduled = await client(b).send(schedule);
    expect(scheduled).to.include({ KeyState: 'PendingReplicaDeletion', PendingWindowInDays: 9 });
    expect(scheduled).to.not.have.property('DeletionDate');
    expect(await describeKey(b, keyId)).to.include({
      KeyState: 'PendingReplicaDeletion',
      PendingDeletionWindowInDays: 9,
    });
    for (const command of [
      new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: names[2] }),
      new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: a }),
    ]) {
      const refused: unknown = await client(b)
        .send(command as ReplicateKeyCommand)
        .catch((error: unknown) => error);
      expect(refused)
        .to.have.property('message')
        .that.matches(/is pending deletion/u);
    }
    await client(b).send(new CancelKeyDeletionCommand({ KeyId: keyId }));
    expect((await describeKey(b, keyId)).KeyState).to.equal('Disabled');
    await client(b).send(schedule);
    await client(a).send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 }));
    await regionOf(a).advance(7 * 86_400_000);
    new ReplicaImportWatch(regionOf(b).region, { report: (failure) => expect.fail(String(failure)) }).ask();
    await until('the last replica’s end', async () => (await describeKey(b, keyId)).KeyState === 'PendingDeletion');
    const { DeletionDate } = await describeKey(b, keyId);
    const days = ((DeletionDate?.getTime() ?? 0) - regionOf(b).region.clock.nowMs()) / 86_400_000;
    expect(days).to.be.within(8.99, 9);
    await client(b).send(new CancelKeyDeletionCommand({ KeyId: keyId }));
    expect((await describeKey(b, keyId)).KeyState).to.equal('Disabled');
  });
});
