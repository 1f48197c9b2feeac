import { createHash, randomBytes } from 'node:crypto';
import { SqliteAliasStore } from '../../src/adapters/alias_store_sqlite.js';
import { Database } from '../../src/adapters/database.js';
import { SqliteGrantStore } from '../../src/adapters/grant_store_sqlite.js';
import { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { SqliteLastUsageStore } from '../../src/adapters/last_usage_store_sqlite.js';
import { SqliteMaterialStore } from '../../src/adapters/material_store_sqlite.js';
import { SqlitePrimaryChangeStore } from '../../src/adapters/primary_change_store_sqlite.js';
import { SqliteRotationStore } from '../../src/adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from '../../src/adapters/synchronization_store_sqlite.js';
import { Deadlines } from '../../src/kms/deadlines.js';
import type { KeyHome } from '../../src/kms/key_id.js';
import { LastUsages } from '../../src/kms/last_usage.js';
import { PrimaryChanges } from '../../src/kms/primary_change.js';
import { StoredReplicatedKeys } from '../../src/kms/replicated_keys.js';
import type { Replicator } from '../../src/kms/ports.js';
import type { Call, KmsRegion } from '../../src/kms/region.js';
import type { DataSuite } from '../../src/wire/ciphertext_blob.js';
import { makeMemoryTrail, type MemoryTrail } from './memory_trail.js';
import { SoftwareImportHsm, SoftwareImportTokens } from './software_import_hsm.js';
import { SoftwareKeyHsm } from './software_key_hsm.js';

export const ACCOUNT = '111122223333';
export const ROOT = `arn:aws:iam::${ACCOUNT}:root`;

/** Double of replication: remembers what it was asked to begin, and refuses what `refusals` says. */
export class RecordingReplicator implements Replicator {
  readonly begun: { readonly keyId: string; readonly destination: string }[] = [];
  readonly refusals = new Map<string, string>();
  suite: DataSuite | undefined = 'SP800108-GCM';
  wakes = 0;
  /** Raised by the next `begin`. */
  failure: Error | undefined;
  readonly #regions: readonly string[];

  constructor(regions: readonly string[]) {
    this.#regions = regions;
  }

  regions(): readonly string[] {
    return this.#regions;
  }

  refusal(destination: string): string | undefined {
    return this.refusals.get(destination);
  }

  commonDataSuite(): DataSuite | undefined {
    return this.suite;
  }

  async issueBirth(): Promise<{ readonly keyId: string; readonly birthCertificate: string }> {
    const nonce = randomBytes(32);
    const keyId = `mrk-${createHash('sha384').update(nonce).digest('hex').slice(0, 32)}`;
    return { keyId, birthCertificate: `birth.of.${keyId}` };
  }

  async refusalOfBirth({ birthCertificate }: { readonly birthCertificate: string }): Promise<string | undefined> {
    return birthCertificate === 'certified' ? undefined : 'SIG_INVALID: not certified';
  }

  begin(args: { readonly keyId: string; readonly destination: string }): void {
    if (this.failure !== undefined) {
      const { failure } = this;
      this.failure = undefined;
      throw failure;
    }
    this.begun.push(args);
  }

  wake(): void {
    this.wakes += 1;
  }
}

/** A clock that moves when it is told to. */
export class ManualClock {
  ms = Date.UTC(2026, 0, 1);

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }
}

/** One region's key manager over a real database and a token double. */
export interface SoftwareRegion {
  readonly region: KmsRegion;
  readonly hsm: SoftwareKeyHsm;
  readonly importHsm: SoftwareImportHsm;
  readonly deadlines: Deadlines;
  /** What the deadlines could not do. */
  readonly failures: unknown[];
  readonly replicator: RecordingReplicator;
  readonly clock: ManualClock;
  readonly database: Database;
  readonly replicatedKeys: StoredReplicatedKeys;
  readonly trail: MemoryTrail;
  /** A call by the account's root. */
  readonly call: Call;
  /** A call by somebody else. */
  callAs(principal: string): Call;
  close(): void;
}

/** Makes a region in memory, or over the database file that is named. */
export function makeSoftwareRegion(
  options: { readonly name?: string; readonly database?: string; readonly regions?: readonly string[] } = {},
): SoftwareRegion {
  const home: KeyHome = { partition: 'aws', region: options.name ?? 'us-east-1', account: ACCOUNT };
  const database = Database.open(options.database ?? ':memory:');
  const store = new SqliteKeyStore(database, home);
  const hsm = new SoftwareKeyHsm();
  const importHsm = new SoftwareImportHsm(hsm);
  const replicator = new RecordingReplicator(options.regions ?? ['us-east-1', 'eu-west-1', 'ap-south-1']);
  const clock = new ManualClock();
  const failures: unknown[] = [];
  const trail = makeMemoryTrail(home, clock);
  const materials = new SqliteMaterialStore(database, store);
  const region: KmsRegion = {
    home,
    store,
    materials,
    primaryChanges: new PrimaryChanges({ home, store, materials, clock }, new SqlitePrimaryChangeStore(database)),
    rotations: new SqliteRotationStore(database),
    synchronizations: new SqliteSynchronizationStore(database),
    aliases: new SqliteAliasStore(database, store),
    grants: new SqliteGrantStore(database, store),
    lastUsages: new LastUsages(
      { store: new SqliteLastUsageStore(database), keys: store, clock },
      { report: (failure) => failures.push(failure) },
    ),
    hsm,
    importHsm,
    importTokens: new SoftwareImportTokens(),
    replicator,
    clock,
    events: trail.trail,
    deadlines: { changed: () => deadlines.changed() },
  };
  const deadlines = new Deadlines(region, { report: (failure) => failures.push(failure) });
  const callAs = (principal: string): Call => ({
    region,
    caller: { principal, account: principal.split(':')[4] ?? '' },
  });
  return {
    region,
    hsm,
    importHsm,
    deadlines,
    failures,
    replicator,
    clock,
    database,
    replicatedKeys: new StoredReplicatedKeys(region),
    trail,
    call: callAs(ROOT),
    callAs,
    close: () => database.close(),
  };
}

/** Awaits a refusal and returns it; fails where there is none. */
export async function refusalOf(work: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
      return { code: error.code, message: error.message };
    }
    throw error;
  }
  throw new Error('nothing was refused');
}
