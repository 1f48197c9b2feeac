import { z } from 'zod';
import { dialectForm } from '../token/dialect.js';
import { isEarlierProfile, profileSchema } from '../token/profile.js';
import { CHECK_GROUPS, FLOWS, SEVERITIES } from './check.js';
import { ValidationError } from './errors.js';

const text = z.string().max(4_000);

const observationSchema = z.strictObject({
  what: text,
  call: text.optional(),
  mechanism: text.optional(),
  expected: text,
  seen: text,
  isAsExpected: z.boolean(),
});

const measurementSchema = z.strictObject({
  operation: text,
  sessions: z.number().int().positive(),
  operations: z.number().int().nonnegative(),
  p50Us: z.number().nonnegative(),
  p99Us: z.number().nonnegative(),
  perSecond: z.number().nonnegative(),
});

const checkResultSchema = z.strictObject({
  id: text,
  group: z.enum(CHECK_GROUPS),
  title: text,
  severity: z.enum(SEVERITIES),
  flows: z.array(z.enum(FLOWS)),
  source: text,
  remedy: text,
  /** What somebody who means ill can do where it is a finding. */
  attack: text.optional(),
  /** What a finding means for a flow, where that is more than its severity says. */
  means: z.partialRecord(z.enum(FLOWS), text).optional(),
  status: z.enum(['passed', 'finding', 'not-applicable', 'not-run']),
  /** Why it is not applicable or was not run; null otherwise. */
  reason: text.nullable(),
  observations: z.array(observationSchema).max(10_000),
  measurements: z.array(measurementSchema).max(1_000),
  ms: z.number().nonnegative(),
});

const verdictSchema = z.strictObject({
  flow: z.enum(FLOWS),
  /** `unknown` where the probe did not complete. */
  answer: z.enum(['yes', 'no', 'unknown']),
  strategies: z.array(z.strictObject({ id: text, job: text, suite: text, description: text })),
  /** What is missing, each with what the token answered; also what would widen a flow that it can carry. */
  missing: z.array(text),
  /** Checks whose findings keep the token from carrying the flow. */
  blockedBy: z.array(text),
  /** Checks whose findings say how the token must not be used for the flow. */
  reservations: z.array(text),
  /** What each finding means for the flow, the gravest first. Not in the reports of earlier versions. */
  consequences: z.array(z.strictObject({ check: text, severity: z.enum(SEVERITIES), meaning: text })).default([]),
});

const reportSchema = z.strictObject({
  version: z.literal(1),
  startedAt: text,
  endedAt: text,
  /** False where it was interrupted: what did not run has the status `not-run`. */
  isComplete: z.boolean(),
  isQuick: z.boolean(),
  /** Gives the same random inputs again: `--seed`. */
  seed: text,
  environment: z.strictObject({
    node: text,
    platform: text,
    processor: text,
    processors: z.number().int(),
    /** Not in the reports of earlier versions, as `system`. */
    keyferry: text.optional(),
    system: text.optional(),
  }),
  identity: profileSchema.shape.identity,
  /** What the token says about itself besides; not in the reports of earlier versions. */
  token: z
    .strictObject({
      slot: text,
      /** `CKF_` names. */
      flags: z.array(text).max(64),
      /** 0 is no limit, null is not told. */
      sessionCountMax: z.number().int().nonnegative().nullable(),
    })
    .optional(),
  /** Null where the probe did not complete, and in a report that was read again whose profile is of an earlier version. */
  profile: profileSchema.nullable(),
  /** How jobs were put into the module's words; left out where they were in the standard's. */
  dialect: dialectForm.optional(),
  checks: z.array(checkResultSchema).max(1_000),
  /** Crashes and hangs outside checks: while probing, or at the end. */
  incidents: z.array(text),
  verdicts: z.array(verdictSchema),
});

/** A check with what it came to. */
export type CheckResult = Readonly<z.infer<typeof checkResultSchema>>;
/** Whether a token can carry a flow. */
export type FlowVerdict = Readonly<z.infer<typeof verdictSchema>>;
/** Everything that a run found: `findings.json`. */
export type ValidationReport = Readonly<z.infer<typeof reportSchema>>;

/**
 * Reads a `findings.json` again. One of an earlier version of Keyferry stays of use as a baseline: its findings are read, and a profile that
 * is of an earlier version is left out.
 *
 * @param name - of the file, for the error
 * @throws {@link ValidationError} `ERR_VALIDATION_REPORT` for anything but a whole report of this version
 */
export function parseReport(textOfFile: string, name: string): ValidationReport {
  let value: unknown;
  try {
    value = JSON.parse(textOfFile);
  } catch (cause) {
    throw new ValidationError('ERR_VALIDATION_REPORT', `${name} is not JSON`, { cause });
  }
  const parsed = reportSchema.safeParse(withoutEarlierProfile(value));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new ValidationError('ERR_VALIDATION_REPORT', `${name} is no findings.json of this version, at "${where}"`, {
    cause: parsed.error,
    remedy: 'give the findings.json of an earlier run of keyferry validate',
  });
}

function withoutEarlierProfile(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('profile' in value)) return value;
  return isEarlierProfile(JSON.stringify(value.profile)) ? { ...value, profile: null } : value;
}
