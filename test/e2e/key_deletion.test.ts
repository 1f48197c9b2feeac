import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Job } from '../../src/token/job.js';
import { CKA_TOKEN } from '../../src/token/cryptoki.js';
import { template } from '../../src/token/template.js';
import type { KeyId } from '../../src/kms/key_id.js';
import { ReplicaImportWatch } from '../../src/kms/multi_region_sync.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { decrypt } from '../../src/kms/operations/decrypt.js';
import { describeKey } from '../../src/kms/operations/describe_key.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import { replicateKey } from '../../src/kms/operations/replicate_key.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../src/kms/region.js';
import { importInto, makeExternalKey, prepareImport } from '../support/import_ceremony.js';
import { makeRegionPair, untilSo, type PairedRegion, type RegionPair } from '../support/region_pair.js';
import { SecretScan, type Secret } from '../support/secret_scan.js';
import { ACCOUNT, refusalOf, ROOT } from '../support/software_region.js';

const DAY_MS = 86_400_000;
/** Both tell of keys on purpose, also after their end. */
const TRAILS = ['trail.jsonl', 'events.jsonl'];

describe('The final deletion of a key', function () {
  this.timeout(90_000);
  let pair: RegionPair;
  /** A key with imported material and one of KMS's own, both in two regions, and one of a single region. */
  let keyIds: readonly string[];
  let single: string;
  const material = randomBytes(32);
  const callOf = ({ region }: PairedRegion): Call => ({ region, caller: { principal: ROOT, account: ACCOUNT } });
  const stateOf = async (region: PairedRegion, KeyId: string) =>
    (await describeKey(callOf(region), { KeyId })).KeyMetadata.KeyState;

  const until = (what: string, isSo: () => Promise<boolean>): Promise<void> =>
    untilSo([pair.first, pair.second], what, isSo);

  /** The primary has heard that its replica is no more. */
  const untilReplicaIsGone = (KeyId: string): Promise<void> =>
    until(
      'the end of the replica',
      async () => pair.first.region.store.replica(KeyId as KeyId, pair.second.name) === undefined,
    );

  /** What must be in no file: the key ids, as text and as octets, and every blob that was wrapped for storage. */
  function tracesOf(region: PairedRegion, ids: readonly string[]): readonly Secret[] {
    const { materials } = region.region;
    return ids.flatMap((id) => [
      { name: `${id} in text`, octets: Buffer.from(id) },
      { name: `${id} in octets`, octets: Buffer.from(id.replace(/^mrk-/, '').replaceAll('-', ''), 'hex') },
      ...materials.versions(id as KeyId).flatMap(({ material: stored, index }) =>
        stored === null
          ? []
          : [
              { name: `${id}, material ${index}`, octets: stored.exportedKeyToken },
              { name: `${id}, MAC ${index}`, octets: stored.recordMac },
            ],
      ),
      ...region.database
        .prepare('SELECT exported_key_token FROM import_parameters WHERE key_id = ?')
        .all(id)
        .map((row, index) => ({ name: `${id}, wrapping key ${index}`, octets: row['exported_key_token'] as Buffer })),
    ]);
  }

  const findingsIn = (region: PairedRegion, traces: readonly Secret[]): readonly string[] => {
    region.database.prepare('PRAGMA wal_checkpoint(PASSIVE)').all();
    const scan = new SecretScan(traces);
    const { files, found } = scan.scanFiles(region.directory, TRAILS);
    expect(files, 'files that were scanned').to.be.greaterThan(0);
    return [...found, ...scan.scanFiles(region.token.token.directory).found];
  };

  /** Objects of a token by where they live. */
  async function objectsOf({ token }: PairedRegion): Promise<readonly number[]> {
    const job = new Job('count objects', 'test');
    const found = [true, false].map((isOnToken) => job.findObjects(template([CKA_TOKEN, isOnToken]), 4096));
    const result = await token.executor.run(job);
    return found.map((handles) => result.handles(handles).length);
  }

  async function deleteIn(region: PairedRegion, ids: readonly string[]): Promise<void> {
    for (const KeyId of ids) await scheduleKeyDeletion(callOf(region), { KeyId, PendingWindowInDays: 7 });
    await region.advance(7 * DAY_MS);
  }

  before(async () => {
    pair = await makeRegionPair({ name: 'us-east-1', kind: 'softhsm2' }, { name: 'eu-west-1', kind: 'nss' });
  });
  after(() => pair.close());

  it('leaves no row, blob, message or token object of a replica, and of a primary after it', async () => {
    const { first, second } = pair;
    const objects = [await objectsOf(first), await objectsOf(second)];
    const external = await makeExternalKey(callOf(first), { MultiRegion: true });
    await importInto(callOf(first), external, material);
    const own = (await createKey(callOf(first), { MultiRegion: true })).KeyMetadata.KeyId;
    single = await makeExternalKey(callOf(first));
    await importInto(callOf(first), single, material);
    keyIds = [external, own];
    for (const KeyId of keyIds) await replicateKey(callOf(first), { KeyId, ReplicaRegion: second.name });
    await until('the replica of imported material', async () => (await stateOf(second, external)) === 'PendingImport');
    await until('the other replica', async () => (await stateOf(second, own)) === 'Enabled');
    await importInto(callOf(second), external, material);
    // Parameters that nobody uses, and material that is loaded in the tokens, go too.
    for (const region of [first, second]) {
      await prepareImport(callOf(region), external, material);
      for (const KeyId of keyIds) {
        const { CiphertextBlob } = await encrypt(callOf(region), { KeyId, Plaintext: Buffer.from('x') });
        await decrypt(callOf(region), { CiphertextBlob });
      }
    }
    await until('the end of both sessions', async () => second.agent.status().incoming.length === 0);
    const traces = [tracesOf(first, [...keyIds, single]), tracesOf(second, keyIds)] as const;
    for (const [region, of] of [
      [first, traces[0]],
      [second, traces[1]],
    ] as const) {
      const found = findingsIn(region, of).join('\n');
      for (const { name } of of.filter((trace) => !trace.name.endsWith('in octets'))) {
        expect(found, `${region.name} before the deletion`).to.include(name);
      }
    }

    await deleteIn(second, keyIds);
    for (const KeyId of keyIds) {
      expect((await refusalOf(stateOf(second, KeyId))).code).to.equal('NotFoundException');
    }
    expect(findingsIn(second, traces[1]), 'after the deletion of the replicas').to.deep.equal([]);

    for (const KeyId of keyIds) await scheduleKeyDeletion(callOf(first), { KeyId, PendingWindowInDays: 7 });
    new ReplicaImportWatch(first.region, { report: (failure) => expect.fail(String(failure)) }).ask();
    for (const KeyId of keyIds) {
      await until('what the primary is told', async () => (await stateOf(first, KeyId)) === 'PendingDeletion');
    }
    await first.advance(7 * DAY_MS);
    await deleteIn(first, [single]);
    expect(findingsIn(first, traces[0]), 'after the deletion of the primaries').to.deep.equal([]);
    // The region that was asked for its replicas has not written them down again.
    expect(findingsIn(second, traces[1]), 'after telling so').to.deep.equal([]);
    expect([await objectsOf(first), await objectsOf(second)], 'objects in the tokens').to.deep.equal(objects);
  });

  it('ends a replication that is under way, and its answer finds nothing', async () => {
    const { first, second } = pair;
    const { KeyId } = (await createKey(callOf(first), { MultiRegion: true })).KeyMetadata;
    await replicateKey(callOf(first), { KeyId, ReplicaRegion: second.name });
    await until('the replica', async () => (await stateOf(second, KeyId)) === 'Enabled');
    await until('the end of its session', async () => first.agent.status().outgoing.length === 0);
    await scheduleKeyDeletion(callOf(second), { KeyId, PendingWindowInDays: 7 });
    // A transfer is offered, and its key goes before it comes.
    pair.connect(false);
    first.region.replicator.begin({ keyId: KeyId, destination: second.name });
    first.region.replicator.wake();
    await until('the intent', async () => first.agent.status().outgoing.length === 1);
    await second.advance(7 * DAY_MS);
    expect((await refusalOf(stateOf(second, KeyId))).code).to.equal('NotFoundException');
    pair.connect(true);
    // A session that the destination has forgotten is begun anew, and then ended by its word.
    await untilReplicaIsGone(KeyId);
    await until('the end of the session', async () => first.agent.status().outgoing.length === 0);
    expect((await refusalOf(stateOf(second, KeyId))).code).to.equal('NotFoundException');
    expect(findingsIn(second, tracesOf(second, [KeyId]))).to.deep.equal([]);
    // It is made anew when somebody asks for it, and only then.
    await replicateKey(callOf(first), { KeyId, ReplicaRegion: second.name });
    await until('the new replica', async () => (await stateOf(second, KeyId)) === 'Enabled');
  });

  it('is not undone by a session in doubt whose first message the network repeats', async () => {
    const { first, second } = pair;
    const { KeyId } = (await createKey(callOf(first), { MultiRegion: true })).KeyMetadata;
    await replicateKey(callOf(first), { KeyId, ReplicaRegion: second.name });
    await until('the replica', async () => (await stateOf(second, KeyId)) === 'Enabled');
    await until('the end of the session', async () => first.agent.status().outgoing.length === 0);
    await scheduleKeyDeletion(callOf(second), { KeyId, PendingWindowInDays: 7 });
    // The intent passes, the transfer does not: the source is in doubt when the replica goes.
    const sent: Uint8Array[] = [];
    pair.relay((octets, destination) => {
      if (destination === second.name) sent.push(octets);
      return destination === second.name && sent.length > 1 ? [] : [octets];
    });
    first.region.replicator.begin({ keyId: KeyId, destination: second.name });
    first.region.replicator.wake();
    await until('the transfer', async () => first.agent.status().outgoing[0]?.state === 'SENT');
    await second.advance(7 * DAY_MS);
    const [intent = new Uint8Array()] = sent;
    const answers: Uint8Array[] = [];
    pair.relay((octets, destination) => {
      if (destination === first.name && answers.push(octets) === 1) return [octets];
      return destination === second.name && answers.length === 0 ? [intent] : [octets];
    });
    // The session in doubt ends by one word, and the one that is begun in its place by another.
    await untilReplicaIsGone(KeyId);
    await until('the end of the session', async () => first.agent.status().outgoing.length === 0);
    expect((await refusalOf(stateOf(second, KeyId))).code).to.equal('NotFoundException');
    expect(second.refusals.filter((refusal) => refusal.startsWith('REPLICA_DELETED'))).to.have.length.above(1);
    pair.relay(undefined);
  });
});
