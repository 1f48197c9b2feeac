import { parseJws, parsePayload, verifyEs384, type VerifySignature } from '../../src/wire/jws.js';
import { isReject } from '../../src/wire/refusal.js';
import { ReplicationAgent } from '../../src/replication/agent.js';
import { openRosterBook } from '../../src/replication/roster_book.js';
import type { Roster } from '../../src/replication/roster.js';
import { Chance } from './chance.js';
import { MemoryJournal } from './memory_journal.js';
import { MemoryKeys } from './memory_keys.js';
import { Life, mortalHsm, mortalJournal, mortalKeys, mortalTransport } from './mortal_region.js';
import {
  ACCOUNT,
  ManualClock,
  MemoryAudit,
  TestNetwork,
  TestPartition,
  type TestRegion,
} from './replication_partition.js';

/** What a schedule came to; `violation` names the broken invariant. */
export interface ScheduleResult {
  readonly seed: number;
  readonly violation: string | null;
  readonly events: readonly string[];
  readonly crashes: number;
  /** Boundaries at which processes ended. */
  readonly boundaries: readonly string[];
  readonly sessions: number;
}

/** Regions, keys and rosters that all schedules share: making them takes longer than a schedule. */
export interface SimulationSetting {
  readonly partition: TestPartition;
  readonly rosters: readonly Roster[];
  readonly keyIds: readonly string[];
}

const NAMES = ['us-east-1', 'eu-west-1'] as const;
const EVENTS_MAX = 40;
const HEALING_ROUNDS_MAX = 60;

/** Makes the setting: two regions with two RSKs each, and rosters that bring in the second and retire the first. */
export async function createSetting(): Promise<SimulationSetting> {
  const partition = await TestPartition.create({ regions: NAMES });
  const rosters: Roster[] = [];
  const note = (roster: Roster | null): void => {
    if (roster !== null) rosters.push(roster);
  };
  note(partition.roster);
  const keyIds = [
    await partition.createKey(partition.region(NAMES[0]), 2),
    await partition.createKey(partition.region(NAMES[0])),
  ];
  const second = new Map<string, { kid: string; jwk: TestRegion['jwk'] }>();
  for (const name of NAMES) second.set(name, partition.region(name).hsm.makeRsk());
  const adding = [];
  for (const name of NAMES) {
    const region = partition.region(name);
    const key = second.get(name);
    if (key !== undefined)
      adding.push({ change: 'add-rsk' as const, enrolment: await partition.enrolment(region, key) });
  }
  note(await partition.issue(adding));
  note(
    await partition.issue(
      NAMES.map((region) => ({ change: 'activate-rsk', region, kid: second.get(region)?.kid ?? '' })),
    ),
  );
  note(
    await partition.issue(NAMES.map((region) => ({ change: 'retire-rsk', region, kid: partition.region(region).kid }))),
  );
  return { partition, rosters, keyIds };
}

/** One region of one schedule: what survives, and the process that runs now. */
class SimulatedRegion {
  readonly shared: TestRegion;
  readonly journal = new MemoryJournal();
  readonly keys: MemoryKeys;
  readonly clock = new ManualClock();
  readonly audit = new MemoryAudit();
  life = new Life();
  agent!: ReplicationAgent;

  constructor(shared: TestRegion, rosters: readonly Roster[]) {
    this.shared = shared;
    this.keys = new MemoryKeys(this.journal.database, shared.name);
    for (const [keyId, key] of shared.keys.primaries) this.keys.primaries.set(keyId, key);
    const first = rosters[0];
    if (first !== undefined) this.journal.putRoster(first.epoch, first.compact);
    shared.hsm.crash();
    shared.hsm.restartPairs();
  }

