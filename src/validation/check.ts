import type { CheckContext } from './check_context.js';

/** The groups of checks: what a token can, whether it is right, what it gives away, what it survives, how fast it is. */
export const CHECK_GROUPS = ['CAP', 'COR', 'POL', 'ROB', 'PRF'] as const;
export type CheckGroup = (typeof CHECK_GROUPS)[number];

/**
 * What a finding means, the gravest first: the flow cannot be carried; keys may be lost to somebody; another strategy is needed;
 * somebody should know.
 */
export const SEVERITIES = ['blocks', 'security', 'strategy', 'information'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a region uses a token for. */
export const FLOWS = ['replication', 'signing', 'import', 'operations'] as const;
export type Flow = (typeof FLOWS)[number];

/** One thing that a check saw. Texts only: never a secret, and octets of published test vectors at most. */
export interface Observation {
  readonly what: string;
  /** The PKCS#11 function: `C_UnwrapKey`. */
  readonly call?: string | undefined;
  /** `CKM_` name. */
  readonly mechanism?: string | undefined;
  readonly expected: string;
  readonly seen: string;
  /** False makes the check a finding. */
  readonly isAsExpected: boolean;
}

/** How fast something was at a number of sessions. */
export interface Measurement {
  readonly operation: string;
  readonly sessions: number;
  readonly operations: number;
  /** Latency as the caller sees it, microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly perSecond: number;
}

/**
 * - `passed`: everything was as expected
 * - `finding`: something was not
 * - `not-applicable`: the token has not what the check is about; `reason` says what
 * - `not-run`: the check could not be done; `reason` says why
 */
export type CheckStatus = 'passed' | 'finding' | 'not-applicable' | 'not-run';

/** What a check found. */
export interface CheckOutcome {
  readonly status: CheckStatus;
  readonly observations: readonly Observation[];
  readonly measurements: readonly Measurement[];
  /** Why it is not applicable or was not run; null otherwise. */
  readonly reason: string | null;
}

/** What a check is about; plain data. */
export interface CheckFacts {
  /** `COR-07`. */
  readonly id: string;
  readonly group: CheckGroup;
  readonly title: string;
  /** What a finding of this check means. */
  readonly severity: Severity;
  /** The flows that depend on it. */
  readonly flows: readonly Flow[];
  /** Standard or publication that says what is expected. */
  readonly source: string;
  /** What somebody who means ill can do on a token with a finding of this check. */
  readonly attack?: string;
  /** What a finding means for each of its flows, where that is more than its severity says. */
  readonly means?: Readonly<Partial<Record<Flow, string>>>;
  /** What to do about a finding. */
  readonly remedy: string;
  /** The check is ended, and reported as a hang, after so long in a quick run; a whole one gives it longer. */
  readonly timeLimitMs: number;
  /** Whether it may leave the module unusable for the process, so that it gets a process of its own. */
  readonly isDestructive?: boolean;
  /** Whether it leaves the token alone for as long as the run's conditions say; that is added to its time limit. */
  readonly waitsIdle?: boolean;
}

/**
 * One check of the validation suite.
 *
 * `run` says what it sees through its context as it goes, so that a crash does not take that away. A return value of the token that it
 * does not expect may simply be thrown: it becomes a finding.
 */
export interface Check extends CheckFacts {
  run(context: CheckContext): Promise<void>;
}

/** Whether a severity is at least as grave as another. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(least);
}
