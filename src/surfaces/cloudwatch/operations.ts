import { ALARM_STATES, HISTORY_TYPES } from '../../monitoring/alarm.js';
import { UNITS } from '../../monitoring/metric.js';
import { disableAlarmActions, enableAlarmActions } from '../../monitoring/operations/alarm_actions.js';
import { deleteAlarms } from '../../monitoring/operations/delete_alarms.js';
import { describeAlarmHistory } from '../../monitoring/operations/describe_alarm_history.js';
import { describeAlarms } from '../../monitoring/operations/describe_alarms.js';
import { describeAlarmsForMetric } from '../../monitoring/operations/describe_alarms_for_metric.js';
import { getMetricData } from '../../monitoring/operations/get_metric_data.js';
import { getMetricStatistics } from '../../monitoring/operations/get_metric_statistics.js';
import { listMetrics } from '../../monitoring/operations/list_metrics.js';
import { putMetricAlarm } from '../../monitoring/operations/put_metric_alarm.js';
import { putMetricData } from '../../monitoring/operations/put_metric_data.js';
import { setAlarmState } from '../../monitoring/operations/set_alarm_state.js';
import { listTagsForResource, tagResource, untagResource } from '../../monitoring/operations/tags.js';
import type { MonitoringCall, MonitoringOperation } from '../../monitoring/region.js';
import { STATISTICS } from '../../monitoring/statistic.js';
import { readRequest, type Dialect } from './read.js';
import {
  boolean,
  integer,
  listOf,
  number,
  oneOf,
  structure,
  text,
  timestamp,
  type StructureShape,
  type Value,
} from './shape.js';

/** An operation that can be called over the wire. */
export interface WireOperation {
  readonly input: StructureShape;
  /** Null for one that answers nothing. */
  readonly output: StructureShape | null;
  /**
   * Reads a request and answers it.
   *
   * @param input - what the protocol's parser gave
   * @throws {@link ProtocolError}, {@link MonitoringError}
   */
  run(call: MonitoringCall, input: unknown, dialect: Dialect): Promise<object>;
}

function answering<I extends StructureShape, O extends StructureShape>(
  input: I,
  output: O,
  run: MonitoringOperation<Value<I>, Value<O>>,
): WireOperation {
  return { input, output, run: async (call, sent, dialect) => run(call, readRequest(input, sent, dialect)) };
}

function silent<I extends StructureShape>(input: I, run: MonitoringOperation<Value<I>, object>): WireOperation {
  return { input, output: null, run: async (call, sent, dialect) => run(call, readRequest(input, sent, dialect)) };
}

const INTEGER_MAX = 2 ** 31 - 1;
/** Texts and lists to which the API sets no bound have that of the request's body. */
const UNBOUNDED = INTEGER_MAX;

const alarmName = text(1, 255);
const alarmNames = listOf(alarmName, 100);
const anyText = text(0, UNBOUNDED);
const metricName = text(1, 255);
const namespace = text(1, 255, { expression: /^[^:][^]*$/, shown: '[^:].*' });
const unit = oneOf(UNITS);
const statistic = oneOf(STATISTICS);
const positive = integer(1, INTEGER_MAX);
const records = integer(1, 100);
const actions = listOf(text(1, 1024), 5);
const resource = text(1, 1024);
const alarmTypes = listOf(oneOf(['CompositeAlarm', 'LogAlarm', 'MetricAlarm']), UNBOUNDED);
const dimensions = listOf(structure({ Name: text(1, 255), Value: text(1, 1024) }, {}), 30);
const tags = listOf(structure({ Key: text(1, 128), Value: text(0, 256) }, {}), UNBOUNDED);
const metric = structure({}, { Namespace: namespace, MetricName: metricName, Dimensions: dimensions });
const nothing = structure({}, {});

const metricDataQueries = listOf(
  structure(
    { Id: text(1, 255) },
    {
      MetricStat: structure({ Metric: metric, Period: positive, Stat: anyText }, { Unit: unit }),
      Expression: text(1, 2048),
      Label: anyText,
      ReturnData: boolean,
      Period: positive,
      AccountId: text(1, 255),
    },
  ),
  UNBOUNDED,
);

