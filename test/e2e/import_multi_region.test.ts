import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { KeyId } from '../../src/kms/key_id.js';
import { ReplicaImportWatch } from '../../src/kms/multi_region_sync.js';
import { decrypt } from '../../src/kms/operations/decrypt.js';
import { deleteImportedKeyMaterial } from '../../src/kms/operations/delete_imported_key_material.js';
import { describeKey } from '../../src/kms/operations/describe_key.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import { listKeyRotations, type RotationEntry } from '../../src/kms/operations/list_key_rotations.js';
import { replicateKey } from '../../src/kms/operations/replicate_key.js';
import { rotateKeyOnDemand } from '../../src/kms/operations/rotate_key_on_demand.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../src/kms/region.js';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { makeRegionPair, untilSo, type PairedRegion, type RegionPair } from '../support/region_pair.js';
import { ACCOUNT, refusalOf, ROOT } from '../support/software_region.js';

const DAY_MS = 86_400_000;

describe('A multi-Region key with imported material', function () {
  this.timeout(90_000);
  let pair: RegionPair;
  let primary: Call;
  let replica: Call;
  let keyId: string;
  const material = randomBytes(32);
  const callOf = ({ region }: PairedRegion): Call => ({ region, caller: { principal: ROOT, account: ACCOUNT } });
  const stateOf = async (call: Call) => (await describeKey(call, { KeyId: keyId })).KeyMetadata.KeyState;
  const entries = async (call: Call): Promise<readonly RotationEntry[]> =>
    (await listKeyRotations(call, { KeyId: keyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).Rotations;
  const statesOf = async (call: Call) =>
    (await entries(call)).map(({ KeyMaterialState, ImportState }) => `${KeyMaterialState} ${ImportState}`);

  const replicaRegions = async () =>
    (await describeKey(primary, { KeyId: keyId })).KeyMetadata.MultiRegionConfiguration?.ReplicaKeys ?? [];

  const until = (what: string, isSo: () => Promise<boolean>): Promise<void> =>
    untilSo([pair.first, pair.second], what, isSo);

  before(async () => {
    pair = await makeRegionPair({ name: 'us-east-1', kind: 'softhsm2' }, { name: 'eu-west-1', kind: 'nss' });
    primary = callOf(pair.first);
    replica = callOf(pair.second);
    keyId = await makeExternalKey(primary, { MultiRegion: true });
  });
  after(() => pair.close());

  it('is replicated once it has material, without the material: the replica waits for it', async () => {
    const early = await refusalOf(replicateKey(primary, { KeyId: keyId, ReplicaRegion: 'eu-west-1' }));
    expect(early.message).to.match(/is pending import\.$/);
    await importInto(primary, keyId, material, { KeyMaterialDescription: 'first' });
    await replicateKey(primary, { KeyId: keyId, ReplicaRegion: 'eu-west-1', Description: 'replica' });
    await until('the replica', async () => (await stateOf(replica)) === 'PendingImport');
    const { KeyMetadata } = await describeKey(replica, { KeyId: keyId });
    expect(KeyMetadata).to.include({ Origin: 'EXTERNAL', Description: 'replica' });
    expect(KeyMetadata.CurrentKeyMaterialId).to.equal(
      (await describeKey(primary, { KeyId: keyId })).KeyMetadata.CurrentKeyMaterialId,
    );
    expect(replica.region.store.materials(keyId as KeyId)).to.deep.equal([]);
    expect((await entries(replica))[0]).to.include({ ImportState: 'PENDING_IMPORT', KeyMaterialDescription: 'first' });
    const used = await refusalOf(encrypt(replica, { KeyId: keyId, Plaintext: Buffer.from('x') }));
    expect(used.message).to.match(/is pending import\.$/);
  });

  it('takes in a replica the primary’s material and no other; both then decrypt for each other', async () => {
    const refusal = await refusalOf(importInto(replica, keyId, randomBytes(32)));
    expect(refusal.code).to.equal('IncorrectKeyMaterialException');
    const asNew = await refusalOf(importInto(replica, keyId, material, { ImportType: 'NEW_KEY_MATERIAL' }));
    expect(asNew.code).to.equal('UnsupportedOperationException');
    await importInto(replica, keyId, material);
    expect(await stateOf(replica)).to.equal('Enabled');
    for (const [from, to] of [
      [primary, replica],
      [replica, primary],
    ] as const) {
      const { CiphertextBlob } = await encrypt(from, { KeyId: keyId, Plaintext: Buffer.from('ferried') });
      expect(Buffer.from((await decrypt(to, { CiphertextBlob })).Plaintext).toString()).to.equal('ferried');
    }
  });

  it('loses material in one region without the other', async () => {
    await deleteImportedKeyMaterial(replica, { KeyId: keyId });
    expect(await stateOf(replica)).to.equal('PendingImport');
    expect(await stateOf(primary)).to.equal('Enabled');
    await importInto(replica, keyId, material);
  });

  it('rotates when every region has imported the new material, and not before', async () => {
    const next = randomBytes(32);
    const waiting = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION';
    await importInto(primary, keyId, next, { ImportType: 'NEW_KEY_MATERIAL', KeyMaterialDescription: 'second' });
    expect(await statesOf(primary)).to.deep.equal(['CURRENT IMPORTED', `${waiting} IMPORTED`]);
    expect((await refusalOf(rotateKeyOnDemand(primary, { KeyId: keyId }))).message).to.match(
      /^No available key material pending rotation/,
    );
    await until('the identity of the new material', async () => (await entries(replica)).length === 2);
    expect((await entries(replica))[1]).to.include({ KeyMaterialDescription: 'second', ImportState: 'PENDING_IMPORT' });
    await importInto(replica, keyId, next, { ImportType: 'EXISTING_KEY_MATERIAL' });
    expect(await stateOf(replica)).to.equal('Enabled');
    new ReplicaImportWatch(primary.region, { report: (failure) => expect.fail(String(failure)) }).ask();
    await until('the report of the import', async () => (await statesOf(primary))[1] === 'PENDING_ROTATION IMPORTED');
    expect((await refusalOf(rotateKeyOnDemand(replica, { KeyId: keyId }))).message).to.match(
      /is not a multi-region primary key\.$/,
    );
    await rotateKeyOnDemand(primary, { KeyId: keyId });
    await until('the rotation', async () => (await statesOf(replica))[1] === 'CURRENT IMPORTED');
    expect(await statesOf(replica)).to.deep.equal(['NON_CURRENT IMPORTED', 'CURRENT IMPORTED']);
    expect((await entries(replica))[1]?.RotationDate).to.deep.equal((await entries(primary))[1]?.RotationDate);
    const { CiphertextBlob } = await encrypt(primary, { KeyId: keyId, Plaintext: Buffer.from('new') });
    expect(Buffer.from((await decrypt(replica, { CiphertextBlob })).Plaintext).toString()).to.equal('new');
  });

  it('gives up waiting material in the replicas when the primary deletes it', async () => {
    await importInto(primary, keyId, randomBytes(32), { ImportType: 'NEW_KEY_MATERIAL' });
    await until('the identity of the new material', async () => (await entries(replica)).length === 3);
    const KeyMaterialId = (await entries(primary))[2]?.KeyMaterialId ?? '';
    await deleteImportedKeyMaterial(primary, { KeyId: keyId, KeyMaterialId });
    await until('the end of the new material', async () => (await entries(replica)).length === 2);
    expect(await stateOf(replica)).to.equal('Enabled');
  });

  it('does not make a replica anew that was deleted, unless it is asked to', async () => {
    await scheduleKeyDeletion(replica, { KeyId: keyId, PendingWindowInDays: 7 });
    await pair.second.advance(7 * DAY_MS);
    expect((await refusalOf(stateOf(replica))).code).to.equal('NotFoundException');
    await importInto(primary, keyId, randomBytes(32), { ImportType: 'NEW_KEY_MATERIAL' });
    await until('the end of the replica', async () => (await replicaRegions()).length === 0);
    expect((await refusalOf(stateOf(replica))).code).to.equal('NotFoundException');
    // Nobody else has to import it now.
    expect((await statesOf(primary))[2]).to.equal('PENDING_ROTATION IMPORTED');
    await replicateKey(primary, { KeyId: keyId, ReplicaRegion: 'eu-west-1' });
    await until('the replica', async () => (await stateOf(replica)) === 'PendingImport');
  });

  it('deletes the primary when its window has passed after the end of its last replica', async () => {
    const scheduled = await scheduleKeyDeletion(primary, { KeyId: keyId, PendingWindowInDays: 7 });
    expect(scheduled).to.deep.include({ KeyState: 'PendingReplicaDeletion', PendingWindowInDays: 7 });
    expect(scheduled).to.not.have.property('DeletionDate');
    await pair.first.advance(30 * DAY_MS);
    const waiting = (await describeKey(primary, { KeyId: keyId })).KeyMetadata;
    expect(waiting).to.include({ KeyState: 'PendingReplicaDeletion', PendingDeletionWindowInDays: 7 });
    await scheduleKeyDeletion(replica, { KeyId: keyId, PendingWindowInDays: 7 });
    await pair.second.advance(7 * DAY_MS);
    new ReplicaImportWatch(primary.region, { report: (failure) => expect.fail(String(failure)) }).ask();
    await until('the end of the replica', async () => (await stateOf(primary)) === 'PendingDeletion');
    const { DeletionDate } = (await describeKey(primary, { KeyId: keyId })).KeyMetadata;
    expect(DeletionDate?.getTime()).to.be.closeTo(primary.region.clock.nowMs() + 7 * DAY_MS, 10_000);
    await pair.first.advance(7 * DAY_MS);
    expect((await refusalOf(stateOf(primary))).code).to.equal('NotFoundException');
  });
});
