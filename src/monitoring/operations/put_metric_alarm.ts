import { LIMITS } from '../../limits.js';
import { actionTarget, type ActionRules } from '../action_target.js';
import { COMPARISONS, MISSING_DATA, type Alarm, type AlarmConfiguration, type AlarmState, type Tag } from '../alarm.js';
import { UNCHECKED } from '../alarm_watch.js';
import { checkedTags } from '../alarm_tags.js';
import { invalidCombination, MonitoringError, validationError } from '../errors.js';
import { sortedDimensions, type Dimension, type Unit } from '../metric.js';
import { authorize, type MonitoringOperation } from '../region.js';
import type { Statistic } from '../statistic.js';

const DAY_SECONDS = 24 * 60 * 60;
const HOUR_SECONDS = 60 * 60;
/** Periods shorter than a minute. @source Amazon CloudWatch API Reference, PutMetricAlarm */
const SHORT_PERIODS: readonly number[] = [10, 20, 30];

export interface PutMetricAlarmRequest {
  readonly AlarmName: string;
  readonly AlarmDescription?: string;
  readonly ActionsEnabled?: boolean;
  readonly OKActions?: readonly string[];
  readonly AlarmActions?: readonly string[];
  readonly InsufficientDataActions?: readonly string[];
  readonly MetricName?: string;
  readonly Namespace?: string;
  readonly Statistic?: Statistic;
  readonly ExtendedStatistic?: string;
  readonly Dimensions?: readonly Dimension[];
  readonly Period?: number;
  readonly Unit?: Unit;
  readonly EvaluationPeriods?: number;
  readonly DatapointsToAlarm?: number;
  readonly Threshold?: number;
  readonly ComparisonOperator?: string;
  readonly TreatMissingData?: string;
  readonly EvaluateLowSampleCountPercentile?: string;
  readonly ThresholdMetricId?: string;
  readonly Metrics?: readonly object[];
  readonly EvaluationCriteria?: object;
  readonly EvaluationWindow?: object;
  readonly EvaluationInterval?: number;
  readonly WarmUpConfiguration?: object;
  readonly ActionConfiguration?: object;
  readonly Tags?: readonly Tag[];
}

/**
 * Makes an alarm on one metric with a static threshold, or gives the alarm of that name another configuration. It is evaluated at once.
 *
 * @throws {@link MonitoringError} `ValidationError`, `InvalidParameterCombination`, `LimitExceeded`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, PutMetricAlarm
 */
export const putMetricAlarm: MonitoringOperation<PutMetricAlarmRequest, object> = async (call, request) => {
  const { region } = call;
  const configuration = configurationOf(request, region.actionRules);
  const tags = checkedTags([], request.Tags ?? []);
  authorize(call, 'PutMetricAlarm', request.AlarmName);
  const { alarms, clock, watch } = region;
  const nowMs = clock.nowMs();
  alarms.transaction(() => {
    const known = alarms.alarm(request.AlarmName);
    if (known === undefined && alarms.count() >= LIMITS.monitoringAlarmsMax) {
      throw new MonitoringError('LimitExceeded', `The maximum of ${LIMITS.monitoringAlarmsMax} alarms is reached.`);
    }
    const alarm: Alarm =
      known === undefined
        ? {
            name: request.AlarmName,
            configuration,
            configuredMs: nowMs,
            standing: {
              state: 'INSUFFICIENT_DATA',
              reason: UNCHECKED,
              reasonData: null,
              updatedMs: nowMs,
              transitionedMs: nowMs,
            },
            tags,
          }
        : { ...known, configuration, configuredMs: nowMs };
    alarms.put(alarm);
    const type = known === undefined ? 'Create' : 'Update';
    alarms.putHistory({
      alarmName: alarm.name,
      atMs: nowMs,
      type: 'ConfigurationUpdate',
      summary: `Alarm "${alarm.name}" ${known === undefined ? 'created' : 'updated'}`.slice(0, 255),
      data: JSON.stringify({
        version: '1.0',
        type,
        metric: configuration.metricName,
        threshold: configuration.threshold,
      }),
    });
    watch.evaluate(request.AlarmName);
  });
  watch.deliver();
  return {};
};

