import { nssFiles, SoftHsmFiles } from './adapters/token_files.js';
import { SqliteTokenObjectLedger } from './adapters/token_object_ledger_sqlite.js';
import type { Database } from './adapters/database.js';
import type { RegionHsm, RegionHsmOptions } from './hsm/region_hsm.js';
import type { TokenFiles } from './hsm/token_object.js';
import type { RegionConfig } from './lab/region_config.js';
import { LIMITS } from './limits.js';
import { nssDatabase, softHsmObjects } from './token/token_directory.js';

/** Where a region's new keys rest, its ledger of those that rest in the token, and the token's files where it does not sync them itself. */
export function keyStorageOf(config: RegionConfig, database: Database): NonNullable<RegionHsmOptions['storage']> {
  const { managed } = config.token;
  return {
    kind: config.hsm.keyStorage ?? 'wrapped',
    ledger: new SqliteTokenObjectLedger(database),
    ...(managed !== null && { files: filesOf(managed) }),
  };
}

function filesOf({ kind, directory }: NonNullable<RegionConfig['token']['managed']>): TokenFiles {
  return kind === 'softhsm2' ? new SoftHsmFiles(softHsmObjects(directory)) : nssFiles(nssDatabase(directory));
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
