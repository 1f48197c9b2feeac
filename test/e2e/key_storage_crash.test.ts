import {
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  ReplicateKeyCommand,
  ScheduleKeyDeletionCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { join } from 'node:path';
import { askAdmin } from '../../src/lab/admin_client.js';
import { RegionLab, type LabRegionProcess } from '../support/lab_process.js';
import { storedKeys, tokenObjectCount } from '../support/region_evidence.js';
import { expectToCross, isWithoutAnswer, untilTrue, waitUntilEnabled } from '../support/replication_client.js';

const PRIMARY = 'us-east-1';
const REPLICA = 'eu-west-1';
const KILLS = 3;
const KEYS_PER_KILL = 5;
const WEEK_MS = 7 * 24 * 3600 * 1000;

describe('A region whose keys rest in its token', function () {
  this.timeout(120_000);
  let lab: RegionLab;
  let primary: LabRegionProcess;
  let replica: LabRegionProcess;
  let here: KMSClient;
  let there: KMSClient;
  let objectsBefore: readonly number[];

  before(async () => {
    lab = await RegionLab.start({ [PRIMARY]: 'softhsm2', [REPLICA]: 'nss' }, { keyStorage: 'token' });
    primary = lab.region(PRIMARY);
    replica = lab.region(REPLICA);
    here = primary.client();
    there = replica.client();
    objectsBefore = [primary, replica].map(({ directory }) => tokenObjectCount(directory));
  });
  after(() => lab?.close());

  /** Token objects that regions have more than at first, and keys that they know. */
  const evidence = (region: LabRegionProcess, at: number): readonly [objects: number, keys: number] => [
    tokenObjectCount(region.directory) - (objectsBefore[at] ?? 0),
    storedKeys(region.directory).size,
  ];

  it('has one object for each key, here and where it is replicated to', async () => {
    const { KeyMetadata } = await here.send(new CreateKeyCommand({ MultiRegion: true }));
    const KeyId = KeyMetadata?.KeyId ?? '';
    await here.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: REPLICA }));
    await waitUntilEnabled(there, KeyId);
    await expectToCross(here, there, KeyId);
    await expectToCross(there, here, KeyId);
    expect(evidence(primary, 0)).to.deep.equal([1, 1]);
    expect(evidence(replica, 1)).to.deep.equal([1, 1]);
  });

  it('keeps what it acknowledged over kills, and no object of anything else', async () => {
    const { KeyMetadata } = await here.send(new CreateKeyCommand({}));
    const KeyId = KeyMetadata?.KeyId ?? '';
    const { CiphertextBlob } = await here.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('kept') }));
    for (let kill = 0; kill < KILLS; kill += 1) {
      const requests = Array.from({ length: KEYS_PER_KILL }, () => here.send(new CreateKeyCommand({})));
      const first = await Promise.race(
        requests.map((request) =>
          request.then(
            () => 'made',
            () => 'lost',
          ),
        ),
      );
      expect(first).to.equal('made');
      primary.program.kill();
      await primary.program.ended;
      for (const outcome of await Promise.allSettled(requests)) {
        if (outcome.status === 'rejected' && !isWithoutAnswer(outcome.reason)) throw outcome.reason;
      }
      await primary.program.start();
      const [objects, keys] = evidence(primary, 0);
      expect(objects).to.equal(keys);
    }
    const { Plaintext } = await here.send(new DecryptCommand({ KeyId, CiphertextBlob }));
    expect(Buffer.from(Plaintext ?? []).toString()).to.equal('kept');
  });

  it('destroys an object that was made when the region was killed before its key was recorded', async () => {
    const [objects, keys] = evidence(primary, 0);
    // The object is made, then found to be what it is: the region ends there.
    primary.setTokenFaults('C_SetAttributeValue 1 kill-after');
    await here.send(new CreateKeyCommand({})).then(
      () => expect.fail('the key was acknowledged'),
      (error: unknown) => expect(isWithoutAnswer(error)).to.equal(true),
    );
    await primary.program.ended;
    expect(evidence(primary, 0)).to.deep.equal([objects + 1, keys]);
    primary.setTokenFaults();
    await primary.program.start();
    expect(evidence(primary, 0)).to.deep.equal([objects, keys]);
  });

  it('says that the token is full, and goes on', async () => {
    const before = evidence(primary, 0);
    primary.setTokenFaults('C_GenerateKey 1 return 31');
    const refused = await here.send(new CreateKeyCommand({})).then(
      () => 'made',
      (error: unknown) => (error as Error).name,
    );
    primary.setTokenFaults();
    expect(refused).to.equal('LimitExceededException');
    expect(evidence(primary, 0)).to.deep.equal(before);
    await here.send(new CreateKeyCommand({}));
  });

  it('destroys the object of a key that is deleted', async () => {
    const { KeyMetadata } = await here.send(new CreateKeyCommand({}));
    const [objects, keys] = evidence(primary, 0);
    await here.send(new ScheduleKeyDeletionCommand({ KeyId: KeyMetadata?.KeyId ?? '', PendingWindowInDays: 7 }));
    await askAdmin(join(primary.directory, 'admin.sock'), {
      method: 'POST',
      path: '/clock',
      body: { milliseconds: WEEK_MS + 1000 },
    });
    await untilTrue('the object is gone', async () => evidence(primary, 0)[0] === objects - 1);
    expect(evidence(primary, 0)).to.deep.equal([objects - 1, keys - 1]);
  });
});
