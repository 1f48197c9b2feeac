/**
 * Suites of the replication protocol: how RWK and KCK are derived, and how material is wrapped.
 *
 * @source docs/PROTOCOL.md, key establishment
 */
export type ReplicationSuite = 'OSKDF-A256KWP' | 'HKDF384-A256KWP' | 'X963-A256KWP' | 'CBCDERIVE-A256KWP';

/** All suites, the preferred first. */
export const REPLICATION_SUITES: readonly ReplicationSuite[] = [
  'OSKDF-A256KWP',
  'HKDF384-A256KWP',
  'X963-A256KWP',
  'CBCDERIVE-A256KWP',
];