  async boot(partition: TestPartition, network: TestNetwork, verifySignature: VerifySignature): Promise<void> {
    this.life = new Life();
    this.shared.hsm.crash();
    const journal = mortalJournal(this.life, this.journal);
    this.agent = new ReplicationAgent({
      region: this.shared.name,
      partition: partition.name,
      account: ACCOUNT,
      hsm: mortalHsm(this.life, this.shared.hsm),
      journal,
      keys: mortalKeys(this.life, this.keys),
      roster: openRosterBook({
        journal,
        partition: partition.name,
        authorityKid: partition.authorityKid,
        verifySignature,
      }),
      transport: mortalTransport(this.life, network.transport(this.shared.name)),
      clock: this.clock,
      audit: this.audit,
      tickMs: 0,
      verifySignature,
    });
    await this.during(this.agent.start());
  }

  /** Waits for work, or for the end of the process that does it. */
  async during(work: Promise<unknown>): Promise<void> {
    await Promise.race([work.catch(() => undefined), this.life.ended]);
    await Promise.race([this.agent.settled(), this.life.ended]);
  }
}

/** Runs schedules; each is a value of its seed. */
export class Simulation {
  readonly #setting: SimulationSetting;
  readonly #verified = new Map<string, boolean>();

  constructor(setting: SimulationSetting) {
    this.#setting = setting;
    for (const region of setting.partition.regions.values()) {
      region.hsm.onSigned = (octets, signature) => this.#verified.set(this.#name(octets, signature), true);
    }
  }