function configurationOf(request: PutMetricAlarmRequest, rules: ActionRules): AlarmConfiguration {
  refuseOtherKinds(request);
  const { MetricName, Namespace, Statistic, Period, EvaluationPeriods, Threshold } = request;
  if (MetricName === undefined) throw validationError('The parameter MetricName is required.');
  if (Namespace === undefined) throw validationError('The parameter Namespace is required.');
  if (Statistic === undefined)
    throw invalidCombination('Exactly one of Statistic and ExtendedStatistic must be specified.');
  if (Period === undefined) throw validationError('The parameter Period is required.');
  if (EvaluationPeriods === undefined) throw validationError('The parameter EvaluationPeriods is required.');
  if (Threshold === undefined || !Number.isFinite(Threshold)) {
    throw validationError('The parameter Threshold is required, and must be a finite number.');
  }
  checkPeriods(Period, EvaluationPeriods, request.DatapointsToAlarm);
  const comparison = COMPARISONS.find((candidate) => candidate === request.ComparisonOperator);
  if (comparison === undefined) {
    throw validationError(`The comparison operator must be one of ${COMPARISONS.join(', ')}.`);
  }
  const missingData = MISSING_DATA.find((candidate) => candidate === request.TreatMissingData);
  if (request.TreatMissingData !== undefined && missingData === undefined) {
    throw validationError(`The value of TreatMissingData must be one of ${MISSING_DATA.join(', ')}.`);
  }
  return {
    description: request.AlarmDescription ?? null,
    actionsEnabled: request.ActionsEnabled ?? true,
    actions: {
      OK: checkedActions('OK', request.OKActions, rules),
      ALARM: checkedActions('ALARM', request.AlarmActions, rules),
      INSUFFICIENT_DATA: checkedActions('INSUFFICIENT_DATA', request.InsufficientDataActions, rules),
    },
    namespace: Namespace,
    metricName: MetricName,
    dimensions: checkedDimensions(request.Dimensions ?? []),
    statistic: Statistic,
    periodSeconds: Period,
    unit: request.Unit ?? null,
    evaluationPeriods: EvaluationPeriods,
    datapointsToAlarm: request.DatapointsToAlarm ?? null,
    threshold: Threshold,
    comparison,
    missingData: missingData ?? null,
  };
}

/** Alarms on expressions, percentiles and anomalies are not made here. */
function refuseOtherKinds(request: PutMetricAlarmRequest): void {
  if (request.Metrics !== undefined && request.Metrics.length > 0) {
    throw validationError('Alarms on metric math expressions are not supported: name one metric.');
  }
  if (request.EvaluationCriteria !== undefined) {
    throw validationError('Alarms on queries are not supported: name one metric.');
  }
  for (const name of [
    'EvaluationWindow',
    'EvaluationInterval',
    'WarmUpConfiguration',
    'ActionConfiguration',
  ] as const) {
    if (request[name] !== undefined) throw validationError(`The parameter ${name} is not supported.`);
  }
  if (request.ThresholdMetricId !== undefined) throw validationError('Anomaly detection is not supported.');
  if (request.ExtendedStatistic !== undefined || request.EvaluateLowSampleCountPercentile !== undefined) {
    throw validationError('Extended statistics are not supported: use Statistic.');
  }
}

function checkPeriods(period: number, evaluationPeriods: number, datapoints: number | undefined): void {
  if (period % 60 !== 0 && !SHORT_PERIODS.includes(period)) {
    throw validationError('Period must be 10, 20, 30 or a multiple of 60.');
  }
  const seconds = period * evaluationPeriods;
  const [secondsMax, words] = period < HOUR_SECONDS ? [DAY_SECONDS, 'a day'] : [7 * DAY_SECONDS, 'seven days'];
  if (seconds > secondsMax) {
    throw validationError(
      `Metrics cannot be checked across more than ${words} (EvaluationPeriods * Period must be <= ${secondsMax}).`,
    );
  }
  if (datapoints !== undefined && datapoints > evaluationPeriods) {
    throw validationError('DatapointsToAlarm must be less than or equal to EvaluationPeriods.');
  }
}

function checkedActions(state: AlarmState, actions: readonly string[] = [], rules: ActionRules): readonly string[] {
  for (const action of actions) {
    const target = actionTarget(action, rules);
    if (target.kind === 'malformed') throw validationError(`Invalid arn syntax: ${action}`);
    if (target.kind === 'none' && !action.startsWith('arn:')) {
      throw validationError(`The ${state} action ${action} cannot be used: ${target.why}.`);
    }
  }
  return actions;
}

/**
 * The dimensions of a metric, by name.
 *
 * @throws {@link MonitoringError} `ValidationError` for a name that comes twice
 */
export function checkedDimensions(dimensions: readonly Dimension[]): readonly Dimension[] {
  if (new Set(dimensions.map(({ Name }) => Name)).size < dimensions.length) {
    throw validationError('No two dimensions may have the same name.');
  }
  return sortedDimensions(dimensions);
}
