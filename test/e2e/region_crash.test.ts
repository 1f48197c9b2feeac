import { CreateKeyCommand, DescribeKeyCommand, ReplicateKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegionLab, type LabRegionProcess } from '../support/lab_process.js';
import {
  expectSameKey,
  expectToCross,
  isWithoutAnswer,
  untilTrue,
  waitUntilEnabled,
} from '../support/replication_client.js';
import { storedKeys, tokenObjectCount } from '../support/region_evidence.js';

const PRIMARY = 'us-east-1';
const REPLICA = 'eu-west-1';
/** Clients that send requests at the same time. */
const CLIENTS = 8;
const KILLS = 4;
/** Keys that are made around each of them. */
const KEYS_PER_KILL = 24;

/** What the service said yes to. */
interface Acknowledged {
  readonly created: Set<string>;
  readonly replicated: Set<string>;
}

describe('A region that is killed in the middle of many requests', function () {
  this.timeout(120_000);
  let lab: RegionLab;
  let primary: LabRegionProcess;
  let replica: LabRegionProcess;
  let here: KMSClient;
  let there: KMSClient;
  let objectsBefore: readonly number[];
  const acknowledged: Acknowledged = { created: new Set(), replicated: new Set() };

  before(async () => {
    lab = await RegionLab.start({ [PRIMARY]: 'softhsm2', [REPLICA]: 'nss' });
    primary = lab.region(PRIMARY);
    replica = lab.region(REPLICA);
    here = primary.client();
    there = replica.client();
    objectsBefore = [primary, replica].map(({ directory }) => tokenObjectCount(directory));
  });
  after(() => lab?.close());

  it('loses nothing that it acknowledged, and shows no half of anything else', async function () {
    let cutOff = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = kill % 2 === 0 ? primary : replica;
      const before = acknowledged.created.size;
      const made = (): number => acknowledged.created.size - before;
      let isOver = false;
      const clients = Array.from({ length: CLIENTS }, async () => {
        // Some keys are left to be made after the region is back.
        while (!isOver && made() < KEYS_PER_KILL)
          cutOff += await sendUntilCutOff(here, acknowledged, () => isOver || made() >= KEYS_PER_KILL);
      });
      await untilTrue('some keys are made', async () => made() >= CLIENTS + kill);
      victim.program.kill();
      await victim.program.ended;
      await victim.program.start();
      await untilTrue('the other keys are made', async () => made() >= KEYS_PER_KILL);
      isOver = true;
      await Promise.all(clients);
    }
    expect(acknowledged.created.size).to.be.least(KILLS * KEYS_PER_KILL);
    expect(acknowledged.replicated.size).to.be.above(0);
    expect(cutOff).to.be.above(0);
    for (const KeyId of acknowledged.created) {
      const { KeyMetadata } = await here.send(new DescribeKeyCommand({ KeyId }));
      expect(KeyMetadata?.KeyState).to.equal('Enabled');
      await expectToCross(here, here, KeyId);
    }
    const note = `${acknowledged.created.size} keys and ${acknowledged.replicated.size} replicas acknowledged, ${cutOff} requests cut off`;
    if (this.test !== undefined) (this.test as { note?: string }).note = note;
  });

  it('finishes every replication that it acknowledged', async () => {
    for (const KeyId of acknowledged.replicated) {
      await waitUntilEnabled(there, KeyId, 60_000);
      await expectSameKey(here, there, KeyId);
      await expectToCross(here, there, KeyId);
      await expectToCross(there, here, KeyId);
    }
  });

  it('keeps whole keys only, also of requests that got no answer', async () => {
    await untilTrue('nothing is under way', async () => {
      const { outgoing, waiting } = (await primary.status()).replication;
      return outgoing.length + waiting.length === 0;
    });
    const [atPrimary, atReplica] = [storedKeys(primary.directory), storedKeys(replica.directory)];
    for (const [keyId, key] of [...atPrimary, ...atReplica]) {
      expect(key.materialIds, keyId).to.have.length(1);
      expect(key.keyState, keyId).to.equal('Enabled');
    }
    expect([...atPrimary.keys()]).to.include.members([...acknowledged.created]);
    expect([...atReplica.keys()]).to.include.members([...acknowledged.replicated]);
    expect([...atPrimary.keys()]).to.include.members([...atReplica.keys()]);
    for (const region of [primary, replica]) expect((await region.status()).hsm.ephemeralKeys).to.equal(0);
    expect([primary, replica].map(({ directory }) => tokenObjectCount(directory))).to.deep.equal(objectsBefore);
  });
});

/**
 * Makes keys and replicates every second one, until a request gets no answer or there are enough.
 *
 * @returns how many requests got no answer: 0 or 1
 */
async function sendUntilCutOff(client: KMSClient, done: Acknowledged, isEnough: () => boolean): Promise<number> {
  try {
    while (!isEnough()) {
      const { KeyMetadata } = await client.send(new CreateKeyCommand({ MultiRegion: true }));
      const KeyId = KeyMetadata?.KeyId ?? '';
      done.created.add(KeyId);
      if (done.created.size % 2 === 1) continue;
      await client.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: REPLICA }));
      done.replicated.add(KeyId);
    }
    return 0;
  } catch (error) {
    if (!isWithoutAnswer(error)) throw error;
    await sleep(20);
    return 1;
  }
}
