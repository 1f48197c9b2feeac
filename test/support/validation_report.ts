import type { CheckResult, ValidationReport } from '../../src/validation/result.js';
import { verdictsOf } from '../../src/validation/verdict.js';

/** A check that passed, or what `more` makes of it. */
export function result(id: string, more: Partial<CheckResult> = {}): CheckResult {
  return {
    ...{ id, group: 'POL', title: `title of ${id}`, severity: 'security', flows: ['replication'], source: 'a source' },
    ...{ remedy: 'a remedy', status: 'passed', reason: null, observations: [], measurements: [], ms: 12 },
    ...more,
  };
}

/** A check that found these things. */
export function finding(id: string, ...what: readonly string[]): CheckResult {
  const observations = what.map((text) => ({ what: text, expected: 'one', seen: 'another', isAsExpected: false }));
  return result(id, { status: 'finding', observations });
}

/** A run of these checks, of a token that could not be probed. */
export function report(...results: readonly CheckResult[]): ValidationReport {
  return {
    version: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:01:00.000Z',
    isComplete: true,
    isQuick: false,
    seed: 'seed',
    environment: { node: 'v20', platform: 'linux', processor: 'any', processors: 2 },
    identity: {
      ...{ modulePath: '/p11.so', manufacturer: '<script>alert(1)</script>', model: 'a & b', serial: '1', label: 'l' },
      ...{ libraryDescription: 'd', libraryVersion: '1.0', cryptokiVersion: '2.40', hardwareVersion: '1.0' },
      firmwareVersion: '1.0',
    },
    profile: null,
    checks: [...results],
    incidents: [],
    verdicts: [...verdictsOf(null, results)],
  };
}
