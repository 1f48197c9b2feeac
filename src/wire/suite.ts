import { reject, type Reject } from './refusal.js';

/**
 * Suites of the replication protocol: how RWK and KCK are derived, and how material is wrapped.
 *
 * @source docs/PROTOCOL.md, key establishment
 */
export type ReplicationSuite =
  'OSKDF-A256KWP' | 'HKDF384-A256KWP' | 'SP800108-A256KWP' | 'X963-A256KWP' | 'CBCDERIVE-A256KWP';

/** All suites, the preferred first. */
export const REPLICATION_SUITES: readonly ReplicationSuite[] = [
  'OSKDF-A256KWP',
  'HKDF384-A256KWP',
  'SP800108-A256KWP',
  'X963-A256KWP',
  'CBCDERIVE-A256KWP',
];

/** Whether a text names a suite that this version knows. */
export function isReplicationSuite(text: string): text is ReplicationSuite {
  return (REPLICATION_SUITES as readonly string[]).includes(text);
}

/** The stricter of two floors. */
export function stricterFloor(a: ReplicationSuite, b: ReplicationSuite): ReplicationSuite {
  return REPLICATION_SUITES.indexOf(a) <= REPLICATION_SUITES.indexOf(b) ? a : b;
}

/**
 * The suite of a session: the first of the source's list that the destination has too and that is not below the floor.
 * Both sides compute it from the signed lists.
 *
 * @returns the suite, or a refusal `FLOOR` where there is none
 */
export function chooseSuite(
  source: readonly ReplicationSuite[],
  destination: readonly ReplicationSuite[],
  floor: ReplicationSuite,
): ReplicationSuite | Reject {
  const lowest = REPLICATION_SUITES.indexOf(floor);
  const chosen = source.find((suite) => destination.includes(suite) && REPLICATION_SUITES.indexOf(suite) <= lowest);
  return chosen ?? reject('FLOOR', 'suites', `The regions have no common suite at or above ${floor}.`);
}
