import { DATA_SUITES, type DataSuite } from '../wire/ciphertext_blob.js';
import { Members } from '../wire/members.js';
import { refuse } from '../wire/refusal.js';
import { isReplicationSuite, REPLICATION_SUITES, type ReplicationSuite } from '../wire/suite.js';

/** What a region's token can carry, as its enrolment says and the roster repeats. */
export interface TokenReach {
  readonly suites: readonly ReplicationSuite[];
  readonly dataSuites: readonly DataSuite[];
  readonly fingerprint: string;
  /** For each suite that the token cannot carry, the mechanisms that it lacks. */
  readonly missing: readonly { readonly suite: string; readonly mechanisms: readonly string[] }[];
}

/** Names of its members. */
export const REACH_MEMBERS = [
  'suites',
  'dataSuites',
  'fingerprint',
  'missing',
] as const satisfies readonly (keyof TokenReach)[];

const MECHANISM = /^CK[A-Z0-9_]{1,62}$/;
const SUITE_WORD = /^[A-Z0-9-]{1,32}$/;

/** Reads its members, or refuses with `SYNTAX` or `LIMIT`. */
export function readReach(members: Members): TokenReach {
  return {
    suites: members.texts('suites', { max: REPLICATION_SUITES.length }, isReplicationSuite).filter(isReplicationSuite),
    dataSuites: members
      .texts('dataSuites', { max: DATA_SUITES.length }, (text) => DATA_SUITES.some((suite) => suite === text))
      .map((text) => text as DataSuite),
    fingerprint: members.text('fingerprint', 256),
    missing: members.list('missing', { max: 16 }, (item, path) => {
      const entry = new Members(item, ['suite', 'mechanisms'], path);
      const suite = entry.text('suite', 32);
      if (!SUITE_WORD.test(suite)) refuse('SYNTAX', entry.path('suite'), 'Not the name of a suite.');
      return { suite, mechanisms: entry.texts('mechanisms', { max: 32 }, (text) => MECHANISM.test(text)) };
    }),
  };
}

/** Its members alone, out of whatever has them. */
export function reachOf({ suites, dataSuites, fingerprint, missing }: TokenReach): TokenReach {
  return {
    suites,
    dataSuites,
    fingerprint,
    missing: missing.map(({ suite, mechanisms }) => ({ suite, mechanisms })),
  };
}
