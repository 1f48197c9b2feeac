import { expect } from 'chai';
import fc from 'fast-check';
import type { AlarmConfiguration, AlarmState } from '../../../src/monitoring/alarm.js';
import { evaluateAlarm, evaluationRange } from '../../../src/monitoring/alarm_evaluation.js';
import { evaluationTimes } from '../../../src/monitoring/alarm_times.js';
import { expirySamples, turningPoints } from '../../../src/monitoring/expiry_samples.js';

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 10, 21, 12);

/** One change of state: when, and to what. */
type Change = readonly [number, AlarmState];

function changesAt(
  times: readonly number[],
  configuration: AlarmConfiguration,
  interval: { readonly fromMs: number; readonly validToMs: number },
): readonly Change[] {
  let current: AlarmState = 'INSUFFICIENT_DATA';
  return times.flatMap((atMs): Change[] => {
    const range = evaluationRange(configuration, atMs);
    const intervals = [{ keyId: 'k', untilMs: null, ...interval }];
    const samples = expirySamples(intervals, { ...range, nowMs: atMs }, []);
    const state = evaluateAlarm(configuration, range, samples).state ?? current;
    if (state === current) return [];
    current = state;
    return [[atMs, state]];
  });
}

describe('The times at which an alarm is evaluated', () => {
  it('are one where hardly any time has passed', () => {
    const times = evaluationTimes({ periodSeconds: 60, evaluationPeriods: 1 }, { fromMs: 0, toMs: 90_000 }, []);
    expect(times).to.deep.equal([90_000]);
  });

  it('are few where a year was passed over', () => {
    const times = evaluationTimes(
      { periodSeconds: 60, evaluationPeriods: 5 },
      { fromMs: START_MS, toMs: START_MS + 365 * 1440 * MINUTE_MS },
      [START_MS + MINUTE_MS * 5000, START_MS + MINUTE_MS * 90_000],
    );
    expect(times.length).to.be.below(40);
    expect(times).to.deep.equal(times.toSorted((one, other) => one - other));
  });

  it('miss no state that an evaluation each minute would see', function () {
    this.timeout(30_000);
    fc.assert(
      fc.property(
        fc.record({
          lifeMinutes: fc.integer({ min: 1, max: 600 }),
          offsetMs: fc.integer({ min: 0, max: MINUTE_MS - 1 }),
          thresholdSeconds: fc.integer({ min: 0, max: 40_000 }),
          comparison: fc.constantFrom('GreaterThanThreshold' as const, 'LessThanThreshold' as const),
          periodSeconds: fc.constantFrom(60, 120, 300),
          evaluationPeriods: fc.integer({ min: 1, max: 4 }),
          missingData: fc.constantFrom('missing' as const, 'breaching' as const, 'notBreaching' as const),
          moveMinutes: fc.integer({ min: 3, max: 800 }),
        }),
        (chosen) => {
          const { comparison, periodSeconds, evaluationPeriods, missingData } = chosen;
          const configuration: AlarmConfiguration = {
            description: null,
            actionsEnabled: true,
            actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] },
            namespace: 'AWS/KMS',
            metricName: 'SecondsUntilKeyMaterialExpiration',
            dimensions: [],
            statistic: 'Minimum',
            periodSeconds,
            unit: null,
            evaluationPeriods,
            datapointsToAlarm: null,
            threshold: chosen.thresholdSeconds,
            comparison,
            missingData,
          };
          const fromMs = START_MS + chosen.offsetMs;
          const interval = { fromMs, validToMs: fromMs + chosen.lifeMinutes * MINUTE_MS };
          const range = { fromMs, toMs: fromMs + chosen.moveMinutes * MINUTE_MS };
          const turns = turningPoints({ keyId: 'k', untilMs: null, ...interval }, chosen.thresholdSeconds).filter(
            (atMs) => atMs > range.fromMs && atMs <= range.toMs,
          );
          const minutes = Array.from({ length: chosen.moveMinutes }, (_, index) => fromMs + (index + 1) * MINUTE_MS);
          const each = changesAt(minutes, configuration, interval);
          const few = changesAt(evaluationTimes(configuration, range, turns), configuration, interval);
          expect(few.map(([, state]) => state)).to.deep.equal(each.map(([, state]) => state));
          for (const [index, [atMs]] of few.entries()) {
            const exact = each[index]?.[0] ?? 0;
            expect(Math.abs(atMs - exact)).to.be.at.most(Math.max(MINUTE_MS, periodSeconds * 1000));
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
