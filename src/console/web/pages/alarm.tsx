import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { callAws } from '../api.js';
import {
  conditionText,
  describeAlarm,
  EXPIRY_METRIC,
  listAlarmHistory,
  madeAt,
  MISSING_DATA,
  type AlarmHistoryItem,
  type MetricAlarm,
} from '../alarms.js';
import { Button } from '../components/button.js';
import type { ChartPoint } from '../chart_scale.js';
import { CliCommand, type CliCall } from '../components/cli_command.js';
import { Copyable } from '../components/copy_button.js';
import { Facts, PageHead, Panel } from '../components/facts.js';
import { Empty, Loaded } from '../components/states.js';
import { Table, type Column } from '../components/table.js';
import { timeText, Time } from '../components/time.js';
import { useEvery } from '../every.js';
import { regionNowMs } from '../lab.js';
import { useLive } from '../live.js';
import type { PageProps } from '../pages.js';
import { go, Link, pathOf } from '../router.js';
import { AlarmChart, RANGES, rangeSince, type ChartRange } from './alarm_chart.js';
import { DeleteAlarmsDialog } from './alarm_delete.js';
import { ALARM_REFRESH_MS, AlarmKey, AlarmStatus } from './alarms.js';

/** Data points of a chart at most; CloudWatch answers no more than 1,440 at once. */
const POINTS_MAX = 360;

/** What the page of an alarm is made of. */
interface AlarmView {
  readonly alarm: MetricAlarm;
  readonly history: readonly AlarmHistoryItem[];
  readonly points: readonly ChartPoint[];
  readonly rangeName: ChartRange;
  /** Milliseconds, by the Region's clock. */
  readonly range: { readonly fromMs: number; readonly toMs: number };
  readonly periodMs: number;
  readonly call: CliCall;
}

/** An alarm: its metric with the threshold and its states over time. */
export function AlarmPage({ params }: PageProps): JSX.Element {
  const { region = '', name = '' } = params;
  const [rangeName, setRange] = useState<ChartRange | undefined>(undefined);
  const [isDeleting, setDeleting] = useState(false);
  const live = useLive((signal) => loadAlarm(region, name, rangeName, signal), {
    inputs: [region, name, rangeName ?? ''],
    region,
  });
  useEvery(ALARM_REFRESH_MS, () => live.reload());
  return (
    <>
      <PageHead
        title={name}
        subtitle={
          live.value && (
            <>
              <AlarmStatus state={live.value.alarm.StateValue} /> {conditionText(live.value.alarm)}
            </>
          )
        }
        trail={<Link to={pathOf(region, 'alarms')}>Alarms</Link>}
        actions={
          <Button isDisabled={live.value === undefined || live.value === null} onClick={() => setDeleting(true)}>
            Delete
          </Button>
        }
      />
      <Loaded live={live} what={`the alarm ${name}`}>
        {(view) =>
          view === null ? (
            <Empty title={`There is no alarm ${name} in ${region}`}>
              <p>
                It was deleted, or is in another Region. <Link to={pathOf(region, 'alarms')}>See all alarms</Link>
              </p>
            </Empty>
          ) : (
            <>
              <AlarmChart {...view} onRange={setRange} />
              <AlarmFacts alarm={view.alarm} region={region} />
              <History history={view.history} />
            </>
          )
        }
      </Loaded>
      {isDeleting && (
        <DeleteAlarmsDialog
          region={region}
          names={[name]}
          onClose={() => setDeleting(false)}
          onDone={() => go(pathOf(region, 'alarms'))}
        />
      )}
    </>
  );
}

