import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../src/clock.js';
import type { VerifySignature } from '../../src/wire/jws.js';
import { isReject } from '../../src/wire/refusal.js';
import type { ReplicationSuite } from '../../src/wire/suite.js';
import { ReplicationAgent, type ReplicationProfile } from '../../src/replication/agent.js';
import { issueRoster, type RosterChange } from '../../src/replication/authority.js';
import { requestEnrolment, verifyEnrolment } from '../../src/replication/enrolment.js';
import type { ReplicationAudit, Transport } from '../../src/replication/ports.js';
import type { ReplicationHsm } from '../../src/replication/replication_hsm.js';
import type { Journal } from '../../src/replication/journal.js';
import type { Roster } from '../../src/replication/roster.js';
import { openRosterBook } from '../../src/replication/roster_book.js';
import { MemoryJournal } from './memory_journal.js';
import { MemoryKeys } from './memory_keys.js';
import { SoftwareReplicationHsm } from './software_replication_hsm.js';

/** Account of every test key. */
export const ACCOUNT = '111122223333';

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #ms = 0;

  nowMs(): number {
    return 1_700_000_000_000 + this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}

/** A network that keeps every message and delivers when it is told to. */
export class TestNetwork {
  /** Messages that wait, in the order in which they were sent. */
  readonly waiting: { readonly from: string; readonly to: string; readonly octets: Uint8Array }[] = [];
  /** Everything that was ever sent. */
  readonly seen: { readonly from: string; readonly to: string; readonly octets: Uint8Array }[] = [];
  readonly #receivers = new Map<string, (octets: Uint8Array) => Promise<void>>();

  /** The transport of one region. */
  transport(from: string): Transport {
    return {
      send: (to, octets) => {
        const message = { from, to, octets };
        this.waiting.push(message);
        this.seen.push(message);
        return Promise.resolve();
      },
      listen: (receive) => {
        this.#receivers.set(from, receive);
      },
      close: () => {
        this.#receivers.delete(from);
        return Promise.resolve();
      },
    };
  }

  detach(region: string): void {
    this.#receivers.delete(region);
  }

  /** Gives a message to a region, whoever it was for. */
  async deliver(to: string, octets: Uint8Array): Promise<void> {
    await this.#receivers.get(to)?.(octets);
  }

  /** Delivers what waits, and what that brings, until nothing waits. */
  async run(regions: readonly TestRegion[], roundsMax = 200): Promise<void> {
    for (let round = 0; round < roundsMax; round += 1) {
      for (const region of regions) await region.agent.settled();
      const next = this.waiting.shift();
      if (next === undefined) return;
      await this.deliver(next.to, next.octets);
    }
    throw new Error('the network did not come to rest');
  }
}

/** Audit records of a region. */
export class MemoryAudit implements ReplicationAudit {
  readonly records: Parameters<ReplicationAudit['record']>[0][] = [];

  record(event: Parameters<ReplicationAudit['record']>[0]): void {
    this.records.push(event);
  }

  /** Codes of refusals, without the changes of sessions. */
  refusals(): readonly string[] {
    return this.records.map((record) => record.code).filter((code) => !code.startsWith('REPL_'));
  }
}

/** One region in this process, with a token double. */
export class TestRegion {
  readonly name: string;
  readonly hsm: SoftwareReplicationHsm;
  readonly kid: string;
  readonly jwk: ReturnType<SoftwareReplicationHsm['makeRsk']>['jwk'];
  readonly journal = new MemoryJournal();
  readonly keys: MemoryKeys;
  readonly audit = new MemoryAudit();
  readonly clock = new ManualClock();
  agent!: ReplicationAgent;

  constructor(name: string, suites?: readonly ReplicationSuite[]) {
    this.name = name;
    this.hsm = new SoftwareReplicationHsm(suites);
    const { kid, jwk } = this.hsm.makeRsk();
    this.kid = kid;
    this.jwk = jwk;
    this.keys = new MemoryKeys(this.journal.database, name);
  }
}

/** How the agent of a region is made; tests put their own ports in. */
export interface AgentPorts {
  readonly hsm?: ReplicationHsm;
  readonly journal?: Journal;
  readonly transport?: Transport;
  readonly profile?: ReplicationProfile;
  readonly verifySignature?: VerifySignature;
}

/** A partition: its authority, its regions and their network. */
export class TestPartition {
  readonly name: string;
  readonly network = new TestNetwork();
  readonly regions = new Map<string, TestRegion>();
  readonly authority = new SoftwareReplicationHsm();
  readonly authorityKid: string;
  readonly #authorityJwk: ReturnType<SoftwareReplicationHsm['makeRsk']>['jwk'];
  readonly #challenge = randomBytes(32);
  roster: Roster | null = null;

  constructor(name = 'test-partition') {
    this.name = name;
    const { kid, jwk } = this.authority.makeRsk();
    this.authorityKid = kid;
    this.#authorityJwk = jwk;
  }

