import { invalidCombination, validationError } from '../errors.js';
import type { Dimension, Unit } from '../metric.js';
import { checkPeriod, periodRange } from '../metric_range.js';
import { authorize, type MonitoringOperation } from '../region.js';
import { datapointsOf, valueOf, type Statistic } from '../statistic.js';

/** @source Amazon CloudWatch API Reference, GetMetricStatistics */
const DATAPOINTS_MAX = 1440;

export interface GetMetricStatisticsRequest {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions?: readonly Dimension[];
  readonly StartTime: Date;
  readonly EndTime: Date;
  readonly Period: number;
  readonly Statistics?: readonly Statistic[];
  readonly ExtendedStatistics?: readonly string[];
  readonly Unit?: Unit;
}

/** A data point as the API shows it, with the statistics that were asked for. */
export type ShownDatapoint = { readonly Timestamp: Date; readonly Unit: Unit } & {
  readonly [Name in Statistic]?: number;
};

/**
 * Shows the data points of one metric, the oldest first.
 *
 * @throws {@link MonitoringError} `InvalidParameterCombination`, `ValidationError`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, GetMetricStatistics
 */
export const getMetricStatistics: MonitoringOperation<
  GetMetricStatisticsRequest,
  { readonly Label: string; readonly Datapoints: readonly ShownDatapoint[] }
> = async (call, request) => {
  const startMs = request.StartTime.getTime();
  const endMs = request.EndTime.getTime();
  const statistics = request.Statistics ?? [];
  if (request.ExtendedStatistics !== undefined) {
    throw validationError('Extended statistics are not supported: use Statistics.');
  }
  if (statistics.length === 0) {
    throw invalidCombination('At least one of the parameters Statistics and ExtendedStatistics must be specified.');
  }
  if (startMs >= endMs) {
    throw invalidCombination('The parameter StartTime must be less than the parameter EndTime.');
  }
  checkPeriod(request.Period);
  const count = Math.ceil((endMs - startMs) / (request.Period * 1000));
  if (count > DATAPOINTS_MAX) {
    throw invalidCombination(
      `You have requested up to ${count.toLocaleString('en-US')} datapoints, which exceeds the limit of 1,440. ` +
        'You may reduce the datapoints requested by increasing Period, or decreasing the time range.',
    );
  }
  authorize(call, 'GetMetricStatistics');
  const { metrics, clock } = call.region;
  const nowMs = clock.nowMs();
  const range = periodRange({ startMs, endMs, periodSeconds: request.Period }, nowMs);
  const samples = metrics.samples(
    { namespace: request.Namespace, name: request.MetricName, dimensions: request.Dimensions ?? [] },
    { ...range, nowMs },
  );
  const points = datapointsOf(
    samples.filter((sample) => request.Unit === undefined || sample.unit === request.Unit),
    range,
  );
  return {
    Label: request.MetricName,
    Datapoints: points.map((point) => ({
      Timestamp: new Date(point.atMs),
      Unit: point.unit,
      ...Object.fromEntries(statistics.map((statistic) => [statistic, valueOf(point, statistic)])),
    })),
  };
};
