import { isAtLeast } from './check.js';
import type { CheckResult, ValidationReport } from './result.js';

/**
 * What a check found that was not as expected, and what was seen there.
 *
 * @returns by what tells one such thing from another: what was tried, by which call and mechanism, but not what was seen, which may hold
 * counts and labels
 */
export function keysOf({ observations }: CheckResult): ReadonlyMap<string, string> {
  return new Map(
    observations
      .filter(({ isAsExpected }) => !isAsExpected)
      .map(({ what, call, mechanism, seen }) => [
        [what, call, mechanism].filter((part) => part !== undefined).join(', '),
        seen,
      ]),
  );
}

/**
 * What a run found that an earlier one did not:
 *
 * - checks that were no finding then, and further observations of those that were;
 * - findings that are graver than they were;
 * - checks that came to an end then and could not be run now, in a run that was to its end: what they would have found is not known;
 * - flows that the token could carry then and cannot now.
 *
 * Checks that the later run was not asked for are no news, and neither is another label, serial number or version of the token.
 *
 * @returns one text each, `POL-01: what`; empty where nothing is new
 */
export function newSince(baseline: ValidationReport, report: ValidationReport): readonly string[] {
  const earlier = new Map(baseline.checks.map((check) => [check.id, check]));
  return [
    ...report.checks.flatMap((check) => newInCheck(earlier.get(check.id), check)),
    ...report.verdicts
      .filter(
        ({ flow, answer }) =>
          answer !== 'yes' && baseline.verdicts.some((then) => then.flow === flow && then.answer === 'yes'),
      )
      .map(({ flow, answer, missing, blockedBy }) => {
        const why = blockedBy.length > 0 ? `blocked by ${blockedBy.join(', ')}` : (missing[0] ?? 'not known why');
        return `${flow}: carried before, ${answer} now: ${why}`;
      }),
  ];
}

function newInCheck(before: CheckResult | undefined, check: CheckResult): readonly string[] {
  const { id, status, severity, reason } = check;
  if (status === 'not-run') {
    const wasRun = before?.status === 'passed' || before?.status === 'finding';
    return wasRun ? [`${id}: ${before.status} before, could not be run now: ${reason ?? ''}`] : [];
  }
  if (status !== 'finding') return [];
  const known = before === undefined ? new Map<string, string>() : keysOf(before);
  const fresh = [...keysOf(check).keys()].filter((key) => !known.has(key)).map((key) => `${id}: ${key}`);
  const isGraver = before?.status === 'finding' && before.severity !== severity && isAtLeast(severity, before.severity);
  return isGraver && fresh.length === 0 ? [`${id}: ${severity} now, ${before.severity} before`] : fresh;
}
