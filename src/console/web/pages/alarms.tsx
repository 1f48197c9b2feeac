import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { alarmState, conditionText, keyOf, listAlarms, type MetricAlarm } from '../alarms.js';
import { CliCommand } from '../components/cli_command.js';
import { PageHead } from '../components/facts.js';
import { Menu } from '../components/menu.js';
import { Empty, Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { Time } from '../components/time.js';
import { useEvery } from '../every.js';
import { useLive } from '../live.js';
import type { PageProps } from '../pages.js';
import { Link, pathOf } from '../router.js';
import { DeleteAlarmsDialog } from './alarm_delete.js';

/** Alarms leave nothing in the trail that would tell of them: they are asked for again. */
export const ALARM_REFRESH_MS = 5_000;

/** The state of an alarm, in the console's words. */
export function AlarmStatus({ state }: { readonly state: string }): JSX.Element {
  const [tone, text] = alarmState(state);
  return <Status tone={tone}>{text}</Status>;
}

const columnsOf = (region: string): readonly Column<MetricAlarm>[] => [
  {
    id: 'name',
    title: 'Alarm',
    isRowHeader: true,
    value: ({ AlarmName }) => AlarmName,
    cell: ({ AlarmName }) => <Link to={pathOf(region, 'alarms', AlarmName)}>{AlarmName}</Link>,
  },
  {
    id: 'state',
    title: 'State',
    value: ({ StateValue }) => alarmState(StateValue)[1],
    cell: ({ StateValue }) => <AlarmStatus state={StateValue} />,
  },
  {
    id: 'since',
    title: 'Since',
    value: ({ StateTransitionedTimestamp: since }) => since,
    cell: ({ StateTransitionedTimestamp: since }) => <Time seconds={since} region={region} />,
  },
  {
    id: 'key',
    title: 'Key',
    value: (alarm) => keyOf(alarm) ?? '',
    cell: (alarm) => <AlarmKey region={region} alarm={alarm} />,
  },
  {
    id: 'metric',
    title: 'Metric',
    value: ({ MetricName }) => MetricName,
    cell: ({ MetricName }) => MetricName,
    isOptional: true,
  },
  { id: 'condition', title: 'Condition', value: conditionText, cell: conditionText },
];

/** A link to the key that an alarm watches. */
export function AlarmKey({ region, alarm }: { readonly region: string; readonly alarm: MetricAlarm }): JSX.Element {
  const keyId = keyOf(alarm);
  if (keyId === undefined) return <span class="quiet">–</span>;
  return (
    <Link to={pathOf(region, 'keys', keyId, 'material')}>
      <code>{keyId}</code>
    </Link>
  );
}

const NONE: ReadonlySet<string> = new Set();

/** All alarms of a Region. */
export function AlarmsPage({ params }: PageProps): JSX.Element {
  const region = params['region'] ?? '';
  const live = useLive((signal) => listAlarms(region, signal), { inputs: [region], region });
  useEvery(ALARM_REFRESH_MS, () => live.reload());
  const columns = useMemo(() => columnsOf(region), [region]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(NONE);
  const [isDeleting, setDeleting] = useState(false);
  return (
    <>
      <PageHead
        title="Alarms"
        subtitle={`What CloudWatch of ${region} watches: each alarm one metric, of one key. Times are those of its clock.`}
      />
      <Loaded live={live} what="the alarms">
        {(alarms) => (
          <>
            <Table
              key={region}
              label="Alarms"
              rows={alarms}
              rowKey={({ AlarmName }) => AlarmName}
              columns={columns}
              search="Find alarms by name, state or key"
              chosen={chosen}
              onChoose={setChosen}
              actions={
                <Menu
                  label="Alarm actions"
                  isDisabled={chosen.size === 0}
                  items={[{ id: 'delete', label: 'Delete', isDanger: true }]}
                  onChoose={() => setDeleting(true)}
                />
              }
              empty={
                <Empty title={`There are no alarms in ${region}`}>
                  <p>
                    Open a <Link to={pathOf(region, 'keys')}>key with imported material</Link> that expires, and create
                    one in its tab <em>Key material</em>.
                  </p>
                </Empty>
              }
            />
            <CliCommand calls={[{ region, service: 'cloudwatch', operation: 'DescribeAlarms', input: {} }]} />
          </>
        )}
      </Loaded>
      {isDeleting && (
        <DeleteAlarmsDialog
          region={region}
          names={[...chosen]}
          onClose={() => setDeleting(false)}
          onDone={() => {
            setChosen(NONE);
            live.reload();
          }}
        />
      )}
    </>
  );
}
