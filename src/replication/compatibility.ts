import { DATA_SUITES, type DataSuite } from '../wire/ciphertext_blob.js';
import { isReject } from '../wire/refusal.js';
import { chooseSuite, stricterFloor } from '../wire/suite.js';
import type { Roster, RosterRegion } from './roster.js';

/** What a region's token would need, suite by suite. */
function missingMechanisms(region: RosterRegion): string {
  const lines = region.missing
    .filter((entry) => entry.mechanisms.length > 0)
    .map((entry) => `${entry.suite} needs ${entry.mechanisms.join(', ')}`);
  return `${region.region} (${region.fingerprint}) has ${region.suites.join(', ') || 'no suite'}${lines.length === 0 ? '' : `; ${lines.join('; ')}`}`;
}

/**
 * Why a key cannot be replicated from one region to another, in a sentence that names the missing mechanisms; undefined where it can.
 */
export function refusalOfDestination(
  roster: Roster | undefined,
  source: string,
  destination: string,
): string | undefined {
  if (roster === undefined) return `region ${source} has no roster of its partition yet`;
  const from = roster.regions.find((region) => region.region === source);
  const to = roster.regions.find((region) => region.region === destination);
  if (from === undefined) return `region ${source} is not in the roster of its partition`;
  if (to === undefined) return `region ${destination} is not in the roster of partition ${roster.partition}`;
  if (from === to) return `region ${destination} holds the primary key already`;
  for (const region of [from, to]) {
    if (!region.rsk.some((key) => key.state === 'active'))
      return `region ${region.region} has no active replication signing key`;
  }
  const floor = stricterFloor(from.suiteFloor, to.suiteFloor);
  if (isReject(chooseSuite(from.suites, to.suites, floor))) {
    return noCommonSuite(from, to, floor);
  }
  return undefined;
}

/** For each two regions of a roster that share no suite: why no key can travel between them, in a sentence that names the mechanisms. */
export function pairsWithoutSuite(roster: Roster): readonly string[] {
  return roster.regions.flatMap((from, at) =>
    roster.regions.slice(at + 1).flatMap((to) => {
      const floor = stricterFloor(from.suiteFloor, to.suiteFloor);
      return isReject(chooseSuite(from.suites, to.suites, floor)) ? [noCommonSuite(from, to, floor)] : [];
    }),
  );
}

function noCommonSuite(from: RosterRegion, to: RosterRegion, floor: string): string {
  return `the tokens of ${from.region} and ${to.region} share no replication suite at or above ${floor}: ${missingMechanisms(from)}. ${missingMechanisms(to)}.`;
}

/** The data suite that every region of the partition can do, the preferred first. */
export function commonDataSuite(roster: Roster | undefined): DataSuite | undefined {
  if (roster === undefined || roster.regions.length === 0) return undefined;
  return DATA_SUITES.find((suite) => roster.regions.every((region) => region.dataSuites.includes(suite)));
}
