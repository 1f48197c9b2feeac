import { existsSync } from 'node:fs';
import { askAdmin } from './admin_client.js';
import type { PartitionAuthority } from './authority.js';
import type { StateDirectory } from './state_directory.js';

/** What became of the rosters at one region. */
export interface RosterDelivery {
  readonly region: string;
  /** Epoch that holds there now; null where the region does not run: it reads the rosters when it starts. */
  readonly epoch: string | null;
  readonly note: string;
}

/** Gives all rosters of the authority to the regions that run. A region that does not answer is no failure. */
export async function deliverRosters(
  directory: StateDirectory,
  authority: PartitionAuthority,
): Promise<readonly RosterDelivery[]> {
  const names = authority.roster?.regions.map(({ region }) => region) ?? [];
  return Promise.all(
    names.map(async (region): Promise<RosterDelivery> => {
      const socket = directory.adminSocket(region);
      if (!existsSync(socket))
        return { region, epoch: null, note: 'not running; it reads the roster at its next start' };
      try {
        const body = { rosters: authority.rosters };
        const { epoch } = (await askAdmin(socket, { method: 'POST', path: '/roster', body })) as { epoch: string };
        return { region, epoch, note: 'taken' };
      } catch (error) {
        return { region, epoch: null, note: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}
