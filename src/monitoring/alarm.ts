import type { KeyHome } from '../kms/key_id.js';
import type { Dimension, MetricIdentity, Unit } from './metric.js';
import type { Statistic } from './statistic.js';

export const ALARM_STATES = ['OK', 'ALARM', 'INSUFFICIENT_DATA'] as const;

export type AlarmState = (typeof ALARM_STATES)[number];

/** Comparison with a threshold that stays as it was set. */
export const COMPARISONS = [
  'GreaterThanOrEqualToThreshold',
  'GreaterThanThreshold',
  'LessThanThreshold',
  'LessThanOrEqualToThreshold',
] as const;

export type Comparison = (typeof COMPARISONS)[number];

export const MISSING_DATA = ['breaching', 'notBreaching', 'ignore', 'missing'] as const;

export type MissingData = (typeof MISSING_DATA)[number];

export const HISTORY_TYPES = ['ConfigurationUpdate', 'StateUpdate', 'Action'] as const;

export type HistoryType = (typeof HISTORY_TYPES)[number];

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** What the owner of an alarm has set. */
export interface AlarmConfiguration {
  readonly description: string | null;
  readonly actionsEnabled: boolean;
  /** ARNs and URLs, at most 5 of each kind. */
  readonly actions: Readonly<Record<AlarmState, readonly string[]>>;
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: readonly Dimension[];
  readonly statistic: Statistic;
  readonly periodSeconds: number;
  readonly unit: Unit | null;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number | null;
  readonly threshold: number;
  readonly comparison: Comparison;
  readonly missingData: MissingData | null;
}

/** A state, why it is so, and since when. */
export interface AlarmStanding {
  readonly state: AlarmState;
  readonly reason: string;
  /** JSON text; null where there is nothing to tell. */
  readonly reasonData: string | null;
  /** When state or reason were written last. */
  readonly updatedMs: number;
  /** When the state became what it is. */
  readonly transitionedMs: number;
}

/** An alarm as it is stored. */
export interface Alarm {
  readonly name: string;
  readonly configuration: AlarmConfiguration;
  readonly configuredMs: number;
  readonly standing: AlarmStanding;
  readonly tags: readonly Tag[];
}

/** ARN of an alarm. */
export function alarmArn({ partition, region, account }: KeyHome, name: string): string {
  return `arn:${partition}:cloudwatch:${region}:${account}:alarm:${name}`;
}

/** The name in an alarm's ARN; undefined for anything that is no ARN of an alarm of this region. */
export function alarmNameIn(arn: string, home: KeyHome): string | undefined {
  const prefix = alarmArn(home, '');
  return arn.startsWith(prefix) && arn.length > prefix.length ? arn.slice(prefix.length) : undefined;
}

/** The metric that an alarm watches. */
export function metricOf({ namespace, metricName, dimensions }: AlarmConfiguration): MetricIdentity {
  return { namespace, name: metricName, dimensions };
}
