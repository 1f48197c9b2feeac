import type { Flow, Severity } from './check.js';
import type { FlowVerdict } from './result.js';

/** What a flow is called in a report that people read. */
export const flowWords: Readonly<Record<Flow, string>> = {
  replication: 'Replicate keys to another Region',
  signing: 'Sign the messages of replication',
  import: 'Import key material',
  operations: 'Carry the operations of AWS KMS',
};

/** What a severity means. */
export const severityWords: Readonly<
  Record<Severity, { readonly title: string; readonly kind: string; readonly meaning: string }>
> = {
  blocks: {
    title: 'Blocks a flow',
    kind: 'blocking',
    meaning: 'The token cannot be used for the flows that are named.',
  },
  security: {
    title: 'Security',
    kind: 'security',
    meaning:
      'Somebody who can log in to the token may learn keys or use them otherwise than they are meant to be used.',
  },
  strategy: {
    title: 'Needs another strategy',
    kind: 'strategy',
    meaning: 'The flow is carried in another way, or for some key specs not at all.',
  },
  information: {
    title: 'Information',
    kind: 'information',
    meaning: 'Somebody should know; nothing has to be done.',
  },
};

/** What a report says of the dialect in which a module was spoken to. */
export const DIALECT_REACH =
  'The module was spoken to in its own words, as a region with the same dialect would: what was found holds with it. ' +
  'Checks that make single calls of their own (of ROB and PRF, and of logins) speak the standard.';

/** What a strategy is for; a job that is not here goes by its own name. */
const jobWords: Readonly<Record<string, string>> = {
  deriveRwk: 'Agree on the replication wrapping key',
  wrap: 'Wrap key material',
  unwrap: 'Unwrap key material',
  messageKey: 'Encrypt under a KMS key',
  sign: 'Sign messages of replication',
  verify: 'Verify messages of replication',
  mac: 'Confirm the agreed key',
  random: 'Make random octets',
  trustedDomainKey: 'Trust the domain key',
  importOaepSha1: 'Import by RSAES_OAEP_SHA_1',
  importOaepSha256: 'Import by RSAES_OAEP_SHA_256',
  importRsaAesSha1: 'Import by RSA_AES_KEY_WRAP_SHA_1',
  importRsaAesSha256: 'Import by RSA_AES_KEY_WRAP_SHA_256',
};

/** What a strategy's job is called for people. */
export function jobTitle(job: string): string {
  return jobWords[job] ?? job;
}

/** A verdict in a word and a line: what people came for. */
export function verdictWords(verdict: FlowVerdict): { readonly word: string; readonly line: string } {
  const { answer, strategies, blockedBy, reservations, missing } = verdict;
  if (answer === 'unknown') return { word: 'Not known', line: 'The probe did not complete.' };
  if (answer === 'no') {
    const why = blockedBy.length > 0 ? `blocked by ${blockedBy.join(', ')}` : (missing[0] ?? 'see below');
    return { word: 'No', line: `${why.slice(0, 1).toUpperCase()}${why.slice(1)}` };
  }
  const suites = [...new Set(strategies.map(({ suite }) => suite).filter((suite) => suite !== ''))];
  const ways = suites.length > 0 ? `By ${suites.join(', ')}.` : `By ${strategies.length} strategies.`;
  if (reservations.length === 0) return { word: 'Yes', line: ways };
  const findings = `${reservations.length} security ${reservations.length === 1 ? 'finding' : 'findings'}`;
  return { word: 'Yes, with reservations', line: `${ways} Not where others share the token: ${findings}.` };
}
