import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { SqliteJournal } from '../../src/adapters/replication_store_sqlite.js';
import { SqliteMaterialStore } from '../../src/adapters/material_store_sqlite.js';
import { SqliteRotationStore } from '../../src/adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from '../../src/adapters/synchronization_store_sqlite.js';
import { StoredReplicatedKeys } from '../../src/kms/replicated_keys.js';
import { ReplicationAgent } from '../../src/replication/agent.js';
import { issueRoster } from '../../src/replication/authority.js';
import {
  CHALLENGE_OCTETS,
  requestEnrolment,
  verifyEnrolment,
  type Enrolment,
} from '../../src/replication/enrolment.js';
import type { Transport } from '../../src/replication/ports.js';
import { openRosterBook } from '../../src/replication/roster_book.js';
import { thumbprint, type PublicJwk } from '../../src/wire/p384.js';
import { isReject } from '../../src/wire/refusal.js';
import { importsOf, makeRegionFixture, type RegionFixture } from './region_fixture.js';
import { makeRegionToken, type RegionToken } from './region_token.js';
import type { SoftwareTokenKind } from './token_directory.js';

const PARTITION = 'aws';

/** One region of a pair: its endpoint, its replication agent, and what that refused. */
export interface PairedRegion extends RegionFixture {
  readonly agent: ReplicationAgent;
  readonly token: RegionToken;
  readonly refusals: string[];
}

/** Two regions in this process with real tokens, agents and databases. Messages pass while `connected` is true. */
export interface RegionPair {
  readonly first: PairedRegion;
  readonly second: PairedRegion;
  /** Cuts the network or mends it; what was sent while it was cut is lost. */
  connect(connected: boolean): void;
  /** Decides what becomes of each message: what it returns is delivered, in that order. Undefined: everything passes. */
  relay(conduct: Conduct | undefined): void;
  close(): Promise<void>;
}

/** What a network does with a message to a region. */
export type Conduct = (octets: Uint8Array, destination: string) => readonly Uint8Array[];

/** What a region of a test is. */
export interface RegionSpec {
  readonly name: string;
  readonly kind: SoftwareTokenKind;
}

/** Makes two regions with tokens of these kinds, enrols both, and starts their agents. */
export async function makeRegionPair(first: RegionSpec, second: RegionSpec): Promise<RegionPair> {
  const { regions, connect, relay, close } = await makeRegionSet([first, second]);
  const [one, two] = regions;
  if (one === undefined || two === undefined) throw new Error('two regions were not made');
  return { first: one, second: two, connect, relay, close };
}

/** Regions that are connected as those of a {@link RegionPair}. */
export interface RegionSet extends Pick<RegionPair, 'connect' | 'relay' | 'close'> {
  readonly regions: readonly PairedRegion[];
  /** Names of regions that nothing comes from and nothing goes to. */
  readonly cut: Set<string>;
}

/** Any number of regions as those of a {@link RegionPair}, in the order of the specs. */
export async function makeRegionSet(specs: readonly RegionSpec[]): Promise<RegionSet> {
  const authority = softwareAuthority();
  const members: Member[] = [];
  for (const { name, kind } of specs) members.push({ name, token: await makeRegionToken(kind) });
  const enrolments: Enrolment[] = [];
  for (const member of members) enrolments.push(await enrol(member));
  const roster = await issueRoster({
    previous: null,
    partition: PARTITION,
    authority: authority.jwk,
    changes: enrolments.map((enrolment) => ({ change: 'enrol', enrolment, suiteFloor: 'CBCDERIVE-A256KWP' })),
    sign: authority.sign,
  });
  const network = new PairNetwork();
  const partition = { network, roster: roster.compact, authorityKid: thumbprint(authority.jwk) };
  const regions: PairedRegion[] = [];
  for (const member of members) regions.push(await openRegion(member, partition));
  return {
    regions,
    cut: network.cut,
    connect: (connected) => {
      network.connected = connected;
    },
    relay: (conduct) => {
      network.conduct = conduct;
    },
    close: async () => {
      for (const { agent } of regions) await agent.stop();
      for (const region of regions) await region.close();
      for (const { token } of members) await token.close();
    },
  };
}

