import type { AlarmConfiguration, AlarmState, Comparison } from './alarm.js';
import { datapointsToAlarm, type Evaluation } from './alarm_evaluation.js';
import { valueOf, type Datapoint } from './statistic.js';

/** Data points that a text names. */
const SHOWN_MAX = 5;
/** Bound of the text. @source Amazon CloudWatch API Reference, MetricAlarm */
const REASON_LENGTH_MAX = 1023;
/** Data points that the machine-readable reason lists, so that it stays under the API's 4,000 characters. */
const LISTED_MAX = 10;

/** Why an alarm is in a state, as a text and as JSON. */
export interface Reason {
  readonly text: string;
  /** JSON text. */
  readonly data: string;
}

/**
 * Words what an evaluation has found.
 *
 * @param queriedMs - when, by the region's clock
 * @source Amazon CloudWatch User Guide, alarm events and their reasons
 */
export function reasonOf(
  configuration: AlarmConfiguration,
  evaluation: Evaluation,
  state: AlarmState,
  queriedMs: number,
): Reason {
  return {
    text: reasonText(configuration, evaluation, state).slice(0, REASON_LENGTH_MAX),
    data: reasonData(configuration, evaluation, queriedMs),
  };
}

function reasonText(configuration: AlarmConfiguration, evaluation: Evaluation, state: AlarmState): string {
  const { evaluated, breachingCount, filledCount } = evaluation;
  const { evaluationPeriods, threshold, comparison, statistic } = configuration;
  if (state === 'INSUFFICIENT_DATA') {
    return `Insufficient Data: ${evaluationPeriods} ${evaluationPeriods === 1 ? 'datapoint was' : 'datapoints were'} unknown.`;
  }
  if (evaluated.length === 0) {
    const periods = evaluationPeriods === 1 ? '1 period' : `${evaluationPeriods} periods`;
    return `Threshold Crossed: no datapoints were received for ${periods} and ${treated(filledCount, state)}.`;
  }
  const isAlarm = state === 'ALARM';
  const count = isAlarm ? breachingCount : evaluated.length - breachingCount;
  const shown = evaluated
    .slice(0, SHOWN_MAX)
    .map((point) => `${decimal(valueOf(point, statistic))} (${shownTime(point.atMs)})`);
  const points = `[${shown.join(', ')}${evaluated.length > SHOWN_MAX ? ', …' : ''}]`;
  const verb = `${count === 1 ? 'was' : 'were'}${isAlarm ? '' : ' not'}`;
  const needed = isAlarm ? datapointsToAlarm(configuration) : evaluationPeriods - datapointsToAlarm(configuration) + 1;
  const from = isAlarm ? 'OK' : 'ALARM';
  const filled = filledCount > 0 && configuration.missingData === 'breaching' ? `, ${treated(filledCount, state)}` : '';
  return (
    `Threshold Crossed: ${count} out of the last ${evaluated.length} datapoints ${points} ${verb} ` +
    `${WORDS[comparison]} the threshold (${decimal(threshold)})${filled} ` +
    `(minimum ${needed} ${needed === 1 ? 'datapoint' : 'datapoints'} for ${from} -> ${state} transition).`
  );
}

const WORDS: Readonly<Record<Comparison, string>> = {
  GreaterThanOrEqualToThreshold: 'greater than or equal to',
  GreaterThanThreshold: 'greater than',
  LessThanThreshold: 'less than',
  LessThanOrEqualToThreshold: 'less than or equal to',
};

function treated(count: number, state: AlarmState): string {
  const points = count === 1 ? '1 missing datapoint was' : `${count} missing datapoints were`;
  return `${points} treated as [${state === 'ALARM' ? 'Breaching' : 'NonBreaching'}]`;
}

function reasonData(configuration: AlarmConfiguration, evaluation: Evaluation, queriedMs: number): string {
  const { statistic, periodSeconds, threshold, unit } = configuration;
  const oldest = evaluation.evaluated.at(-1);
  const listed = evaluation.evaluated.slice(0, LISTED_MAX);
  return JSON.stringify({
    version: '1.0',
    queryDate: offsetTime(queriedMs),
    ...(oldest !== undefined && { startDate: offsetTime(oldest.atMs) }),
    ...(unit !== null && { unit }),
    statistic,
    period: periodSeconds,
    recentDatapoints: listed.map((point) => valueOf(point, statistic)).toReversed(),
    threshold,
    evaluatedDatapoints: listed.map((point: Datapoint) => ({
      timestamp: offsetTime(point.atMs),
      sampleCount: point.sampleCount,
      value: valueOf(point, statistic),
    })),
  });
}

/** A number with a decimal point, as the service writes them. */
function decimal(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : String(value);
}

/** `21/11/26 09:30:00`. */
function shownTime(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  return `${day}/${month}/${year.slice(-2)} ${time.slice(0, 8)}`;
}

/** `2026-11-21T09:30:00.000+0000`. */
export function offsetTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+0000');
}
