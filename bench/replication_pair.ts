import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../src/adapters/clock_system.js';
import { Database } from '../src/adapters/database.js';
import { SqliteKeyStore } from '../src/adapters/key_store_sqlite.js';
import { SqliteMaterialStore } from '../src/adapters/material_store_sqlite.js';
import { SqlitePrimaryChangeStore } from '../src/adapters/primary_change_store_sqlite.js';
import { SqliteRotationStore } from '../src/adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from '../src/adapters/synchronization_store_sqlite.js';
import { SqliteJournal } from '../src/adapters/replication_store_sqlite.js';
import { createKey } from '../src/kms/operations/create_key.js';
import { replicateKey } from '../src/kms/operations/replicate_key.js';
import type { KmsRegion } from '../src/kms/region.js';
import { PrimaryChanges } from '../src/kms/primary_change.js';
import { StoredReplicatedKeys } from '../src/kms/replicated_keys.js';
import { ReplicationAgent } from '../src/replication/agent.js';
import { issueRoster } from '../src/replication/authority.js';
import { CHALLENGE_OCTETS, requestEnrolment, verifyEnrolment, type Enrolment } from '../src/replication/enrolment.js';
import type { ReplicatedKeys } from '../src/replication/ports.js';
import { openRosterBook } from '../src/replication/roster_book.js';
import { thumbprint, type PublicJwk } from '../src/wire/p384.js';
import { isReject } from '../src/wire/refusal.js';
import { makeKmsRegion } from '../test/support/kms_region.js';
import { makeRegionToken, type RegionToken } from '../test/support/region_token.js';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { LinkedTransports } from './linked_transport.js';
import type { TimeLedger } from './time_ledger.js';

const PARTITION = 'aws';
const ACCOUNT = '111122223333';
const REGIONS = ['us-east-1', 'eu-west-1'] as const;

interface Side {
  readonly name: string;
  readonly token: RegionToken;
  readonly database: Database;
  readonly kms: KmsRegion;
  readonly agent: ReplicationAgent;
}

/** Two regions in this process: real tokens, real databases, real agents, and nothing between them. */
export interface ReplicationPair {
  readonly tokens: readonly RegionToken[];
  readonly transports: LinkedTransports;
  /** Makes a multi-Region key in the first region; its id. */
  createKey(): Promise<string>;
  /** Replicates a key to the second region; resolves when the first one knows that it is installed. */
  replicate(keyId: string): Promise<void>;
  close(): Promise<void>;
}