interface Member {
  readonly name: string;
  readonly token: RegionToken;
}

async function openRegion(
  member: Member,
  partition: { readonly network: PairNetwork; readonly roster: string; readonly authorityKid: string },
): Promise<PairedRegion> {
  const refusals: string[] = [];
  const made: { agent?: ReplicationAgent; journal?: SqliteJournal } = {};
  const fixture = await makeRegionFixture({
    name: member.name,
    hsm: member.token.hsm,
    imports: importsOf(member.token),
    deleting: (keyId) => made.journal?.forgetKey(keyId),
    replicator: ({ home, database, store, clock, primaryChanges }) => {
      const journal = new SqliteJournal(database);
      made.journal = journal;
      const roster = openRosterBook({ journal, partition: PARTITION, authorityKid: partition.authorityKid });
      const applied = roster.apply(partition.roster);
      if (isReject(applied)) throw new Error(`the roster is refused: ${applied.code}: ${applied.detail}`);
      made.agent = new ReplicationAgent({
        region: member.name,
        partition: PARTITION,
        account: home.account,
        hsm: member.token.hsm,
        journal,
        keys: new StoredReplicatedKeys({
          home,
          store,
          materials: new SqliteMaterialStore(database, store),
          rotations: new SqliteRotationStore(database),
          synchronizations: new SqliteSynchronizationStore(database),
          primaryChanges,
          clock,
        }),
        handovers: primaryChanges,
        roster,
        transport: partition.network.end(member.name),
        clock,
        times: { resendBaseMs: 100 },
        tickMs: 50,
        audit: {
          record: ({ code, detail }) => {
            if (!code.startsWith('REPL_')) refusals.push(`${code}: ${detail}`);
          },
        },
      });
      return made.agent;
    },
  });
  const { agent } = made;
  if (agent === undefined) throw new Error('the fixture made no agent');
  await agent.start();
  return { ...fixture, agent, refusals, token: member.token };
}

/** Hands messages over in a later turn of the event loop, while it is connected. */
class PairNetwork {
  connected = true;
  conduct: Conduct | undefined;
  readonly cut = new Set<string>();
  readonly #receivers = new Map<string, (octets: Uint8Array) => Promise<void>>();

  end(region: string): Transport {
    return {
      send: async (destination, octets) => {
        if (!this.connected || this.cut.has(region) || this.cut.has(destination)) return;
        for (const message of this.conduct?.(octets, destination) ?? [octets]) {
          setImmediate(() => void this.#receivers.get(destination)?.(message));
        }
      },
      listen: (receive) => {
        this.#receivers.set(region, receive);
      },
      close: async () => {
        this.#receivers.delete(region);
      },
    };
  }
}

function softwareAuthority(): {
  readonly jwk: PublicJwk;
  readonly sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return {
    jwk: { kty: 'EC', crv: 'P-384', x, y },
    sign: async (_kid, octets) => sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

async function enrol({ name, token }: Member): Promise<Enrolment> {
  const challenge = randomBytes(CHALLENGE_OCTETS);
  const { hsm } = token;
  const [key] = await hsm.signingKeys();
  if (key === undefined) throw new Error(`${name} has no signing key`);
  const { suites, dataSuites, fingerprint } = hsm;
  const compact = await requestEnrolment(
    { partition: PARTITION, region: name, jwk: key.jwk, challenge, suites, dataSuites, fingerprint, missing: [] },
    (kid, octets) => hsm.sign(kid, octets),
  );
  const enrolment = verifyEnrolment({ compact, partition: PARTITION, challenge });
  if (isReject(enrolment)) throw new Error(`${name} cannot be enrolled: ${enrolment.code}: ${enrolment.detail}`);
  return enrolment;
}

/** Waits until something is so; fails, and tells what the regions have refused of late, if it is not so in time. */
export async function untilSo(
  regions: readonly PairedRegion[],
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > end) {
      throw new Error(`never came: ${what}; ${regions.flatMap(({ refusals }) => refusals.slice(-5)).join()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
