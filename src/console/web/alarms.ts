import { callAws } from './api.js';
import type { Tone } from './components/status.js';
import { durationText } from './components/time.js';

/** `MetricAlarm` of the CloudWatch API in JSON: times are seconds since the epoch. */
export interface MetricAlarm {
  readonly AlarmName: string;
  readonly AlarmArn: string;
  readonly AlarmDescription?: string;
  readonly AlarmActions: readonly string[];
  readonly StateValue: string;
  readonly StateReason: string;
  readonly StateTransitionedTimestamp: number;
  readonly AlarmConfigurationUpdatedTimestamp: number;
  readonly MetricName: string;
  readonly Namespace: string;
  readonly Statistic: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
  readonly Period: number;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm?: number;
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly TreatMissingData?: string;
}

/** `AlarmHistoryItem` of the CloudWatch API. */
export interface AlarmHistoryItem {
  readonly Timestamp: number;
  readonly HistoryItemType: string;
  readonly HistorySummary: string;
  /** JSON. */
  readonly HistoryData: string;
}

/** The metric of imported material that expires. @source AWS KMS Developer Guide, "Monitoring KMS keys with Amazon CloudWatch" */
export const EXPIRY_METRIC = { Namespace: 'AWS/KMS', MetricName: 'SecondsUntilKeyMaterialExpiration' } as const;

/** All alarms of a Region, by name. @throws {@link Refusal} */
export async function listAlarms(region: string, signal: AbortSignal): Promise<readonly MetricAlarm[]> {
  return (await allTokens<'MetricAlarms', MetricAlarm>(region, 'DescribeAlarms', 'MetricAlarms', {}, signal)).toSorted(
    (one, other) => one.AlarmName.localeCompare(other.AlarmName),
  );
}

/** An alarm by its name; undefined where there is none. @throws {@link Refusal} */
export async function describeAlarm(
  region: string,
  name: string,
  signal: AbortSignal,
): Promise<MetricAlarm | undefined> {
  const input = { AlarmNames: [name] };
  const call = { region, service: 'cloudwatch', operation: 'DescribeAlarms', input } as const;
  return (await callAws<{ readonly MetricAlarms: readonly MetricAlarm[] }>(call, signal)).MetricAlarms[0];
}

/** Alarms on the expiry of a key's material. @throws {@link Refusal} */
export async function listExpiryAlarms(
  region: string,
  keyId: string,
  signal: AbortSignal,
): Promise<readonly MetricAlarm[]> {
  const input = { ...EXPIRY_METRIC, Dimensions: [{ Name: 'KeyId', Value: keyId }] };
  const call = { region, service: 'cloudwatch', operation: 'DescribeAlarmsForMetric', input } as const;
  return (await callAws<{ readonly MetricAlarms: readonly MetricAlarm[] }>(call, signal)).MetricAlarms;
}

/** What is kept of an alarm's history, the newest first. @throws {@link Refusal} */
export function listAlarmHistory(
  region: string,
  name: string,
  signal: AbortSignal,
): Promise<readonly AlarmHistoryItem[]> {
  const input = { AlarmName: name };
  return allTokens<'AlarmHistoryItems', AlarmHistoryItem>(
    region,
    'DescribeAlarmHistory',
    'AlarmHistoryItems',
    input,
    signal,
  );
}

async function allTokens<Name extends string, Item>(
  region: string,
  operation: string,
  name: Name,
  input: object,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let token: string | undefined;
  do {
    const call = {
      region,
      service: 'cloudwatch',
      operation,
      input: { ...input, MaxRecords: 100, ...(token !== undefined && { NextToken: token }) },
    } as const;
    const page = await callAws<Readonly<Record<Name, readonly Item[]>> & { readonly NextToken?: string }>(call, signal);
    items.push(...page[name]);
    token = page.NextToken;
  } while (token !== undefined);
  return items;
}

const STATES: Readonly<Record<string, readonly [Tone, string]>> = {
  OK: ['good', 'OK'],
  ALARM: ['bad', 'In alarm'],
  INSUFFICIENT_DATA: ['neutral', 'Insufficient data'],
};

