import { SqliteAliasStore } from '../../src/adapters/alias_store_sqlite.js';
import type { Database } from '../../src/adapters/database.js';
import { SqliteGrantStore } from '../../src/adapters/grant_store_sqlite.js';
import type { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { SqliteLastUsageStore } from '../../src/adapters/last_usage_store_sqlite.js';
import { SqliteMaterialStore } from '../../src/adapters/material_store_sqlite.js';
import { SqlitePrimaryChangeStore } from '../../src/adapters/primary_change_store_sqlite.js';
import { SqliteRotationStore } from '../../src/adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from '../../src/adapters/synchronization_store_sqlite.js';
import { LastUsages } from '../../src/kms/last_usage.js';
import { PrimaryChanges } from '../../src/kms/primary_change.js';
import type { KmsRegion } from '../../src/kms/region.js';
import { StoredReplicatedKeys } from '../../src/kms/replicated_keys.js';
import { makeMemoryTrail } from './memory_trail.js';
import { NO_IMPORT } from './no_import.js';

/** A region's key manager where nothing is imported, nothing waits for time, and the audit trail is in memory. */
export function makeKmsRegion(
  parts: Pick<KmsRegion, 'home' | 'hsm' | 'replicator' | 'clock'> & {
    readonly database: Database;
    readonly store: SqliteKeyStore;
    readonly primaryChanges?: PrimaryChanges;
  },
): KmsRegion {
  const { database, ...region } = parts;
  const materials = new SqliteMaterialStore(database, parts.store);
  return {
    ...region,
    materials,
    primaryChanges:
      parts.primaryChanges ?? new PrimaryChanges({ ...parts, materials }, new SqlitePrimaryChangeStore(database)),
    rotations: new SqliteRotationStore(database),
    synchronizations: new SqliteSynchronizationStore(database),
    aliases: new SqliteAliasStore(database, parts.store),
    grants: new SqliteGrantStore(database, parts.store),
    lastUsages: new LastUsages(
      { store: new SqliteLastUsageStore(database), keys: parts.store, clock: parts.clock },
      { report: () => undefined },
    ),
    ...NO_IMPORT,
    events: makeMemoryTrail(parts.home, parts.clock).trail,
    deadlines: { changed: () => undefined },
  };
}

/** A region's keys as replication sees them, and changes of their primary Regions, over the same database. */
export function makeReplicatedKeys(
  parts: Pick<KmsRegion, 'home' | 'clock'> & { readonly database: Database; readonly store: SqliteKeyStore },
): { readonly keys: StoredReplicatedKeys; readonly primaryChanges: PrimaryChanges } {
  const { database, home, store, clock } = parts;
  const materials = new SqliteMaterialStore(database, store);
  const primaryChanges = new PrimaryChanges({ home, store, materials, clock }, new SqlitePrimaryChangeStore(database));
  const rotations = new SqliteRotationStore(database);
  const synchronizations = new SqliteSynchronizationStore(database);
  const keys = new StoredReplicatedKeys({ home, store, materials, rotations, synchronizations, primaryChanges, clock });
  return { keys, primaryChanges };
}
