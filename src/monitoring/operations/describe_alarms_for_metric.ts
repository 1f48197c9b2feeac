import { metricOf } from '../alarm.js';
import { alarmView, type MetricAlarm } from '../alarm_view.js';
import { metricKey, type Dimension, type Unit } from '../metric.js';
import { authorize, type MonitoringOperation } from '../region.js';
import type { Statistic } from '../statistic.js';

const PAGE = 100;

export interface DescribeAlarmsForMetricRequest {
  readonly MetricName: string;
  readonly Namespace: string;
  readonly Statistic?: Statistic;
  readonly ExtendedStatistic?: string;
  readonly Dimensions?: readonly Dimension[];
  readonly Period?: number;
  readonly Unit?: Unit;
}

/**
 * Shows the alarms that watch one metric.
 *
 * @throws {@link MonitoringError} `AccessDenied`
 * @source Amazon CloudWatch API Reference, DescribeAlarmsForMetric
 */
export const describeAlarmsForMetric: MonitoringOperation<
  DescribeAlarmsForMetricRequest,
  { readonly MetricAlarms: readonly MetricAlarm[] }
> = async (call, request) => {
  authorize(call, 'DescribeAlarmsForMetric');
  const { alarms, home } = call.region;
  const wanted = metricKey({
    namespace: request.Namespace,
    name: request.MetricName,
    dimensions: request.Dimensions ?? [],
  });
  const found: MetricAlarm[] = [];
  if (request.ExtendedStatistic !== undefined) return { MetricAlarms: [] };
  for (let after = ''; ;) {
    const page = alarms.alarms(after, PAGE);
    for (const alarm of page) {
      const { statistic, periodSeconds, unit } = alarm.configuration;
      if (metricKey(metricOf(alarm.configuration)) !== wanted) continue;
      if (request.Statistic !== undefined && request.Statistic !== statistic) continue;
      if (request.Period !== undefined && request.Period !== periodSeconds) continue;
      if (request.Unit !== undefined && request.Unit !== unit) continue;
      found.push(alarmView(home, alarm));
    }
    const last = page.at(-1);
    if (last === undefined) return { MetricAlarms: found };
    after = last.name;
  }
};