  #name(octets: Uint8Array, signature: Uint8Array): string {
    return Buffer.concat([signature, octets]).toString('latin1');
  }

  /** ECDSA would be most of a schedule's time: what a token double has just signed is known to be good, and so are repetitions. */
  readonly #verify: VerifySignature = (key, octets, signature) => {
    const name = this.#name(octets, signature);
    let result = this.#verified.get(name);
    if (result === undefined) {
      result = verifyEs384(key, octets, signature);
      this.#verified.set(name, result);
    }
    return result;
  };

  async run(seed: number): Promise<ScheduleResult> {
    if (this.#verified.size > 5_000) this.#verified.clear();
    return new Schedule(this.#setting, seed, this.#verify).run();
  }
}

class Schedule {
  readonly #setting: SimulationSetting;
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #verify: VerifySignature;
  readonly #network = new TestNetwork();
  readonly #source: SimulatedRegion;
  readonly #destination: SimulatedRegion;
  readonly #events: string[] = [];
  readonly #boundaries: string[] = [];
  readonly #transfers = new Map<string, string>();
  #scanned = 0;
  #crashes = 0;

  constructor(setting: SimulationSetting, seed: number, verify: VerifySignature) {
    this.#setting = setting;
    this.#seed = seed;
    this.#chance = new Chance(seed);
    this.#verify = verify;
    this.#source = new SimulatedRegion(setting.partition.region(NAMES[0]), setting.rosters);
    this.#destination = new SimulatedRegion(setting.partition.region(NAMES[1]), setting.rosters);
  }

  get #regions(): readonly SimulatedRegion[] {
    return [this.#source, this.#destination];
  }

  async run(): Promise<ScheduleResult> {
    let violation: string | null = null;
    try {
      for (const region of this.#regions) await this.#boot(region);
      const [first = '', second = ''] = this.#setting.keyIds;
      await this.#begin(first);
      const both = this.#chance.below(2) === 0;
      const eventCount = 5 + this.#chance.below(EVENTS_MAX);
      for (let event = 0; event < eventCount; event += 1) {
        if (both && event === 3) await this.#begin(second);
        await this.#event();
        this.#checkAlways();
      }
      await this.#heal(both ? [first, second] : [first]);
    } catch (error) {
      violation = error instanceof Error ? error.message : String(error);
    }
    return {
      seed: this.#seed,
      violation,
      events: this.#events,
      crashes: this.#crashes,
      boundaries: this.#boundaries,
      sessions: this.#source.journal.allSourceSessions().length,
    };
  }

  #boot(region: SimulatedRegion): Promise<void> {
    return region.boot(this.#setting.partition, this.#network, this.#verify);
  }

  async #begin(keyId: string): Promise<void> {
    const region = this.#source;
    // The caller's transaction is durable before anything else happens; a process that is down cannot be asked.
    if (region.life.isOver) await this.#restart(region);
    region.life.endAfter(Number.POSITIVE_INFINITY);
    region.agent.begin({ keyId, destination: this.#destination.shared.name });
    region.agent.wake();
    await region.during(Promise.resolve());
  }

  async #restart(region: SimulatedRegion): Promise<void> {
    this.#events.push(`restart ${region.shared.name}`);
    await this.#boot(region);
  }

  #noteDeath(region: SimulatedRegion): void {
    if (!region.life.isOver) return;
    this.#network.detach(region.shared.name);
    region.shared.hsm.crash();
  }

  async #deliver(to: string, octets: Uint8Array): Promise<void> {
    const region = this.#regions.find((candidate) => candidate.shared.name === to);
    if (region === undefined || region.life.isOver) return;
    await region.during(this.#network.deliver(to, octets));
    this.#noteDeath(region);
  }

  async #event(): Promise<void> {
    const { waiting, seen } = this.#network;
    const choice = this.#chance.below(100);
    const index = this.#chance.below(Math.max(1, waiting.length));
    const message = waiting[index];
    for (const region of this.#regions) {
      if (region.life.isOver && this.#chance.below(3) > 0) await this.#restart(region);
      this.#noteDeath(region);
    }
    if (choice < 45 && message !== undefined) {
      this.#events.push(`deliver ${index} of ${waiting.length} to ${message.to}`);
      waiting.splice(index, 1);
      await this.#deliver(message.to, message.octets);
    } else if (choice < 52 && message !== undefined) {
      this.#events.push(`duplicate ${index} at once`);
      await Promise.all([this.#deliver(message.to, message.octets), this.#deliver(message.to, message.octets)]);
    } else if (choice < 58 && message !== undefined) {
      this.#events.push(`drop ${index}`);
      waiting.splice(index, 1);
    } else if (choice < 62 && message !== undefined) {
      this.#events.push(`tamper ${index}`);
      const octets = Uint8Array.from(message.octets);
      const at = this.#chance.below(octets.length);
      octets[at] = (octets[at] ?? 0) ^ (1 << this.#chance.below(8));
      await this.#deliver(message.to, octets);
    } else if (choice < 70 && seen.length > 0) {
      const old = this.#chance.pick(seen);
      const to = this.#chance.pick(NAMES);
      this.#events.push(`replay to ${to ?? ''}`);
      if (old !== undefined && to !== undefined) await this.#deliver(to, old.octets);
    } else if (choice < 82) {
      const region = this.#chance.pick(this.#regions);
      const boundaries = this.#chance.below(30);
      this.#events.push(`crash ${region?.shared.name ?? ''} in ${boundaries} boundaries`);
      region?.life.endAfter(boundaries);
      this.#crashes += 1;
    } else if (choice < 94) {
      const ms = this.#chance.pick([500, 1_500, 5_000, 700_000]) ?? 500;
      this.#events.push(`advance ${ms} ms`);
      await this.#advance(ms);
    } else {
      const region = this.#chance.pick(this.#regions);
      const roster = this.#chance.pick(this.#setting.rosters);
      this.#events.push(`roster ${roster?.epoch ?? 0n} to ${region?.shared.name ?? ''}`);
      if (region !== undefined && roster !== undefined && !region.life.isOver) {
        const agent = region.agent;
        await region.during(Promise.resolve().then(() => agent.applyRosters([roster.compact])));
        this.#noteDeath(region);
      }
    }
    for (const region of this.#regions) {
      if (!region.life.isOver) continue;
      if (!this.#boundaries.includes(region.life.lastBoundary)) this.#boundaries.push(region.life.lastBoundary);
    }
  }

  async #advance(ms: number): Promise<void> {
    for (const region of this.#regions) {
      region.clock.advance(ms);
      if (!region.life.isOver) await region.during(region.agent.tick());
      this.#noteDeath(region);
    }
  }

  /** Faults end: both processes run and every message arrives. All must come to a good end. */
  async #heal(keyIds: readonly string[]): Promise<void> {
    for (let round = 0; round < HEALING_ROUNDS_MAX; round += 1) {
      for (const region of this.#regions) {
        if (region.life.isOver) await this.#restart(region);
        region.life.endAfter(Number.POSITIVE_INFINITY);
      }
      for (let count = 0; this.#network.waiting.length > 0; count += 1) {
        if (count > 500) throw new Error('the regions send without end');
        const message = this.#network.waiting.shift();
        if (message !== undefined) await this.#deliver(message.to, message.octets);
        this.#checkAlways();
      }
      if (this.#isQuiet()) return this.#checkQuiet(keyIds);
      await this.#advance(round < 8 ? 2_000 : 400_000);
    }
    throw new Error('no quiet state is reached');
  }

  #isQuiet(): boolean {
    const open = this.#destination.journal.openDestinationSessions().filter((session) => session.state !== 'INSTALLED');
    return (
      this.#source.journal.openTasks().length === 0 &&
      this.#source.journal.openSourceSessions().length === 0 &&
      open.length === 0
    );
  }

  /** Invariants of every moment. */
  #checkAlways(): void {
    const source = this.#source.journal;
    const destination = this.#destination.journal;
    for (const [name, count] of this.#destination.keys.installations) {
      if (count > 1) throw new Error(`I1: ${name} was installed ${count} times`);
    }
    for (const session of source.allSourceSessions()) {
      const other = session.sid === null ? undefined : destination.destinationSession(session.sid);
      if (session.state === 'DONE') {
        if (other?.state !== 'INSTALLED')
          throw new Error(`I2: the source is done and the destination is ${other?.state ?? 'without session'}`);
        for (const key of session.keys) {
          const replica = this.#destination.keys.replicas.get(key.keyId);
          if (replica?.state !== 'Enabled' || replica.generation < key.generation)
            throw new Error('I2: the source is done and there is no replica');
        }
      }
      if (session.state === 'ABORTED' && other?.state === 'INSTALLED')
        throw new Error('I5: the source gave up what was installed');
    }
    for (; this.#scanned < this.#network.seen.length; this.#scanned += 1) {
      const jws = parseJws(this.#network.seen[this.#scanned]?.octets ?? '');
      if (isReject(jws) || jws.typ !== 'mrkr1-transfer+jws') continue;
      const payload = parsePayload(jws);
      const sid = isReject(payload) ? '' : String(payload['sid']);
      const before = this.#transfers.get(sid);
      if (before !== undefined && before !== jws.compact) throw new Error('I3: two different transfers in one session');
      this.#transfers.set(sid, jws.compact);
    }
    for (const [name] of this.#source.keys.confirmations) {
      const replica = this.#destination.keys.replicas.get(name.split(' ')[0] ?? '');
      if (replica?.state !== 'Enabled') throw new Error('an acknowledged replica was lost');
    }
    const reason = [...this.#source.keys.failures.values()][0];
    if (reason !== undefined) throw new Error(`a replication between honest regions failed for good: ${reason}`);
    for (const region of this.#regions) {
      if (region.audit.refusals().includes('SELFTEST')) throw new Error('an agent stopped although every token works');
    }
  }

  /** Invariants when nothing is left to do. */
  #checkQuiet(keyIds: readonly string[]): void {
    for (const keyId of keyIds) {
      if (!this.#source.keys.confirmations.has(`${keyId} ${NAMES[1]}`))
        throw new Error('I4: quiet without a confirmed replica');
      const key = this.#source.keys.primaries.get(keyId);
      const replica = this.#destination.keys.replicas.get(keyId);
      const sent = key?.materials
        .map((material) => Buffer.from(this.#source.shared.hsm.reveal(material)).toString('hex'))
        .join();
      const held = replica?.materials
        .map((material) => Buffer.from(this.#destination.shared.hsm.reveal(material)).toString('hex'))
        .join();
      if (sent === undefined || sent !== held) throw new Error('I4: the replica holds other material');
    }
    for (const region of this.#regions) {
      if (region.shared.hsm.heldObjects !== 0)
        throw new Error(`I4: ephemeral objects stay in the token of ${region.shared.name}`);
    }
  }
}