/** The partition authority of a measurement; a real one's key is in a token. */
function softwareAuthority(): {
  readonly jwk: PublicJwk;
  readonly sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const key = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return {
    jwk: { kty: 'EC', crv: 'P-384', x, y },
    sign: async (_kid, octets) => sign('sha384', octets, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

async function enrol(name: string, { hsm }: RegionToken): Promise<Enrolment> {
  const challenge = randomBytes(CHALLENGE_OCTETS);
  const [key] = await hsm.signingKeys();
  if (key === undefined) throw new Error(`region ${name} has no signing key`);
  const { suites, dataSuites, fingerprint } = hsm;
  const compact = await requestEnrolment(
    { partition: PARTITION, region: name, jwk: key.jwk, challenge, suites, dataSuites, fingerprint, missing: [] },
    (kid, octets) => hsm.sign(kid, octets),
  );
  const enrolment = verifyEnrolment({ compact, partition: PARTITION, challenge });
  if (isReject(enrolment)) throw new Error(`region ${name} cannot be enrolled: ${enrolment.code}: ${enrolment.detail}`);
  return enrolment;
}

/** Waits for replications by key id. */
class Confirmations {
  readonly #waiting = new Map<string, { readonly resolve: () => void; readonly reject: (error: Error) => void }>();

  wait(keyId: string): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.set(keyId, { resolve, reject }));
  }

  settle(keyId: string, failure: Error | null): void {
    const waiting = this.#waiting.get(keyId);
    this.#waiting.delete(keyId);
    if (failure === null) waiting?.resolve();
    else waiting?.reject(failure);
  }

  failAll(failure: Error): void {
    for (const keyId of this.#waiting.keys()) this.settle(keyId, failure);
  }
}

/** The region's own keys; tells when the destination has confirmed. */
function confirmingKeys(keys: ReplicatedKeys, confirmations: Confirmations): ReplicatedKeys {
  return {
    exportable: (keyId, destination) => keys.exportable(keyId, destination),
    standing: (...args) => keys.standing(...args),
    announce: (replica) => keys.announce(replica),
    install: (installation) => keys.install(installation),
    withdraw: (keyId) => keys.withdraw(keyId),
    confirmed: (keyId, ...rest) => {
      const told = keys.confirmed(keyId, ...rest);
      confirmations.settle(keyId, null);
      return told;
    },
    failed: (keyId, destination, reason) => {
      keys.failed(keyId, destination, reason);
      confirmations.settle(keyId, new Error(`the replication of ${keyId} failed: ${reason}`));
    },
  };
}

/** Makes both regions, enrols them, and starts their agents. */
export async function openReplicationPair(
  kinds: readonly [SoftwareTokenKind, SoftwareTokenKind],
  ledger: TimeLedger,
): Promise<ReplicationPair> {
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-bench-'));
  const confirmations = new Confirmations();
  const transports = new LinkedTransports((error) =>
    confirmations.failAll(new Error('a region could not handle a message', { cause: error })),
  );
  const authority = softwareAuthority();
  const clock = new SystemClock();
  const tokens = [await makeRegionToken(kinds[0]), await makeRegionToken(kinds[1])] as const;
  const enrolments = [await enrol(REGIONS[0], tokens[0]), await enrol(REGIONS[1], tokens[1])];
  const roster = await issueRoster({
    previous: null,
    partition: PARTITION,
    authority: authority.jwk,
    changes: enrolments.map((enrolment) => ({ change: 'enrol', enrolment, suiteFloor: 'CBCDERIVE-A256KWP' })),
    sign: authority.sign,
  });

  const openSide = (name: string, token: RegionToken): Side => {
    const database = Database.open(join(directory, `${name}.sqlite`));
    ledger.watch(database);
    const home = { partition: PARTITION, region: name, account: ACCOUNT };
    const store = new SqliteKeyStore(database, home);
    const journal = new SqliteJournal(database);
    const book = openRosterBook({ journal, partition: PARTITION, authorityKid: thumbprint(authority.jwk) });
    const applied = book.apply(roster.compact);
    if (isReject(applied)) throw new Error(`the roster is refused: ${applied.code}: ${applied.detail}`);
    const materials = new SqliteMaterialStore(database, store);
    const agent = new ReplicationAgent({
      region: name,
      partition: PARTITION,
      account: ACCOUNT,
      hsm: token.hsm,
      journal,
      keys: confirmingKeys(
        new StoredReplicatedKeys({
          home,
          store,
          materials,
          rotations: new SqliteRotationStore(database),
          synchronizations: new SqliteSynchronizationStore(database),
          primaryChanges: new PrimaryChanges({ home, store, materials, clock }, new SqlitePrimaryChangeStore(database)),
          clock,
        }),
        confirmations,
      ),
      roster: book,
      transport: transports.end(name),
      clock,
      audit: {
        record: ({ code, detail, peer }) => {
          if (!code.startsWith('REPL_')) {
            confirmations.failAll(new Error(`${name} refused something of ${peer ?? 'its own'}: ${code}: ${detail}`));
          }
        },
      },
    });
    return {
      name,
      token,
      database,
      kms: makeKmsRegion({ home, database, store, hsm: token.hsm, replicator: agent, clock }),
      agent,
    };
  };
  const source = openSide(REGIONS[0], tokens[0]);
  const destination = openSide(REGIONS[1], tokens[1]);
  const sides = [source, destination];
  for (const { agent } of sides) await agent.start();
  const call = {
    region: source.kms,
    caller: { principal: `arn:aws:iam::${ACCOUNT}:root`, account: ACCOUNT },
  };
  return {
    tokens,
    transports,
    createKey: async () => (await createKey(call, { MultiRegion: true })).KeyMetadata.KeyId,
    replicate: async (keyId) => {
      const confirmed = confirmations.wait(keyId);
      await replicateKey(call, { KeyId: keyId, ReplicaRegion: destination.name });
      await confirmed;
    },
    close: async () => {
      for (const { agent } of sides) await agent.stop();
      for (const { database } of sides) database.close();
      for (const { token } of sides) await token.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