const metricAlarms = listOf(
  structure(
    {
      AlarmName: anyText,
      AlarmArn: anyText,
      AlarmConfigurationUpdatedTimestamp: timestamp,
      ActionsEnabled: boolean,
      OKActions: listOf(anyText, 5),
      AlarmActions: listOf(anyText, 5),
      InsufficientDataActions: listOf(anyText, 5),
      StateValue: oneOf(ALARM_STATES),
      StateReason: anyText,
      StateUpdatedTimestamp: timestamp,
      StateTransitionedTimestamp: timestamp,
      MetricName: anyText,
      Namespace: anyText,
      Statistic: statistic,
      Dimensions: dimensions,
      Period: positive,
      EvaluationPeriods: positive,
      Threshold: number,
      ComparisonOperator: anyText,
    },
    {
      AlarmDescription: anyText,
      StateReasonData: anyText,
      Unit: anyText,
      DatapointsToAlarm: positive,
      TreatMissingData: anyText,
    },
  ),
  UNBOUNDED,
);

/**
 * Every operation of the CloudWatch API that is answered, by name.
 *
 * @source Amazon CloudWatch API Reference, version 2010-08-01
 */
export const OPERATIONS: ReadonlyMap<string, WireOperation> = new Map([
  ['DeleteAlarms', silent(structure({ AlarmNames: alarmNames }, {}), deleteAlarms)],
  [
    'DescribeAlarmHistory',
    answering(
      structure(
        {},
        {
          AlarmName: alarmName,
          AlarmContributorId: anyText,
          AlarmTypes: alarmTypes,
          HistoryItemType: oneOf(HISTORY_TYPES),
          StartDate: timestamp,
          EndDate: timestamp,
          MaxRecords: records,
          NextToken: anyText,
          ScanBy: oneOf(['TimestampDescending', 'TimestampAscending']),
        },
      ),
      structure(
        {
          AlarmHistoryItems: listOf(
            structure(
              {
                AlarmName: anyText,
                AlarmType: oneOf(['MetricAlarm']),
                Timestamp: timestamp,
                HistoryItemType: oneOf(HISTORY_TYPES),
                HistorySummary: anyText,
                HistoryData: anyText,
              },
              {},
            ),
            UNBOUNDED,
          ),
        },
        { NextToken: anyText },
      ),
      describeAlarmHistory,
    ),
  ],
  [
    'DescribeAlarms',
    answering(
      structure(
        {},
        {
          AlarmNames: alarmNames,
          AlarmNamePrefix: alarmName,
          AlarmTypes: alarmTypes,
          ChildrenOfAlarmName: alarmName,
          ParentsOfAlarmName: alarmName,
          StateValue: oneOf(ALARM_STATES),
          ActionPrefix: text(1, 1024),
          MaxRecords: records,
          NextToken: anyText,
        },
      ),
      structure({ CompositeAlarms: listOf(nothing, 0), MetricAlarms: metricAlarms }, { NextToken: anyText }),
      describeAlarms,
    ),
  ],
  [
    'DescribeAlarmsForMetric',
    answering(
      structure(
        { MetricName: metricName, Namespace: namespace },
        { Statistic: statistic, ExtendedStatistic: anyText, Dimensions: dimensions, Period: positive, Unit: unit },
      ),
      structure({ MetricAlarms: metricAlarms }, {}),
      describeAlarmsForMetric,
    ),
  ],
  ['DisableAlarmActions', silent(structure({ AlarmNames: alarmNames }, {}), disableAlarmActions)],
  ['EnableAlarmActions', silent(structure({ AlarmNames: alarmNames }, {}), enableAlarmActions)],
  [
    'GetMetricData',
    answering(
      structure(
        { MetricDataQueries: metricDataQueries, StartTime: timestamp, EndTime: timestamp },
        {
          NextToken: anyText,
          ScanBy: oneOf(['TimestampDescending', 'TimestampAscending']),
          MaxDatapoints: integer(-INTEGER_MAX, INTEGER_MAX),
          LabelOptions: nothing,
        },
      ),
      structure(
        {
          MetricDataResults: listOf(
            structure(
              {
                Id: anyText,
                Label: anyText,
                Timestamps: listOf(timestamp, UNBOUNDED),
                Values: listOf(number, UNBOUNDED),
                StatusCode: oneOf(['Complete', 'PartialData']),
              },
              {},
            ),
            UNBOUNDED,
          ),
        },
        { NextToken: anyText },
      ),
      getMetricData,
    ),
  ],
  [
    'GetMetricStatistics',
    answering(
      structure(
        {
          Namespace: namespace,
          MetricName: metricName,
          StartTime: timestamp,
          EndTime: timestamp,
          Period: positive,
        },
        {
          Dimensions: dimensions,
          Statistics: listOf(statistic, 5),
          ExtendedStatistics: listOf(anyText, 10),
          Unit: unit,
        },
      ),
      structure(
        {
          Label: anyText,
          Datapoints: listOf(
            structure(
              { Timestamp: timestamp, Unit: unit },
              { SampleCount: number, Average: number, Sum: number, Minimum: number, Maximum: number },
            ),
            UNBOUNDED,
          ),
        },
        {},
      ),
      getMetricStatistics,
    ),
  ],
  [
    'ListMetrics',
    answering(
      structure(
        {},
        {
          Namespace: namespace,
          MetricName: metricName,
          Dimensions: listOf(structure({ Name: text(1, 255) }, { Value: text(1, 1024) }), 10),
          NextToken: anyText,
          RecentlyActive: oneOf(['PT3H']),
          IncludeLinkedAccounts: boolean,
          OwningAccount: text(1, 255),
        },
      ),
      structure(
        {
          Metrics: listOf(
            structure({ Namespace: anyText, MetricName: anyText, Dimensions: dimensions }, {}),
            UNBOUNDED,
          ),
        },
        { NextToken: anyText },
      ),
      listMetrics,
    ),
  ],
  [
    'ListTagsForResource',
    answering(structure({ ResourceARN: resource }, {}), structure({ Tags: tags }, {}), listTagsForResource),
  ],
  [
    'PutMetricAlarm',
    silent(
      structure(
        { AlarmName: alarmName },
        {
          AlarmDescription: text(0, 1024),
          ActionsEnabled: boolean,
          OKActions: actions,
          AlarmActions: actions,
          InsufficientDataActions: actions,
          MetricName: metricName,
          Namespace: namespace,
          Statistic: statistic,
          ExtendedStatistic: anyText,
          Dimensions: dimensions,
          Period: positive,
          Unit: unit,
          EvaluationPeriods: positive,
          DatapointsToAlarm: positive,
          Threshold: number,
          ComparisonOperator: anyText,
          TreatMissingData: text(1, 255),
          EvaluateLowSampleCountPercentile: text(1, 255),
          ThresholdMetricId: text(1, 255),
          Metrics: metricDataQueries,
          EvaluationCriteria: nothing,
          EvaluationWindow: nothing,
          EvaluationInterval: positive,
          WarmUpConfiguration: nothing,
          ActionConfiguration: nothing,
          Tags: tags,
        },
      ),
      putMetricAlarm,
    ),
  ],
  [
    'PutMetricData',
    silent(
      structure(
        { Namespace: namespace },
        {
          MetricData: listOf(
            structure(
              { MetricName: metricName },
              {
                Dimensions: dimensions,
                Timestamp: timestamp,
                Value: number,
                StatisticValues: structure({ SampleCount: number, Sum: number, Minimum: number, Maximum: number }, {}),
                Values: listOf(number, UNBOUNDED),
                Counts: listOf(number, UNBOUNDED),
                Unit: unit,
                StorageResolution: positive,
              },
            ),
            UNBOUNDED,
          ),
          EntityMetricData: listOf(nothing, UNBOUNDED),
          StrictEntityValidation: boolean,
        },
      ),
      putMetricData,
    ),
  ],
  [
    'SetAlarmState',
    silent(
      structure(
        { AlarmName: alarmName, StateValue: oneOf(ALARM_STATES), StateReason: text(0, 1023) },
        { StateReasonData: text(0, 4000) },
      ),
      setAlarmState,
    ),
  ],
  ['TagResource', answering(structure({ ResourceARN: resource, Tags: tags }, {}), nothing, tagResource)],
  [
    'UntagResource',
    answering(
      structure({ ResourceARN: resource, TagKeys: listOf(text(1, 128), UNBOUNDED) }, {}),
      nothing,
      untagResource,
    ),
  ],
]);
