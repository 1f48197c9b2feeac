import type { CheckResult, ValidationReport } from './result.js';

/** What tells one thing that is not as expected from another: not how it failed in words, which may hold counts. */
function keysOf({ observations }: CheckResult): ReadonlySet<string> {
  return new Set(
    observations
      .filter(({ isAsExpected }) => !isAsExpected)
      .map(({ what, call, mechanism }) => [what, call, mechanism].filter((part) => part !== undefined).join(', ')),
  );
}

/**
 * What a run found that an earlier one did not: checks that were no finding then, and further observations of those that were.
 *
 * @returns one text each, `POL-01: what`; empty where nothing is new
 */
export function newSince(baseline: ValidationReport, report: ValidationReport): readonly string[] {
  const earlier = new Map(baseline.checks.map((check) => [check.id, check]));
  return report.checks
    .filter(({ status }) => status === 'finding')
    .flatMap((check) => {
      const before = earlier.get(check.id);
      const known = before === undefined ? new Set<string>() : keysOf(before);
      return [...keysOf(check)].filter((key) => !known.has(key)).map((key) => `${check.id}: ${key}`);
    });
}
