import { SqliteAliasStore } from '../../src/adapters/alias_store_sqlite.js';
import type { Database } from '../../src/adapters/database.js';
import { SqliteGrantStore } from '../../src/adapters/grant_store_sqlite.js';
import type { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { SqliteLastUsageStore } from '../../src/adapters/last_usage_store_sqlite.js';
import { SqliteMaterialStore } from '../../src/adapters/material_store_sqlite.js';
import { SqliteRotationStore } from '../../src/adapters/rotation_store_sqlite.js';
import { LastUsages } from '../../src/kms/last_usage.js';
import type { KmsRegion } from '../../src/kms/region.js';
import { makeMemoryTrail } from './memory_trail.js';
import { NO_IMPORT } from './no_import.js';

/** A region's key manager where nothing is imported, nothing waits for time, and the audit trail is in memory. */
export function makeKmsRegion(
  parts: Pick<KmsRegion, 'home' | 'hsm' | 'replicator' | 'clock'> & {
    readonly database: Database;
    readonly store: SqliteKeyStore;
  },
): KmsRegion {
  const { database, ...region } = parts;
  return {
    ...region,
    materials: new SqliteMaterialStore(database, parts.store),
    rotations: new SqliteRotationStore(database),
    aliases: new SqliteAliasStore(database, parts.store),
    lastUsages: new LastUsages(
      { store: new SqliteLastUsageStore(database), keys: parts.store, clock: parts.clock },
      { report: () => undefined },
    ),
    ...NO_IMPORT,
    events: makeMemoryTrail(parts.home, parts.clock).trail,
    deadlines: { changed: () => undefined },
  };
    grants: new SqliteGrantStore(database, parts.store),
}
