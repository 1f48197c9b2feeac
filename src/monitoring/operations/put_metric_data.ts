import { LIMITS } from '../../limits.js';
import { invalidCombination, invalidValue, MonitoringError } from '../errors.js';
import { sortedDimensions, type Dimension, type Unit } from '../metric.js';
import type { StoredSample } from '../metric_store.js';
import { authorize, type MonitoringOperation } from '../region.js';
import type { StatisticSet } from '../statistic.js';

/** @source Amazon CloudWatch API Reference, PutMetricData and MetricDatum */
const DATA_MAX = 1000;
const VALUES_MAX = 150;
const VALUE_MAX = 2 ** 360;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** One datum as it is put: a value, values with their counts, or a statistic set. */
export interface MetricDatum {
  readonly MetricName: string;
  readonly Dimensions?: readonly Dimension[];
  readonly Timestamp?: Date;
  readonly Value?: number;
  readonly StatisticValues?: {
    readonly SampleCount: number;
    readonly Sum: number;
    readonly Minimum: number;
    readonly Maximum: number;
  };
  readonly Values?: readonly number[];
  readonly Counts?: readonly number[];
  readonly Unit?: Unit;
  readonly StorageResolution?: number;
}

export interface PutMetricDataRequest {
  readonly Namespace: string;
  readonly MetricData?: readonly MetricDatum[];
  readonly EntityMetricData?: readonly object[];
  readonly StrictEntityValidation?: boolean;
}

/**
 * Takes data points of a caller's own metrics. They are durable when this is answered.
 *
 * @throws {@link MonitoringError} `InvalidParameterValue`, `InvalidParameterCombination`, `MissingParameter`, `LimitExceeded`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, PutMetricData
 */
export const putMetricData: MonitoringOperation<PutMetricDataRequest, object> = async (
  call,
  { Namespace, MetricData, EntityMetricData },
) => {
  if (EntityMetricData !== undefined) throw invalidValue('The parameter EntityMetricData is not supported.');
  if (MetricData === undefined) {
    throw new MonitoringError('MissingParameter', 'The parameter MetricData is required.');
  }
  if (Namespace.startsWith('AWS/')) throw invalidValue('The value AWS/ for parameter Namespace is invalid.');
  if (MetricData.length > DATA_MAX) {
    throw invalidValue(`The collection MetricData must not have a size greater than ${DATA_MAX}.`);
  }
  const { clock, metricStore } = call.region;
  const nowMs = clock.nowMs();
  const samples = MetricData.map((datum, index) =>
    sampleOf(Namespace, datum, { nowMs, place: `MetricData.member.${index + 1}` }),
  );
  authorize(call, 'PutMetricData');
  const leftOut = metricStore.put(samples, { metricsMax: LIMITS.monitoringMetricsMax, durability: 'durable' });
  if (leftOut > 0) {
    throw new MonitoringError(
      'LimitExceeded',
      `${leftOut} data points are of new metrics, and there are ${LIMITS.monitoringMetricsMax} already.`,
    );
  }
  return {};
};

function sampleOf(
  namespace: string,
  datum: MetricDatum,
  { nowMs, place }: { readonly nowMs: number; readonly place: string },
): StoredSample {
  const atMs = datum.Timestamp?.getTime() ?? nowMs;
  if (atMs < nowMs - LIMITS.monitoringRetentionMs || atMs > nowMs + LIMITS.monitoringFutureMs) {
    throw invalidValue(
      `The parameter ${place}.Timestamp must specify a time no more than two weeks in the past and two hours ahead.`,
    );
  }
  const resolution = datum.StorageResolution ?? 60;
  if (resolution !== 1 && resolution !== 60) {
    throw invalidValue(`The parameter ${place}.StorageResolution must be 1 or 60.`);
  }
  const dimensions = datum.Dimensions ?? [];
  if (new Set(dimensions.map(({ Name }) => Name)).size < dimensions.length) {
    throw invalidValue(`No two dimensions of ${place} may have the same name.`);
  }
  const stepMs = resolution === 1 ? SECOND_MS : MINUTE_MS;
  return {
    metric: { namespace, name: datum.MetricName, dimensions: sortedDimensions(dimensions) },
    sample: { ...setOf(datum, place), atMs: Math.floor(atMs / stepMs) * stepMs, unit: datum.Unit ?? 'None' },
  };
}

function setOf({ Value, Values, Counts, StatisticValues }: MetricDatum, place: string): StatisticSet {
  const ways = [Value, Values, StatisticValues].filter((way) => way !== undefined).length;
  if (ways !== 1 || (Counts !== undefined && Values === undefined)) {
    throw invalidCombination(`${place} must have exactly one of Value, Values and StatisticValues.`);
  }
  if (StatisticValues !== undefined) {
    const { SampleCount, Sum, Minimum, Maximum } = StatisticValues;
    for (const value of [SampleCount, Sum, Minimum, Maximum]) checkValue(value, place);
    if (SampleCount <= 0 || Minimum > Maximum) {
      throw invalidCombination(`The statistic set of ${place} must have samples, and no minimum above its maximum.`);
    }
    return { sampleCount: SampleCount, sum: Sum, minimum: Minimum, maximum: Maximum };
  }
  const values = Values ?? [Value ?? 0];
  const counts = Counts ?? values.map(() => 1);
  if (values.length === 0 || values.length > VALUES_MAX || counts.length !== values.length) {
    throw invalidValue(`The values of ${place} must be 1 to ${VALUES_MAX}, with as many counts.`);
  }
  let [sampleCount, sum] = [0, 0];
  for (const [index, value] of values.entries()) {
    const count = counts[index] ?? 0;
    checkValue(value, place);
    if (!(count > 0) || count > Number.MAX_SAFE_INTEGER) throw invalidValue(`The counts of ${place} must be above 0.`);
    sampleCount += count;
    sum += value * count;
  }
  checkValue(sum, place);
  return { sampleCount, sum, minimum: Math.min(...values), maximum: Math.max(...values) };
}

function checkValue(value: number, place: string): void {
  if (Number.isFinite(value) && Math.abs(value) <= VALUE_MAX) return;
  throw invalidValue(`The value ${value} of ${place} is outside the range of -2^360 to 2^360.`);
}
