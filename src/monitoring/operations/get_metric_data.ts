import { setImmediate as nextTurn } from 'node:timers/promises';
import { validationError } from '../errors.js';
import type { Dimension, Unit } from '../metric.js';
import { checkPeriod, periodRange } from '../metric_range.js';
import { numberedPlaceOf, pageToken } from '../page_token.js';
import { authorize, type MonitoringCall, type MonitoringOperation } from '../region.js';
import { datapointsOf, STATISTICS, valueOf, type Statistic } from '../statistic.js';

/** @source Amazon CloudWatch API Reference, GetMetricData */
const QUERIES_MAX = 500;
const DATAPOINTS_MAX = 100_800;
const ID = /^[a-z]\w*$/;

/** One query as it is asked. */
export interface MetricDataQuery {
  readonly Id: string;
  readonly MetricStat?: {
    readonly Metric: {
      readonly Namespace?: string;
      readonly MetricName?: string;
      readonly Dimensions?: readonly Dimension[];
    };
    readonly Period: number;
    readonly Stat: string;
    readonly Unit?: Unit;
  };
  readonly Expression?: string;
  readonly Label?: string;
  readonly ReturnData?: boolean;
  readonly Period?: number;
  readonly AccountId?: string;
}

export interface GetMetricDataRequest {
  readonly MetricDataQueries: readonly MetricDataQuery[];
  readonly StartTime: Date;
  readonly EndTime: Date;
  readonly NextToken?: string;
  readonly ScanBy?: 'TimestampDescending' | 'TimestampAscending';
  readonly MaxDatapoints?: number;
  readonly LabelOptions?: object;
}

/** The answer to one query. */
export interface MetricDataResult {
  readonly Id: string;
  readonly Label: string;
  readonly Timestamps: readonly Date[];
  readonly Values: readonly number[];
  readonly StatusCode: 'Complete' | 'PartialData';
}

/** A query after it was checked. */
interface CheckedQuery {
  readonly id: string;
  readonly label: string;
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: readonly Dimension[];
  readonly periodSeconds: number;
  readonly statistic: Statistic;
  readonly unit: Unit | undefined;
}

/**
 * Shows the data points of several metrics. Metric math is not known.
 *
 * @throws {@link MonitoringError} `ValidationError`, `InvalidNextToken`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, GetMetricData
 */
export const getMetricData: MonitoringOperation<
  GetMetricDataRequest,
  { readonly MetricDataResults: readonly MetricDataResult[]; readonly NextToken?: string }
> = async (call, request) => {
  const queries = checkQueries(request);
  const max = request.MaxDatapoints ?? DATAPOINTS_MAX;
  if (max < 1 || max > DATAPOINTS_MAX) throw validationError(`MaxDatapoints must be 1 to ${DATAPOINTS_MAX}.`);
  const skipped = request.NextToken === undefined ? 0 : numberedPlaceOf(request.NextToken);
  authorize(call, 'GetMetricData');
  const results: MetricDataResult[] = [];
  let passed = 0;
  let shown = 0;
  let isPartial = false;
  for (const query of queries) {
    const points = pointsOf(call, request, query);
    const first = Math.min(Math.max(0, skipped - passed), points.length);
    const page = points.slice(first, first + max - shown);
    passed += points.length;
    // A page tells of the queries that it has something of; the first page of all.
    if (skipped > 0 && page.length === 0) continue;
    const isWhole = first + page.length === points.length;
    isPartial ||= !isWhole;
    shown += page.length;
    results.push({
      Id: query.id,
      Label: query.label,
      Timestamps: page.map(({ atMs }) => new Date(atMs)),
      Values: page.map(({ value }) => value),
      StatusCode: isWhole ? 'Complete' : 'PartialData',
    });
    // Requests are answered in between.
    await nextTurn();
  }
  return { MetricDataResults: results, ...(isPartial && { NextToken: pageToken(String(skipped + shown)) }) };
};

function pointsOf(
  { region }: MonitoringCall,
  request: GetMetricDataRequest,
  query: CheckedQuery,
): readonly { readonly atMs: number; readonly value: number }[] {
  const nowMs = region.clock.nowMs();
  const range = periodRange(
    {
      startMs: request.StartTime.getTime(),
      endMs: request.EndTime.getTime(),
      periodSeconds: query.periodSeconds,
    },
    nowMs,
  );
  const samples = region.metrics
    .samples({ namespace: query.namespace, name: query.metricName, dimensions: query.dimensions }, { ...range, nowMs })
    .filter((sample) => query.unit === undefined || sample.unit === query.unit);
  const points = datapointsOf(samples, range).map((point) => ({
    atMs: point.atMs,
    value: valueOf(point, query.statistic),
  }));
  return request.ScanBy === 'TimestampAscending' ? points : points.toReversed();
}

function checkQueries({ MetricDataQueries, StartTime, EndTime }: GetMetricDataRequest): readonly CheckedQuery[] {
  if (MetricDataQueries.length === 0) throw validationError('At least one metric data query must be specified.');
  if (MetricDataQueries.length > QUERIES_MAX) {
    throw validationError(`At most ${QUERIES_MAX} metric data queries can be specified.`);
  }
  if (StartTime.getTime() >= EndTime.getTime()) {
    throw validationError('The parameter StartTime must be less than the parameter EndTime.');
  }
  if (new Set(MetricDataQueries.map(({ Id }) => Id)).size < MetricDataQueries.length) {
    throw validationError('The ids of the metric data queries must be different.');
  }
  return MetricDataQueries.flatMap((query) => {
    const checked = checkQuery(query);
    return query.ReturnData === false ? [] : [checked];
  });
}

function checkQuery({ Id, MetricStat, Expression, Label }: MetricDataQuery): CheckedQuery {
  if (!ID.test(Id)) {
    throw validationError(`The id ${Id} must begin with a lower-case letter and have letters, digits and _ only.`);
  }
  if (Expression !== undefined) {
    throw validationError(`Metric math expressions are not supported: ${Id} needs a MetricStat.`);
  }
  if (MetricStat === undefined) throw validationError(`The query ${Id} needs a MetricStat.`);
  const { Namespace, MetricName, Dimensions } = MetricStat.Metric;
  if (Namespace === undefined || MetricName === undefined) {
    throw validationError(`The metric of the query ${Id} needs Namespace and MetricName.`);
  }
  const statistic = STATISTICS.find((candidate) => candidate === MetricStat.Stat);
  if (statistic === undefined)
    throw validationError(`The statistic of the query ${Id} must be one of ${STATISTICS.join(', ')}.`);
  checkPeriod(MetricStat.Period);
  return {
    id: Id,
    label: Label ?? MetricName,
    namespace: Namespace,
    metricName: MetricName,
    dimensions: Dimensions ?? [],
    periodSeconds: MetricStat.Period,
    statistic,
    unit: MetricStat.Unit,
  };
}
