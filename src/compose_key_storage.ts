import { SqliteTokenObjectLedger } from './adapters/token_object_ledger_sqlite.js';
import type { Database } from './adapters/database.js';
import type { RegionHsm, RegionHsmOptions } from './hsm/region_hsm.js';
import type { RegionConfig } from './lab/region_config.js';
import { LIMITS } from './limits.js';

/** Where a region's new keys rest, and its ledger of those that rest in the token. */
export function keyStorageOf(config: RegionConfig, database: Database): NonNullable<RegionHsmOptions['storage']> {
  return { kind: config.hsm.keyStorage ?? 'wrapped', ledger: new SqliteTokenObjectLedger(database) };
}

/**
 * Destroys token objects that no record uses: now, before anything new is made, and every hour. Call it when the tables of the keys are
 * there.
 *
 * @param report - told of failures; they are tried again
 * @returns ends it
 */
export async function keepTokenObjectsTidy(
  hsm: Pick<RegionHsm, 'destroyUnusedObjects'>,
  report: (failure: unknown) => void,
): Promise<() => void> {
  const tidy = (): Promise<unknown> => hsm.destroyUnusedObjects().catch(report);
  await tidy();
  const timer = setInterval(() => void tidy(), LIMITS.hsmTokenObjectSweepMs);
  timer.unref();
  return () => clearInterval(timer);
}
