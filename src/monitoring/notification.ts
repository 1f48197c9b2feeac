import type { KeyHome } from '../kms/key_id.js';
import { alarmArn, type Alarm, type AlarmStanding } from './alarm.js';
import { offsetTime } from './alarm_reason.js';

/** Bound of a subject. @source Amazon SNS API Reference, Publish */
const SUBJECT_LENGTH_MAX = 100;

/**
 * The notification of one change of an alarm's state, as Amazon SNS posts it to HTTP subscribers, but without a signature.
 *
 * @param change - the alarm as it is now, and the state that it had
 * @param message - its id, and the ARN of the topic where the action names one
 * @returns JSON text; `Message` in it is the alarm's own JSON text
 * @source Amazon SNS Developer Guide, "HTTP/HTTPS notification JSON format"; CloudWatch alarm messages
 */
export function notificationOf(
  home: KeyHome,
  change: { readonly alarm: Alarm; readonly old: AlarmStanding },
  message: { readonly id: string; readonly action: string },
): string {
  const { alarm, old } = change;
  const { configuration, standing } = alarm;
  const subject = `${standing.state}: "${alarm.name}" in ${home.region}`;
  return JSON.stringify({
    Type: 'Notification',
    MessageId: message.id,
    ...(message.action.startsWith('arn:') && { TopicArn: message.action }),
    Subject: subject.slice(0, SUBJECT_LENGTH_MAX),
    Message: JSON.stringify({
      AlarmName: alarm.name,
      AlarmDescription: configuration.description,
      AWSAccountId: home.account,
      AlarmConfigurationUpdatedTimestamp: offsetTime(alarm.configuredMs),
      NewStateValue: standing.state,
      NewStateReason: standing.reason,
      StateChangeTime: offsetTime(standing.transitionedMs),
      Region: home.region,
      AlarmArn: alarmArn(home, alarm.name),
      OldStateValue: old.state,
      OKActions: configuration.actions.OK,
      AlarmActions: configuration.actions.ALARM,
      InsufficientDataActions: configuration.actions.INSUFFICIENT_DATA,
      Trigger: {
        MetricName: configuration.metricName,
        Namespace: configuration.namespace,
        StatisticType: 'Statistic',
        Statistic: configuration.statistic.toUpperCase(),
        Unit: configuration.unit,
        Dimensions: configuration.dimensions.map(({ Name, Value }) => ({ value: Value, name: Name })),
        Period: configuration.periodSeconds,
        EvaluationPeriods: configuration.evaluationPeriods,
        ...(configuration.datapointsToAlarm !== null && { DatapointsToAlarm: configuration.datapointsToAlarm }),
        ComparisonOperator: configuration.comparison,
        Threshold: configuration.threshold,
        TreatMissingData: configuration.missingData ?? 'missing',
        EvaluateLowSampleCountPercentile: '',
      },
    }),
    Timestamp: new Date(standing.transitionedMs).toISOString(),
  });
}