async function loadAlarm(
  region: string,
  name: string,
  chosen: ChartRange | undefined,
  signal: AbortSignal,
): Promise<AlarmView | null> {
  const alarm = await describeAlarm(region, name, signal);
  if (alarm === undefined) return null;
  const history = await listAlarmHistory(region, name, signal);
  const toMs = regionNowMs(region);
  const rangeName = chosen ?? rangeSince(toMs - madeAt(history) * 1000);
  const rangeMs = RANGES[rangeName].ms;
  const range = { fromMs: toMs - rangeMs, toMs };
  const rough = Math.max(alarm.Period, rangeMs / 1000 / POINTS_MAX);
  const period = Math.ceil(rough / 60) * 60;
  const { Namespace, MetricName, Dimensions, Statistic } = alarm;
  const call = {
    region,
    service: 'cloudwatch',
    operation: 'GetMetricStatistics',
    input: {
      Namespace,
      MetricName,
      Dimensions,
      Statistics: [Statistic],
      Period: period,
      StartTime: Math.floor(range.fromMs / 1000),
      // The minute that runs belongs to it.
      EndTime: Math.ceil(toMs / 1000) + 60,
    },
  } as const;
  const { Datapoints } = await callAws<{ readonly Datapoints: readonly Readonly<Record<string, number>>[] }>(
    call,
    signal,
  );
  const points = Datapoints.map((point) => ({
    ms: (point['Timestamp'] ?? 0) * 1000,
    value: point[Statistic] ?? 0,
  })).toSorted((one, other) => one.ms - other.ms);
  return { alarm, history, points, rangeName, range, periodMs: period * 1000, call };
}

function AlarmFacts({ alarm, region }: { readonly alarm: MetricAlarm; readonly region: string }): JSX.Element {
  const { StateReason, AlarmActions, TreatMissingData = 'missing' } = alarm;
  const isExpiry = alarm.MetricName === EXPIRY_METRIC.MetricName;
  return (
    <Panel title="Alarm">
      <Facts
        facts={[
          ['State', <AlarmStatus key="state" state={alarm.StateValue} />],
          ['Since', <Time key="since" seconds={alarm.StateTransitionedTimestamp} region={region} />],
          ['Why', StateReason],
          ['Metric', `${alarm.Namespace} ${alarm.MetricName}`],
          ['Key', <AlarmKey key="key" region={region} alarm={alarm} />],
          ['Condition', conditionText(alarm)],
          ['Missing data', MISSING_DATA[TreatMissingData] ?? TreatMissingData],
          ['Notified when it is raised', AlarmActions.join(', ')],
          ['ARN', <Copyable key="arn" text={alarm.AlarmArn} what="ARN" />],
          ['Description', alarm.AlarmDescription],
        ]}
      />
      {isExpiry && alarm.StateValue === 'ALARM' && alarm.ComparisonOperator.startsWith('Less') && (
        <p>
          Import the same material again with a later expiration date, in the tab <em>Key material</em> of the key.
        </p>
      )}
      <CliCommand
        calls={[
          { region, service: 'cloudwatch', operation: 'DescribeAlarms', input: { AlarmNames: [alarm.AlarmName] } },
        ]}
      />
    </Panel>
  );
}

const HISTORY: readonly Column<AlarmHistoryItem & { readonly at: number }>[] = [
  {
    id: 'time',
    title: 'Time',
    value: ({ Timestamp }) => Timestamp,
    cell: ({ Timestamp }) => <time>{timeText(Timestamp * 1000)}</time>,
  },
  { id: 'type', title: 'Kind', value: ({ HistoryItemType: type }) => type, cell: ({ HistoryItemType: type }) => type },
  {
    id: 'summary',
    title: 'What happened',
    isRowHeader: true,
    value: ({ HistorySummary }) => HistorySummary,
    cell: ({ HistorySummary }) => HistorySummary,
  },
];

function History({ history }: { readonly history: readonly AlarmHistoryItem[] }): JSX.Element {
  return (
    <Table
      label="History"
      rows={history.map((item, at) => ({ ...item, at: history.length - at }))}
      rowKey={({ at }) => String(at)}
      columns={HISTORY}
      empty={<Empty title="Nothing has happened yet" />}
    />
  );
}
