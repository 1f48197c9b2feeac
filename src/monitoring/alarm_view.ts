import { alarmArn, type Alarm, type AlarmState } from './alarm.js';
import type { KeyHome } from '../kms/key_id.js';
import type { Dimension } from './metric.js';

/** An alarm as the API shows it. */
export interface MetricAlarm {
  readonly AlarmName: string;
  readonly AlarmArn: string;
  readonly AlarmDescription?: string;
  readonly AlarmConfigurationUpdatedTimestamp: Date;
  readonly ActionsEnabled: boolean;
  readonly OKActions: readonly string[];
  readonly AlarmActions: readonly string[];
  readonly InsufficientDataActions: readonly string[];
  readonly StateValue: AlarmState;
  readonly StateReason: string;
  readonly StateReasonData?: string;
  readonly StateUpdatedTimestamp: Date;
  readonly StateTransitionedTimestamp: Date;
  readonly MetricName: string;
  readonly Namespace: string;
  readonly Statistic: 'SampleCount' | 'Average' | 'Sum' | 'Minimum' | 'Maximum';
  readonly Dimensions: readonly Dimension[];
  readonly Period: number;
  readonly Unit?: string;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm?: number;
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly TreatMissingData?: string;
}

/** Shows an alarm. */
export function alarmView(home: KeyHome, alarm: Alarm): MetricAlarm {
  const { name, configuration, standing } = alarm;
  const { description, unit, datapointsToAlarm, missingData } = configuration;
  return {
    AlarmName: name,
    AlarmArn: alarmArn(home, name),
    ...(description !== null && { AlarmDescription: description }),
    AlarmConfigurationUpdatedTimestamp: new Date(alarm.configuredMs),
    ActionsEnabled: configuration.actionsEnabled,
    OKActions: configuration.actions.OK,
    AlarmActions: configuration.actions.ALARM,
    InsufficientDataActions: configuration.actions.INSUFFICIENT_DATA,
    StateValue: standing.state,
    StateReason: standing.reason,
    ...(standing.reasonData !== null && { StateReasonData: standing.reasonData }),
    StateUpdatedTimestamp: new Date(standing.updatedMs),
    StateTransitionedTimestamp: new Date(standing.transitionedMs),
    MetricName: configuration.metricName,
    Namespace: configuration.namespace,
    Statistic: configuration.statistic,
    Dimensions: configuration.dimensions,
    Period: configuration.periodSeconds,
    ...(unit !== null && { Unit: unit }),
    EvaluationPeriods: configuration.evaluationPeriods,
    ...(datapointsToAlarm !== null && { DatapointsToAlarm: datapointsToAlarm }),
    Threshold: configuration.threshold,
    ComparisonOperator: configuration.comparison,
    ...(missingData !== null && { TreatMissingData: missingData }),
  };
}