  /** Builds a partition with regions in one roster, agents made but not started. */
  static async create(args: {
    readonly regions: readonly string[];
    readonly suites?: Readonly<Record<string, readonly ReplicationSuite[]>>;
    readonly floor?: ReplicationSuite;
    readonly name?: string;
    readonly ports?: AgentPorts;
  }): Promise<TestPartition> {
    const partition = new TestPartition(args.name);
    const changes: RosterChange[] = [];
    for (const name of args.regions) {
      const region = new TestRegion(name, args.suites?.[name]);
      partition.regions.set(name, region);
      const enrolment = await partition.enrolment(region);
      changes.push({ change: 'enrol', enrolment, suiteFloor: args.floor ?? 'CBCDERIVE-A256KWP' });
    }
    await partition.issue(changes);
    for (const region of partition.regions.values()) {
      partition.makeAgent(region, args.ports ?? {});
      region.agent.applyRosters([partition.roster?.compact ?? '']);
    }
    return partition;
  }

  async enrolment(region: TestRegion, key: Pick<TestRegion, 'jwk'> = region) {
    const compact = await requestEnrolment(
      {
        partition: this.name,
        region: region.name,
        jwk: key.jwk,
        challenge: this.#challenge,
        suites: region.hsm.suites,
        dataSuites: ['SP800108-GCM', 'CBCDATA-GCM', 'DIRECT-GCM'],
        fingerprint: region.hsm.fingerprint,
        missing: [],
      },
      (kid, octets) => region.hsm.sign(kid, octets),
    );
    const enrolment = verifyEnrolment({ compact, partition: this.name, challenge: this.#challenge });
    if (isReject(enrolment)) throw new Error(`${enrolment.code} ${enrolment.field}`);
    return enrolment;
  }

  /** Issues the next roster; regions learn of it when they are told. */
  async issue(changes: readonly RosterChange[]): Promise<Roster> {
    this.roster = await issueRoster({
      previous: this.roster,
      partition: this.name,
      authority: this.#authorityJwk,
      changes,
      sign: (kid, octets) => this.authority.sign(kid, octets),
    });
    return this.roster;
  }

  makeAgent(region: TestRegion, ports: AgentPorts): ReplicationAgent {
    const journal = ports.journal ?? region.journal;
    region.agent = new ReplicationAgent({
      region: region.name,
      partition: this.name,
      account: ACCOUNT,
      hsm: ports.hsm ?? region.hsm,
      journal,
      keys: region.keys,
      roster: openRosterBook({
        journal,
        partition: this.name,
        authorityKid: this.authorityKid,
        ...(ports.verifySignature === undefined ? {} : { verifySignature: ports.verifySignature }),
      }),
      transport: ports.transport ?? this.network.transport(region.name),
      clock: region.clock,
      audit: region.audit,
      profile: ports.profile ?? 'full',
      tickMs: 0,
      ...(ports.verifySignature === undefined ? {} : { verifySignature: ports.verifySignature }),
    });
    return region.agent;
  }

  region(name: string): TestRegion {
    const region = this.regions.get(name);
    if (region === undefined) throw new Error(`no region ${name}`);
    return region;
  }

  async start(): Promise<void> {
    for (const region of this.regions.values()) await region.agent.start();
  }

  async stop(): Promise<void> {
    for (const region of this.regions.values()) await region.agent.stop();
  }

  async run(): Promise<void> {
    await this.network.run([...this.regions.values()]);
  }

  /** Time passes in every region; resends and expiries happen, and everything is delivered. */
  async advance(ms: number): Promise<void> {
    for (const region of this.regions.values()) region.clock.advance(ms);
    for (const region of this.regions.values()) await region.agent.tick();
    await this.run();
  }

  /** Makes a multi-Region primary key in a region. */
  async createKey(region: TestRegion, materialCount = 1): Promise<string> {
    const { keyId, birthCertificate } = await region.agent.issueBirth({
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      origin: 'AWS_KMS',
    });
    const binding = {
      keyId,
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      multiRegion: true,
      dataSuite: 'SP800108-GCM',
    } as const;
    const materials = Array.from({ length: materialCount }, () => region.hsm.createMaterial(binding));
    region.keys.primaries.set(keyId, {
      keyId,
      birthCertificate,
      materials,
      isNewReplica: true,
      context: {
        keyId,
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        origin: 'AWS_KMS',
        dataSuite: 'SP800108-GCM',
        account: ACCOUNT,
        primaryRegion: region.name,
        regions: [region.name],
        materials: materials.map((material, index) => ({
          materialId: material.binding.materialId,
          index,
          state: index === materials.length - 1 ? ('CURRENT' as const) : ('NON_CURRENT' as const),
          createdMs: region.clock.nowMs(),
        })),
        replica: { description: '', policy: '{}', tags: [] },
      },
    });
    return keyId;
  }

  /** Begins a replication and starts the session. */
  replicate(source: TestRegion, keyId: string, destination: string): void {
    source.agent.begin({ keyId, destination });
    source.agent.wake();
  }
}

/** A short name for a message's octets, for texts of failures. */
export function digest(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex').slice(0, 12);
}
