import type { Unit } from './metric.js';

/** @source Amazon CloudWatch API Reference, PutMetricAlarm */
export const STATISTICS = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] as const;

export type Statistic = (typeof STATISTICS)[number];

/** What is known of the samples of one stretch of time. */
export interface StatisticSet {
  /** Above 0. */
  readonly sampleCount: number;
  readonly sum: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** Samples of one instant. */
export interface Sample extends StatisticSet {
  readonly atMs: number;
  readonly unit: Unit;
}

/** The samples of one period together. */
export interface Datapoint extends StatisticSet {
  /** Where the period begins. */
  readonly atMs: number;
  readonly unit: Unit;
}

/** A sample of one value. */
export function singleSample(atMs: number, value: number, unit: Unit): Sample {
  return { atMs, unit, sampleCount: 1, sum: value, minimum: value, maximum: value };
}

/** Two sets of samples as one. */
export function mergeStatistics(one: StatisticSet, other: StatisticSet): StatisticSet {
  return {
    sampleCount: one.sampleCount + other.sampleCount,
    sum: one.sum + other.sum,
    minimum: Math.min(one.minimum, other.minimum),
    maximum: Math.max(one.maximum, other.maximum),
  };
}

/** The value of a statistic. */
export function valueOf(set: StatisticSet, statistic: Statistic): number {
  switch (statistic) {
    case 'SampleCount':
      return set.sampleCount;
    case 'Average':
      return set.sum / set.sampleCount;
    case 'Sum':
      return set.sum;
    case 'Minimum':
      return set.minimum;
    case 'Maximum':
      return set.maximum;
  }
}

/**
 * Joins samples into periods. Samples of different units stay apart, as the service never adds them.
 *
 * @param range.fromMs - where the first period begins; periods follow one another from here
 * @returns a data point for each period and unit that has samples, the oldest first
 */
export function datapointsOf(
  samples: Iterable<Sample>,
  range: { readonly fromMs: number; readonly periodMs: number },
): readonly Datapoint[] {
  const points = new Map<string, Datapoint>();
  for (const sample of samples) {
    const atMs = range.fromMs + Math.floor((sample.atMs - range.fromMs) / range.periodMs) * range.periodMs;
    const key = `${atMs} ${sample.unit}`;
    const before = points.get(key);
    const { sampleCount, sum, minimum, maximum, unit } = sample;
    const set = { sampleCount, sum, minimum, maximum };
    points.set(key, { ...(before === undefined ? set : mergeStatistics(before, set)), atMs, unit });
  }
  return [...points.values()].toSorted((one, other) => one.atMs - other.atMs);
}
