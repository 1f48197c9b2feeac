import { Database } from '../../src/adapters/database.js';
import { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { SqliteJournal } from '../../src/adapters/replication_store_sqlite.js';
import { isKeyId, type KeyHome, type KeyId } from '../../src/kms/key_id.js';
import type { KeyRecord } from '../../src/kms/key_record.js';
import { ReplicationAgent } from '../../src/replication/agent.js';
import { openRosterBook } from '../../src/replication/roster_book.js';
import { makeReplicatedKeys } from './kms_region.js';
import { newPrimary } from './new_primary.js';
import { ACCOUNT, MemoryAudit, TestPartition, type TestRegion } from './replication_partition.js';

const NAMES = ['us-east-1', 'eu-west-1', 'ap-south-1'] as const;

/** One region: real agent, keys and database, a token double. */
interface WorldRegion extends ReturnType<typeof makeReplicatedKeys> {
  readonly name: string;
  readonly test: TestRegion;
  readonly database: Database;
  readonly store: SqliteKeyStore;
  readonly home: KeyHome;
  readonly audit: MemoryAudit;
  agent: ReplicationAgent;
}

/** Three regions and a key with two replicas, over a network that does what it is told. */
export class HandoverWorld {
  readonly regions: readonly WorldRegion[];
  readonly #partition: TestPartition;
  keyId!: KeyId;

  private constructor(partition: TestPartition) {
    this.#partition = partition;
    this.regions = NAMES.map((name) => this.#region(partition.region(name)));
  }

  static async make(): Promise<HandoverWorld> {
    const world = new HandoverWorld(await TestPartition.create({ regions: NAMES }));
    for (const region of world.regions) await region.agent.start();
    await world.#createKey();
    return world;
  }

  get waiting(): TestPartition['network']['waiting'] {
    return this.#partition.network.waiting;
  }

  #region(test: TestRegion): WorldRegion {
    const { name, clock } = test;
    const home: KeyHome = { partition: this.#partition.name, region: name, account: ACCOUNT };
    const database = Database.open(':memory:');
    const store = new SqliteKeyStore(database, home);
    const parts = { name, test, database, store, home, audit: new MemoryAudit() };
    const kept = { ...parts, ...makeReplicatedKeys({ home, database, store, clock }) };
    return { ...kept, agent: this.#agent(kept) };
  }

  #agent(region: Omit<WorldRegion, 'agent'>): ReplicationAgent {
    const { name, test, database, keys, primaryChanges, audit } = region;
    const journal = new SqliteJournal(database);
    const { authorityKid, network, roster, name: partition } = this.#partition;
    const agent = new ReplicationAgent({
      region: name,
      partition,
      account: ACCOUNT,
      hsm: test.hsm,
      journal,
      keys,
      handovers: primaryChanges,
      roster: openRosterBook({ journal, partition, authorityKid }),
      transport: network.transport(name),
      clock: test.clock,
      audit,
      times: { resendBaseMs: 1_000, resendCapMs: 8_000 },
      tickMs: 0,
    });
    if (journal.rosters().length === 0) agent.applyRosters([roster?.compact ?? '']);
    return agent;
  }

  async #createKey(): Promise<void> {
    const [first, ...others] = this.regions;
    if (first === undefined) throw new Error('there are no regions');
    const [keySpec, keyUsage, dataSuite] = ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'SP800108-GCM'] as const;
    const { keyId, birthCertificate } = await first.agent.issueBirth({ keySpec, keyUsage, origin: 'AWS_KMS' });
    if (!isKeyId(keyId)) throw new Error(`${keyId} is no key id`);
    this.keyId = keyId;
    const material = first.test.hsm.createMaterial({ keyId, keySpec, keyUsage, multiRegion: true, dataSuite });
    const createdMs = first.test.clock.nowMs();
    first.store.insertKey(newPrimary(first.home, { keyId, birthCertificate, dataSuite, material, createdMs }));
    for (const { name } of others) {
      const replica = {
        region: name,
        standing: 'REPLICATING',
        failure: null,
        description: '',
        policy: '{}',
        tags: [],
      } as const;
      first.store.putReplica(keyId, replica);
      first.agent.begin({ keyId, destination: name });
    }
    first.agent.wake();
    await this.deliverAll();
  }

  record({ store }: WorldRegion): KeyRecord | undefined {
    return store.key(this.keyId);
  }

  /** Asks the primary, if there is one, to hand the key over. */
  askHandover(destination: string): void {
    const primary = this.regions.find((region) => this.record(region)?.multiRegion?.type === 'PRIMARY');
    const record = primary && this.record(primary);
    if (primary === undefined || record?.state !== 'Enabled' || primary.name === destination) return;
    primary.database.transaction(() => {
      primary.primaryChanges.begin(record, destination);
      primary.agent.begin({ keyId: this.keyId, destination });
    });
    primary.agent.wake();
  }

  async settle(): Promise<void> {
    for (const { agent } of this.regions) await agent.settled();
  }

  /** Delivers one waiting message, or drops it, or delivers it and keeps it for later. */
  async move(at: number, what: 'deliver' | 'drop' | 'repeat'): Promise<void> {
    const [message] = this.waiting.splice(at, 1);
    if (message === undefined) return;
    if (what === 'repeat') this.waiting.push(message);
    if (what !== 'drop') await this.#partition.network.deliver(message.to, message.octets);
    await this.settle();
  }

  async deliverAll(): Promise<void> {
    for (let round = 0; round < 400; round += 1) {
      await this.settle();
      if (this.waiting.length === 0) return;
      await this.move(0, 'deliver');
      this.check();
    }
    throw new Error('the network did not come to rest');
  }

  async pass(ms: number): Promise<void> {
    for (const { test, agent } of this.regions) {
      test.clock.advance(ms);
      await agent.tick();
    }
    await this.settle();
  }

  /** The process ends and is started again over what it had committed. */
  async restart(region: WorldRegion): Promise<void> {
    await region.agent.stop();
    region.agent = this.#agent(region);
    await region.agent.start();
    await this.settle();
  }

  /** There are never two primaries. */
  check(): void {
    const primaries = this.regions.filter((region) => this.record(region)?.multiRegion?.type === 'PRIMARY');
    if (primaries.length > 1) throw new Error(`two primaries: ${primaries.map(({ name }) => name).join(' and ')}`);
  }

  /** Nothing fails any more: there is one primary, all know it, and nobody has seen a fork. */
  async heal(): Promise<string> {
    for (let round = 0; round < 30; round += 1) {
      await this.deliverAll();
      await this.pass(10_000);
    }
    const views = this.regions.map((region) => {
      const { multiRegion, state } = this.record(region) ?? {};
      const place = multiRegion?.type === 'PRIMARY' ? region.name : multiRegion?.primaryRegion;
      return `${place} ${state} ${multiRegion?.replicaRegions.toSorted().join()}`;
    });
    this.check();
    const isPrimary = this.regions.some((region) => this.record(region)?.multiRegion?.type === 'PRIMARY');
    const forks = this.regions.flatMap(({ agent }) => agent.status().frozen);
    const isSettled = this.regions.every(({ agent }) => agent.status().handovers.length === 0);
    if (!isPrimary || !isSettled || forks.length > 0 || new Set(views).size !== 1 || !views[0]?.includes('Enabled')) {
      throw new Error(
        `not healed: ${views.join(' | ')}; ${this.regions.flatMap(({ audit }) => audit.refusals()).join()}`,
      );
    }
    return views[0].split(' ')[0] ?? '';
  }

  async close(): Promise<void> {
    for (const { agent, database } of this.regions) {
      await agent.stop();
      database.close();
    }
  }
}
