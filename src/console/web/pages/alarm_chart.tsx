import type { JSX } from 'preact';
import {
  alarmState,
  COMPARISONS,
  isInSeconds,
  statesOver,
  type AlarmHistoryItem,
  type MetricAlarm,
} from '../alarms.js';
import { Chart } from '../chart.js';
import { durationScale, PLAIN_SCALE, type ChartPoint } from '../chart_scale.js';
import { CliCommand, type CliCall } from '../components/cli_command.js';
import { Panel } from '../components/facts.js';
import { timeText } from '../components/time.js';

/** How far back a chart shows; CloudWatch keeps two weeks here. */
export const RANGES = {
  hours: { label: '3 hours', ms: 3 * 3_600_000 },
  day: { label: '1 day', ms: 86_400_000 },
  week: { label: '1 week', ms: 7 * 86_400_000 },
  weeks: { label: '2 weeks', ms: 14 * 86_400_000 },
} as const;

export type ChartRange = keyof typeof RANGES;

const isRange = (name: string): name is ChartRange => Object.hasOwn(RANGES, name);

/** The shortest range that reaches back to a time; the longest where none does. */
export function rangeSince(agoMs: number): ChartRange {
  const names = Object.keys(RANGES).filter(isRange);
  return names.find((name) => RANGES[name].ms >= agoMs) ?? 'weeks';
}

/** Rows of the table that stands for the chart. */
const ROWS_MAX = 24;

/** The metric of an alarm with its threshold and states, and the same as tables. */
export function AlarmChart(props: {
  readonly alarm: MetricAlarm;
  readonly history: readonly AlarmHistoryItem[];
  readonly points: readonly ChartPoint[];
  readonly range: { readonly fromMs: number; readonly toMs: number };
  readonly periodMs: number;
  readonly call: CliCall;
  readonly rangeName: ChartRange;
  readonly onRange: (name: ChartRange) => void;
}): JSX.Element {
  const { alarm, history, points, range, periodMs, call, rangeName, onRange } = props;
  const { MetricName, Threshold, ComparisonOperator, Statistic, StateValue } = alarm;
  const largest = Math.max(Threshold, ...points.map(({ value }) => value));
  const scale = isInSeconds(MetricName) ? durationScale(largest) : PLAIN_SCALE;
  const states = statesOver(alarm, history, range);
  const sign = COMPARISONS[ComparisonOperator]?.sign ?? ComparisonOperator;
  const last = points.at(-1);
  const summary = [
    `${MetricName}, ${Statistic}, over ${RANGES[rangeName].label}.`,
    last === undefined ? 'There are no data points.' : `Now ${scale.text(last.value)}.`,
    `The alarm is raised at ${sign} ${scale.text(Threshold)}; it is ${alarmState(StateValue)[1]}.`,
  ].join(' ');
  const choose = (
    <label class="range-choice">
      <span>Time range</span>
      <select value={rangeName} onChange={({ currentTarget: { value } }) => isRange(value) && onRange(value)}>
        {Object.entries(RANGES).map(([name, { label }]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Panel title="Metric and state" actions={choose}>
      {points.length === 0 && (
        <p class="quiet">
          There are no data points: CloudWatch has them while the key has imported material that expires, and keeps them
          for two weeks.
        </p>
      )}
      <Chart
        summary={summary}
        points={points}
        gapMs={2.5 * periodMs}
        range={range}
        threshold={{ value: Threshold, label: `raised at ${sign} ${scale.text(Threshold)}` }}
        bands={states.map(({ state, fromMs, toMs }) => {
          const [tone, label] = alarmState(state);
          return { fromMs, toMs, label, tone };
        })}
        scale={scale}
      />
      <details class="more">
        <summary>The same as tables</summary>
        <div class="more-body chart-tables">
          <table aria-label="States">
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col">State</th>
              </tr>
            </thead>
            <tbody>
              {states.map(({ state, fromMs, toMs }) => (
                <tr key={fromMs}>
                  <th scope="row">{timeText(fromMs)}</th>
                  <td>{timeText(toMs)}</td>
                  <td>{alarmState(state)[1]}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <table aria-label="Data points">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">{Statistic}</th>
              </tr>
            </thead>
            <tbody>
              {thinned(points).map(({ ms, value }) => (
                <tr key={ms}>
                  <th scope="row">{timeText(ms)}</th>
                  <td>{scale.text(value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
      <CliCommand calls={[call]} />
    </Panel>
  );
}

/** The last point, and others at even distances: nobody reads hundreds. */
function thinned(points: readonly ChartPoint[]): readonly ChartPoint[] {
  const step = Math.ceil(points.length / ROWS_MAX);
  return points.filter((_, at) => (points.length - 1 - at) % step === 0).toReversed();
}