/** A state of an alarm in the console's words, and what it means to people. */
export function alarmState(state: string): readonly [Tone, string] {
  return STATES[state] ?? ['neutral', state];
}

/** Comparison operators of CloudWatch, in words and as signs. */
export const COMPARISONS: Readonly<Record<string, { readonly words: string; readonly sign: string }>> = {
  GreaterThanThreshold: { words: 'Greater', sign: '>' },
  GreaterThanOrEqualToThreshold: { words: 'Greater or equal', sign: '≥' },
  LessThanOrEqualToThreshold: { words: 'Lower or equal', sign: '≤' },
  LessThanThreshold: { words: 'Lower', sign: '<' },
};

/** Treatments of missing data by CloudWatch, in words. */
export const MISSING_DATA: Readonly<Record<string, string>> = {
  missing: 'As missing: the state becomes “insufficient data”',
  notBreaching: 'As good: within the threshold',
  breaching: 'As bad: beyond the threshold',
  ignore: 'Ignore it: the state stays',
};

/** Whether a metric is counted in seconds, so that people read durations. */
export function isInSeconds(metricName: string): boolean {
  return metricName.startsWith('SecondsUntil');
}

/** When an alarm is raised: `Minimum < 2,592,000 (30 d) for 1 of 1 data points of 1 min`. */
export function conditionText(alarm: MetricAlarm): string {
  const { Statistic, ComparisonOperator, Threshold, EvaluationPeriods, DatapointsToAlarm, Period } = alarm;
  const duration = isInSeconds(alarm.MetricName) && Threshold >= 60 ? ` s (${durationText(Threshold * 1000)})` : '';
  const points = `${DatapointsToAlarm ?? EvaluationPeriods} of ${EvaluationPeriods} data points`;
  return `${Statistic} ${COMPARISONS[ComparisonOperator]?.sign ?? ComparisonOperator} ${Threshold.toLocaleString('en')}${duration} for ${points} of ${durationText(Period * 1000)}`;
}

/** The key that an alarm watches; undefined where it watches something else. */
export function keyOf({ Dimensions }: MetricAlarm): string | undefined {
  return Dimensions.find(({ Name }) => Name === 'KeyId')?.Value;
}

/** A stretch of time in one state. */
export interface StateStretch {
  readonly state: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * When an alarm was made, seconds since the epoch; 0 where its history does not reach back so far. An earlier alarm of the same name has
 * left its history too.
 */
export function madeAt(history: readonly AlarmHistoryItem[]): number {
  const isMaking = ({ HistoryItemType: type, HistoryData: data }: AlarmHistoryItem): boolean =>
    type === 'ConfigurationUpdate' && (JSON.parse(data) as { readonly type?: string }).type === 'Create';
  return history.find(isMaking)?.Timestamp ?? 0;
}

/** The states of an alarm over a stretch of time, as its history tells of them. */
export function statesOver(
  alarm: MetricAlarm,
  history: readonly AlarmHistoryItem[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): readonly StateStretch[] {
  const madeMs = madeAt(history) * 1000;
  const changes = history
    .filter(({ HistoryItemType: type, Timestamp }) => type === 'StateUpdate' && Timestamp * 1000 >= madeMs)
    .map(({ Timestamp, HistoryData }) => {
      const { oldState, newState } = JSON.parse(HistoryData) as Readonly<
        Record<'oldState' | 'newState', { readonly stateValue: string }>
      >;
      return { atMs: Timestamp * 1000, before: oldState.stateValue, after: newState.stateValue };
    })
    .toSorted((one, other) => one.atMs - other.atMs);
  const found: StateStretch[] = [];
  let state = changes[0]?.before ?? alarm.StateValue;
  let beginMs = Math.max(fromMs, madeMs);
  for (const { atMs, after } of [...changes, { atMs: toMs, after: '' }]) {
    const endMs = Math.min(atMs, toMs);
    if (endMs > beginMs) found.push({ state, fromMs: beginMs, toMs: endMs });
    beginMs = Math.max(beginMs, endMs);
    state = after;
  }
  return found;
}
