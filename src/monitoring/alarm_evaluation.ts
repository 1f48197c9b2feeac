import type { AlarmConfiguration, AlarmState, Comparison } from './alarm.js';
import { datapointsOf, valueOf, type Datapoint, type Sample } from './statistic.js';

const MINUTE_MS = 60_000;
/** Periods beyond those to be evaluated in which data points are looked for. */
const SPARE_PERIODS = 2;

/** The stretch of time whose data points decide about an alarm. */
export interface EvaluationRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What an evaluation has found. */
export interface Evaluation {
  /** Null where the alarm stays what it is. */
  readonly state: AlarmState | null;
  /** The data points that were looked at, the newest first. */
  readonly evaluated: readonly Datapoint[];
  readonly breachingCount: number;
  /** Periods without data that were taken for something. */
  readonly filledCount: number;
}

/** How many data points have to breach the threshold. */
export function datapointsToAlarm({
  datapointsToAlarm: count,
  evaluationPeriods,
}: Pick<AlarmConfiguration, 'datapointsToAlarm' | 'evaluationPeriods'>): number {
  return count ?? evaluationPeriods;
}

/**
 * The periods that are looked at: whole ones, the newest of which ends with the minute of `atMs` (of shorter periods, with the period).
 *
 * @param atMs - the region's time
 */
export function evaluationRange(
  { periodSeconds, evaluationPeriods }: Pick<AlarmConfiguration, 'periodSeconds' | 'evaluationPeriods'>,
  atMs: number,
): EvaluationRange {
  const periodMs = periodSeconds * 1000;
  const stepMs = Math.min(periodMs, MINUTE_MS);
  const toMs = (Math.floor(atMs / stepMs) + 1) * stepMs;
  return { fromMs: toMs - (evaluationPeriods + SPARE_PERIODS) * periodMs, toMs };
}

/**
 * Decides about an alarm.
 *
 * Where the range has as many data points as are to be evaluated, the newest of them decide; where it has fewer, the missing ones count
 * as the alarm says.
 *
 * @param samples - of the alarm's metric in {@link evaluationRange}
 * @source Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data"
 */
export function evaluateAlarm(
  configuration: AlarmConfiguration,
  range: EvaluationRange,
  samples: readonly Sample[],
): Evaluation {
  const { evaluationPeriods, unit, statistic, comparison, threshold } = configuration;
  const periodMs = configuration.periodSeconds * 1000;
  const points = datapointsOf(
    samples.filter((sample) => unit === null || sample.unit === unit),
    { fromMs: range.fromMs, periodMs },
  ).toReversed();
  const evaluated = points.slice(0, evaluationPeriods);
  const isBreaching = (point: Datapoint): boolean => breaches(valueOf(point, statistic), comparison, threshold);
  const breachingCount = evaluated.filter(isBreaching).length;
  const filledCount = evaluationPeriods - evaluated.length;
  const needed = datapointsToAlarm(configuration);
  const found = { evaluated, breachingCount, filledCount };
  if (filledCount === 0) return { ...found, state: breachingCount >= needed ? 'ALARM' : 'OK' };
  switch (configuration.missingData ?? 'missing') {
    case 'breaching':
      return { ...found, state: breachingCount + filledCount >= needed ? 'ALARM' : 'OK' };
    case 'notBreaching':
      return { ...found, state: breachingCount >= needed ? 'ALARM' : 'OK' };
    case 'ignore':
      if (breachingCount >= needed) return { ...found, state: 'ALARM' };
      return { ...found, state: breachingCount < evaluated.length ? 'OK' : null };
    case 'missing': {
      if (evaluated.length === 0) return { ...found, state: 'INSUFFICIENT_DATA' };
      if (breachingCount >= needed) return { ...found, state: 'ALARM' };
      if (breachingCount < evaluated.length) return { ...found, state: 'OK' };
      // Everything that is there breaches: an alarm only where the first of it has been there long enough.
      const oldest = evaluated.at(-1);
      const age = oldest === undefined ? 0 : (range.toMs - oldest.atMs) / periodMs;
      return { ...found, state: age >= needed ? 'ALARM' : null };
    }
  }
}

/** Whether a value is on the bad side of a threshold. */
export function breaches(value: number, comparison: Comparison, threshold: number): boolean {
  switch (comparison) {
    case 'GreaterThanOrEqualToThreshold':
      return value >= threshold;
    case 'GreaterThanThreshold':
      return value > threshold;
    case 'LessThanThreshold':
      return value < threshold;
    case 'LessThanOrEqualToThreshold':
      return value <= threshold;
  }
}
