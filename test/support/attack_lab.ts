import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Database } from '../../src/adapters/database.js';
import { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { SqliteJournal } from '../../src/adapters/replication_store_sqlite.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import type { JobRunner } from '../../src/hsm/job_runner.js';
import { isKeyId, type KeyHome } from '../../src/kms/key_id.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { decrypt } from '../../src/kms/operations/decrypt.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import { replicateKey } from '../../src/kms/operations/replicate_key.js';
import type { Call } from '../../src/kms/region.js';
import { ReplicationAgent, type ReplicationProfile } from '../../src/replication/agent.js';
import { issueRoster, type RosterChange } from '../../src/replication/authority.js';
import { requestEnrolment, verifyEnrolment, type Enrolment } from '../../src/replication/enrolment.js';
import type { Journal } from '../../src/replication/journal.js';
import type { ReplicationHsm } from '../../src/replication/replication_hsm.js';
import type { Roster } from '../../src/replication/roster.js';
import { openRosterBook } from '../../src/replication/roster_book.js';
import type { PublicJwk } from '../../src/wire/p384.js';
import type { VerifySignature } from '../../src/wire/jws.js';
import { isReject } from '../../src/wire/refusal.js';
import type { ReplicationSuite } from '../../src/wire/suite.js';
import type { CompromisedHsm } from './compromised_hsm.js';
import { softwareSigner, type Signer } from './forgery.js';
import { HostileNetwork, type SentMessage } from './hostile_network.js';
import { makeKmsRegion, makeReplicatedKeys } from './kms_region.js';
import { newPrimary } from './new_primary.js';
import { countObjects, REGIONS, type LabToken, type RegionLetter } from './lab_token.js';
import { ManualClock, MemoryAudit } from './replication_partition.js';

export const PARTITION = 'aws-lab';
const ACCOUNT = '111122223333';
const SUITE_FLOOR: ReplicationSuite = 'CBCDERIVE-A256KWP';

/** In memory where the system offers that: what a disk keeps after a power cut is not in question here, and its waits are long. */
const scratchPlace = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Ports of one region that a test replaces. */
export interface RegionPorts {
  /** The HSM as the agent sees it. */
  readonly hsm?: (real: RegionHsm) => ReplicationHsm;
  readonly journal?: (real: Journal) => Journal;
  readonly verifySignature?: VerifySignature;
  /** A database file to begin with: a restored snapshot. */
  readonly database?: string;
}

/** How a lab begins. */
export interface BeginOptions {
  readonly ports?: Partial<Record<RegionLetter, RegionPorts>>;
  readonly profile?: ReplicationProfile;
  readonly floor?: ReplicationSuite;
}

/** One region of a lab: a real token, a real database, the real agent and key manager. */
export interface LabRegion {
  readonly letter: RegionLetter;
  readonly name: string;
  readonly token: LabToken;
  readonly kid: string;
  readonly jwk: PublicJwk;
  readonly databasePath: string;
  readonly database: Database;
  readonly store: SqliteKeyStore;
  readonly journal: SqliteJournal;
  readonly clock: ManualClock;
  readonly audit: MemoryAudit;
  readonly agent: ReplicationAgent;
  readonly call: Call;
  readonly hasHonestPorts: boolean;
}

/** A partition whose network belongs to the adversary. Tokens live as long as the lab; everything else begins anew with each attack. */
export class AttackLab {
  readonly network = new HostileNetwork();
  readonly authority = softwareSigner();
  readonly #tokens = new Map<RegionLetter, LabToken>();
  readonly #baseline = new Map<RegionLetter, { readonly token: number; readonly session: number }>();
  readonly #regions = new Map<RegionLetter, LabRegion>();
  readonly #directory = mkdtempSync(join(scratchPlace, 'keyferry-attack-'));
  readonly #challenge = randomBytes(32);
  #floor: ReplicationSuite = SUITE_FLOOR;
  #begun = 0;
  roster!: Roster;

  /** Makes the tokens of a lab. */
  static async make(tokens: Partial<Record<RegionLetter, () => Promise<LabToken>>>): Promise<AttackLab> {
    const lab = new AttackLab();
    for (const [letter, make] of Object.entries(tokens) as [RegionLetter, () => Promise<LabToken>][]) {
      const token = await make();
      lab.#tokens.set(letter, token);
    }
    for (const [letter, token] of lab.#tokens) lab.#baseline.set(letter, await countObjects(token));
    return lab;
  }

  get A(): LabRegion {
    return this.region('A');
  }

  get B(): LabRegion {
    return this.region('B');
  }

  get C(): LabRegion {
    return this.region('C');
  }

  get regions(): readonly LabRegion[] {
    return [...this.#regions.values()];
  }

  region(letter: RegionLetter): LabRegion {
    const region = this.#regions.get(letter);
    if (region === undefined) throw new Error(`this lab has no region ${letter}`);
    return region;
  }

  /** The region's RSK as its owner, or who has stolen its use, signs with it. */
  signer(region: LabRegion, kid = region.kid): Signer {
    return { kid, sign: (octets) => region.token.hsm.sign(kid, octets) };
  }

  /** New databases, a first roster with all regions, agents that run. */
  async begin(options: BeginOptions = {}): Promise<void> {
    await this.end();
    this.#begun += 1;
    this.network.drop();
    this.network.seen.length = 0;
    this.#floor = options.floor ?? SUITE_FLOOR;
    const changes: RosterChange[] = [];
    for (const [letter, token] of this.#tokens) {
      const [key] = await token.hsm.signingKeys();
      if (key === undefined) throw new Error('the token has no signing key');
      changes.push({ change: 'enrol', enrolment: await this.enrolment(letter, key), suiteFloor: this.#floor });
    }
    this.roster = await this.issue(changes, null);
    for (const letter of this.#tokens.keys()) {
      await this.open(letter, options.ports?.[letter] ?? {}, options.profile);
    }
  }

  /** What the authority is asked to list for a signing key of a region. */
  async enrolment(letter: RegionLetter, key: { readonly kid: string; readonly jwk: PublicJwk }): Promise<Enrolment> {
    const { hsm } = this.#tokenOf(letter);
    const { suites, dataSuites, fingerprint } = hsm;
    const compact = await requestEnrolment(
      {
        partition: PARTITION,
        region: REGIONS[letter],
        jwk: key.jwk,
        challenge: this.#challenge,
        suites,
        dataSuites,
        fingerprint,
        missing: [],
      },
      (kid, octets) => hsm.sign(kid, octets),
    );
    const enrolment = verifyEnrolment({ compact, partition: PARTITION, challenge: this.#challenge });
    if (isReject(enrolment)) throw new Error(`${enrolment.code}: ${enrolment.detail}`);
    return enrolment;
  }

  /** Issues the roster after `previous` (the newest one if left out); regions learn of it when they are told. */
  async issue(
    changes: readonly RosterChange[],
    previous: Roster | null = this.roster,
    signer = this.authority,
  ): Promise<Roster> {
    return issueRoster({
      previous,
      partition: PARTITION,
      authority: signer.jwk,
      changes,
      sign: (_kid, octets) => signer.sign(octets),
    });
  }

  /** Opens a region over a database, new or given; one that runs is stopped first. */
  async open(letter: RegionLetter, ports: RegionPorts, profile: ReplicationProfile = 'full'): Promise<LabRegion> {
    await this.#stop(letter);
    const token = this.#tokenOf(letter);
    const name = REGIONS[letter];
    const home: KeyHome = { partition: PARTITION, region: name, account: ACCOUNT };
    const databasePath = ports.database ?? join(this.#directory, `${letter}${this.#begun}.db`);
    const database = Database.open(databasePath);
    const store = new SqliteKeyStore(database, home);
    const realJournal = new SqliteJournal(database);
    const journal = ports.journal?.(realJournal) ?? realJournal;
    const [clock, audit] = [new ManualClock(), new MemoryAudit()];
    const [key] = await token.hsm.signingKeys();
    if (key === undefined) throw new Error('the token has no signing key');
    const { keys, primaryChanges } = makeReplicatedKeys({ home, database, store, clock });
    const agent = new ReplicationAgent({
      region: name,
      partition: PARTITION,
      account: ACCOUNT,
      hsm: ports.hsm?.(token.hsm) ?? token.hsm,
      journal,
      keys,
      handovers: primaryChanges,
      roster: openRosterBook({ journal, partition: PARTITION, authorityKid: this.authority.kid }),
      transport: this.network.transport(name),
      clock,
      audit,
      profile,
      tickMs: 0,
      ...(ports.verifySignature === undefined ? {} : { verifySignature: ports.verifySignature }),
    });
    if (realJournal.rosters().length === 0) agent.applyRosters([this.roster.compact]);
    const region: LabRegion = {
      letter,
      name,
      token,
      kid: key.kid,
      jwk: key.jwk,
      databasePath,
      database,
      store,
      journal: realJournal,
      clock,
      audit,
      agent,
      call: {
        region: makeKmsRegion({ home, database, store, hsm: token.hsm, replicator: agent, clock, primaryChanges }),
        caller: { principal: `arn:aws:iam::${ACCOUNT}:root`, account: ACCOUNT },
      },
      hasHonestPorts: ports.hsm === undefined && ports.journal === undefined && profile === 'full',
    };
    this.#regions.set(letter, region);
    await agent.start();
    return region;
  }

  #tokenOf(letter: RegionLetter): LabToken {
    const token = this.#tokens.get(letter);
    if (token === undefined) throw new Error(`this lab has no token for region ${letter}`);
    return token;
  }

  /** A fresh HSM object on a region's token, after the one before it has stopped; the region has to be opened again. */
  async reopenHsm(letter: RegionLetter, runner?: JobRunner): Promise<void> {
    const token = this.#tokenOf(letter);
    const hsm = await RegionHsm.open({ runner: runner ?? token.executor, capabilities: token.capabilities });
    this.#tokens.set(letter, { ...token, hsm });
  }

  /** Makes a multi-Region key in a region by its key manager. */
  async createKey(region: LabRegion): Promise<string> {
    return (await createKey(region.call, { MultiRegion: true })).KeyMetadata.KeyId;
  }

  /** Makes a key in a compromised region whose material the adversary knows. */
  async createKnownKey(region: LabRegion, hsm: CompromisedHsm, octets = randomBytes(32)): Promise<string> {
    const { keyId, birthCertificate } = await region.agent.issueBirth({
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      origin: 'AWS_KMS',
    });
    if (!isKeyId(keyId)) throw new Error(`${keyId} is no key id`);
    const { home, store, clock } = region.call.region;
    const dataSuite = region.agent.commonDataSuite();
    if (dataSuite === undefined) throw new Error('the regions have no data suite in common');
    const [keySpec, keyUsage] = ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'] as const;
    const material = hsm.know(octets, { keyId, keySpec, keyUsage, multiRegion: true, dataSuite });
    const createdMs = clock.nowMs();
    store.insertKey(newPrimary(home, { keyId, birthCertificate, dataSuite, material, createdMs }));
    return keyId;
  }

  /** Asks the key manager of a region to replicate a key. */
  async replicate(source: LabRegion, keyId: string, destination: LabRegion): Promise<void> {
    await replicateKey(source.call, { KeyId: keyId, ReplicaRegion: destination.name });
    await this.settle();
  }

  /** Begins the next generation of a key that was replicated before. */
  async replicateAgain(source: LabRegion, keyId: string, destination: LabRegion): Promise<void> {
    source.database.transaction(() => source.agent.begin({ keyId, destination: destination.name }));
    source.agent.wake();
    await this.settle();
  }

  async settle(): Promise<void> {
    for (const region of this.regions) await region.agent.settled();
  }

  /** Delivers what waits, in order, until a message with this label waits; takes it off the network. */
  async until(label: string): Promise<SentMessage> {
    for (let round = 0; round < 100; round += 1) {
      await this.settle();
      const found = this.network.take(label);
      if (found !== undefined) return found;
      const next = this.network.waiting.shift();
      if (next === undefined) break;
      await this.network.deliver(next.to, next.octets);
    }
    throw new Error(`no ${label} was sent`);
  }

  /** Delivers what waits, and what that brings, until nothing waits. */
  async run(): Promise<void> {
    for (let round = 0; round < 200; round += 1) {
      await this.settle();
      const next = this.network.waiting.shift();
      if (next === undefined) return;
      await this.network.deliver(next.to, next.octets);
    }
    throw new Error('the network did not come to rest');
  }

  /** Time passes everywhere: resends, expiries and questions happen. Nothing is delivered. */
  async pass(ms: number): Promise<void> {
    for (const region of this.regions) region.clock.advance(ms);
    for (const region of this.regions) await region.agent.tick();
    await this.settle();
  }

  async encrypt(region: LabRegion, keyId: string, plaintext: string): Promise<Uint8Array> {
    return (await encrypt(region.call, { KeyId: keyId, Plaintext: Buffer.from(plaintext) })).CiphertextBlob;
  }

  async decrypt(region: LabRegion, blob: Uint8Array): Promise<string> {
    return Buffer.from((await decrypt(region.call, { CiphertextBlob: blob })).Plaintext).toString();
  }

  async #stop(letter: RegionLetter): Promise<void> {
    const region = this.#regions.get(letter);
    if (region === undefined) return;
    this.#regions.delete(letter);
    await region.agent.stop();
    region.database.close();
  }

  /** Stops every region. */
  async end(): Promise<void> {
    for (const letter of [...this.#regions.keys()]) await this.#stop(letter);
  }

  /**
   * After an attack: an honest replication between A and B works both ways of using it, and when the agents have stopped, the tokens
   * hold exactly what they held before.
   */
  async proveUnharmed(): Promise<void> {
    this.network.drop();
    for (const region of this.regions) {
      if (!region.hasHonestPorts) await this.open(region.letter, { database: region.databasePath });
    }
    await this.run();
    const { A, B } = this;
    const keyId = await this.createKey(A);
    const blob = await this.encrypt(A, keyId, 'after the attack');
    await this.replicate(A, keyId, B);
    await this.run();
    expect(await this.decrypt(B, blob), 'an honest replication after the attack').to.equal('after the attack');
    expect(await this.decrypt(A, await this.encrypt(B, keyId, 'and back'))).to.equal('and back');
    await this.end();
    await this.proveNothingLeft();
  }

  /** The tokens hold exactly what they held when the lab was made. */
  async proveNothingLeft(): Promise<void> {
    for (const [letter, token] of this.#tokens) {
      expect(await token.hsm.ephemeralCount(), `ephemeral objects of ${letter}`).to.equal(0);
      await token.hsm.close();
      expect(await countObjects(token), `objects of ${letter}`).to.deep.equal(this.#baseline.get(letter));
    }
  }

  async close(): Promise<void> {
    await this.end();
    for (const token of this.#tokens.values()) await token.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
