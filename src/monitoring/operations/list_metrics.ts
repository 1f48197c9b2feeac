import { LIMITS } from '../../limits.js';
import { dimensionValue, type Dimension } from '../metric.js';
import { pageToken, placeOf } from '../page_token.js';
import { authorize, type MonitoringOperation } from '../region.js';

/** @source Amazon CloudWatch API Reference, ListMetrics */
const METRICS_PER_PAGE = 500;
const RECENT_MS = 3 * 60 * 60 * 1000;

export interface ListMetricsRequest {
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value?: string }[];
  readonly NextToken?: string;
  readonly RecentlyActive?: 'PT3H';
  readonly IncludeLinkedAccounts?: boolean;
  readonly OwningAccount?: string;
}

/** A metric as the API shows it. */
export interface ShownMetric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly Dimension[];
}

/**
 * Shows the metrics that had data points in the last two weeks, or three hours.
 *
 * @throws {@link MonitoringError} `InvalidNextToken`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, ListMetrics
 */
export const listMetrics: MonitoringOperation<
  ListMetricsRequest,
  { readonly Metrics: readonly ShownMetric[]; readonly NextToken?: string }
> = async (call, request) => {
  const after = request.NextToken === undefined ? '' : placeOf(request.NextToken);
  authorize(call, 'ListMetrics');
  const { metrics, clock, home } = call.region;
  if (request.OwningAccount !== undefined && request.OwningAccount !== home.account) return { Metrics: [] };
  const sinceMs = clock.nowMs() - (request.RecentlyActive === undefined ? LIMITS.monitoringRetentionMs : RECENT_MS);
  const found = metrics.list(sinceMs).filter(
    ({ key, metric }) =>
      key > after &&
      (request.Namespace === undefined || request.Namespace === metric.namespace) &&
      (request.MetricName === undefined || request.MetricName === metric.name) &&
      (request.Dimensions ?? []).every(({ Name, Value }) => {
        const value = dimensionValue(metric.dimensions, Name);
        return value !== undefined && (Value === undefined || Value === value);
      }),
  );
  const page = found.slice(0, METRICS_PER_PAGE);
  const last = page.at(-1);
  return {
    Metrics: page.map(({ metric: { namespace, name, dimensions } }) => ({
      Namespace: namespace,
      MetricName: name,
      Dimensions: dimensions,
    })),
    ...(found.length > page.length && last !== undefined && { NextToken: pageToken(last.key) }),
  };
};
