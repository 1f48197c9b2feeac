import type { JSX } from 'preact';
import { operate } from '../api.js';
import { PageHead } from '../components/facts.js';
import { ShellCommand } from '../components/shell_command.js';
import { Empty, Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { timeText } from '../components/time.js';
import { lab, nowMs } from '../lab.js';
import { useLive, useTrace } from '../live.js';
import { shortDuration, stateOf, type ReplicationSummary } from '../replication.js';
import { Link, pathOf } from '../router.js';

const lasted = ({ startedMs, endedMs }: ReplicationSummary): number =>
  Math.max(0, (endedMs ?? nowMs.value) - startedMs);

const COLUMNS: readonly Column<ReplicationSummary>[] = [
  {
    id: 'started',
    title: 'Started',
    isRowHeader: true,
    value: ({ startedMs }) => startedMs,
    cell: ({ id, startedMs }) => <Link to={pathOf('replications', id)}>{timeText(startedMs)}</Link>,
  },
  {
    id: 'state',
    title: 'State',
    value: (row) => stateOf(row)[1],
    cell: (row) => {
      const [tone, text] = stateOf(row);
      return <Status tone={tone}>{text}</Status>;
    },
  },
  { id: 'from', title: 'From', value: ({ source }) => source, cell: ({ source }) => source },
  { id: 'to', title: 'To', value: ({ destination }) => destination, cell: ({ destination }) => destination },
  {
    id: 'keys',
    title: 'Keys',
    value: ({ keyIds }) => keyIds.join(' '),
    cell: ({ keyIds, source }) => (
      <span>
        {keyIds.slice(0, 1).map((keyId) => (
          <Link key={keyId} to={pathOf(source, 'keys', keyId)}>
            <code>{keyId}</code>
          </Link>
        ))}
        {keyIds.length > 1 && ` and ${keyIds.length - 1} more`}
      </span>
    ),
  },
  {
    id: 'lasted',
    title: 'Duration',
    isNumber: true,
    value: (row) => lasted(row),
    cell: (row) => shortDuration(lasted(row)),
  },
  { id: 'suite', title: 'Suite', value: ({ suite }) => suite ?? '', cell: ({ suite }) => suite ?? '–' },
  {
    id: 'messages',
    title: 'Messages',
    isOptional: true,
    isNumber: true,
    value: ({ messages }) => messages,
    cell: ({ messages }) => messages,
  },
  {
    id: 'troubles',
    title: 'Disturbed',
    isNumber: true,
    value: ({ troubles }) => troubles,
    cell: ({ troubles }) => troubles,
  },
];

/** The replications of the lab: those that run, and those of before. */
export function ReplicationsPage(): JSX.Element {
  const live = useLive(
    (signal) => operate<{ readonly replications: readonly ReplicationSummary[] }>('GET', 'replications', { signal }),
    { inputs: [], region: null },
  );
  useTrace(() => live.reload());
  return (
    <>
      <PageHead
        title="Replications"
        subtitle="Every time that a key went from one Region’s token to another’s, as the proxy and the Regions saw it."
      />
      <Loaded live={live} what="the replications">
        {({ replications }) => (
          <Table
            label="Replications"
            rows={replications}
            rowKey={({ id }) => id}
            columns={COLUMNS}
            search="Find replications by key ID, Region or state"
            empty={
              <Empty title="Nothing has been replicated yet">
                {lab.value?.profile === 'seed' ? (
                  <p>
                    In profile seed, messages say of no session to which they belong: see them with the command below.
                  </p>
                ) : (
                  <p>
                    Create a multi-Region key, and replicate it from its page, in the tab Regionality. It appears here
                    at once.
                  </p>
                )}
              </Empty>
            }
          />
        )}
      </Loaded>
      <ShellCommand text="npx keyferry trace --follow" />
    </>
  );
}
