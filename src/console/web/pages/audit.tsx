import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { filterOf, lookupOf, queryOf, type AuditEvent, type AuditFilter } from '../audit.js';
import { useAuditStream, type AuditStream } from '../audit_stream.js';
import { Button } from '../components/button.js';
import { CliCommand } from '../components/cli_command.js';
import { PageHead } from '../components/facts.js';
import { Empty, Failure, Loading } from '../components/states.js';
import { Status } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { durationText, timeText } from '../components/time.js';
import { regionNowMs } from '../lab.js';
import type { PageProps } from '../pages.js';
import { go, Link, path, pathOf, query } from '../router.js';
import { AuditEventDialog } from './audit_event.js';
import { AuditFilters } from './audit_filters.js';

const columnsOf = (region: string, filter: AuditFilter): readonly Column<AuditEvent>[] => [
  {
    id: 'time',
    title: 'Time',
    value: ({ seconds }) => seconds,
    cell: ({ seconds, clockOffsetMs }) => (
      <>
        <time dateTime={new Date(seconds * 1000).toISOString()}>{timeText(seconds * 1000)}</time>
        {clockOffsetMs !== 0 && (
          <span class="quiet" title="The clock was moved">
            {' '}
            (+{durationText(clockOffsetMs)})
          </span>
        )}
      </>
    ),
  },
  {
    id: 'name',
    title: 'Event',
    isRowHeader: true,
    value: ({ name }) => name,
    cell: ({ id, name }) => <Link to={path.value + queryOf(filter, id)}>{name}</Link>,
  },
  {
    id: 'outcome',
    title: 'Outcome',
    value: ({ errorCode }) => errorCode,
    cell: ({ errorCode }) =>
      errorCode === '' ? <Status tone="good">Success</Status> : <Status tone="bad">{errorCode}</Status>,
  },
  {
    id: 'user',
    title: 'User',
    value: ({ user }) => user,
    cell: ({ user }) => (user === '' ? <span class="quiet">AWS KMS itself</span> : user),
  },
  {
    id: 'resource',
    title: 'Key or alias',
    value: ({ resources }) => resources.map(resourceText).join(' '),
    cell: ({ resources }) => <ResourceLink region={region} arn={resources[0]} more={resources.length - 1} />,
  },
  {
    id: 'source',
    title: 'Source address',
    value: ({ record }) => String(record['sourceIPAddress'] ?? ''),
    cell: ({ record }) => String(record['sourceIPAddress'] ?? ''),
    isOptional: true,
  },
  {
    id: 'kind',
    title: 'Kind',
    value: ({ isReadOnly }) => (isReadOnly ? 'Read' : 'Write'),
    cell: ({ isReadOnly }) => (isReadOnly ? 'Read' : 'Write'),
    isOptional: true,
  },
];

/** `key/1234…` or `alias/orders` of an ARN. */
function resourceText(arn: string): string {
  return arn.split(':').slice(5).join(':');
}

function ResourceLink(props: {
  readonly region: string;
  readonly arn: string | undefined;
  readonly more: number;
}): JSX.Element {
  const { region, arn, more } = props;
  if (arn === undefined) return <span class="quiet">–</span>;
  const text = resourceText(arn);
  const [kind, keyId = ''] = text.split('/');
  return (
    <>
      {kind === 'key' ? (
        <Link to={pathOf(region, 'keys', keyId)}>
          <code>{keyId}</code>
        </Link>
      ) : (
        <code>{text}</code>
      )}
      {more > 0 && <span class="quiet"> and {more} more</span>}
    </>
  );
}

/** The audit stream of a Region: what was called, by whom, and what came of it. */
export function AuditPage({ params }: PageProps): JSX.Element {
  const region = params['region'] ?? '';
  const address = query.value;
  const filter = useMemo(() => filterOf(address), [address]);
  const [isFollowing, setFollowing] = useState(true);
  const stream = useAuditStream(region, filter, isFollowing);
  const columns = useMemo(() => columnsOf(region, filter), [region, filter]);
  const chosen = address.get('event') ?? '';
  const show = (next: AuditFilter): void => go(pathOf(region, 'audit') + queryOf(next), { replace: true });
  const call = useMemo(() => lookupOf(region, filter, regionNowMs(region)), [region, filter]);
  return (
    <>
      <PageHead
        title="Audit events"
        subtitle={`What was asked of AWS KMS in ${region} and what it did by itself, as CloudTrail tells of it.`}
        actions={
          <>
            <Following stream={stream} isFollowing={isFollowing} />
            <Button
              onClick={() => {
                if (!isFollowing) stream.reload();
                setFollowing(!isFollowing);
              }}
            >
              {isFollowing ? 'Pause' : 'Follow live'}
            </Button>
          </>
        }
      />
      <AuditFilters filter={filter} names={[...new Set(stream.events.map(({ name }) => name))]} onFilter={show} />
      {stream.failure !== undefined && (
        <Failure what="Could not load the audit events" failure={stream.failure} onRetry={() => stream.reload()} />
      )}
      {stream.events.length === 0 && stream.isLoading && <Loading what="the audit events" />}
      {(stream.events.length > 0 || (!stream.isLoading && stream.failure === undefined)) && (
        <>
          <Table
            key={region}
            label="Audit events"
            rows={stream.events}
            rowKey={({ id }) => id}
            columns={columns}
            empty={
              <Empty title={stream.read === 0 ? 'There are no such events' : 'No event that was read matches'}>
                <p>
                  {queryOf(filter) === ''
                    ? 'Use a key, and the call is here a moment later.'
                    : 'Clear a filter, choose another time range or read further back.'}
                </p>
              </Empty>
            }
          />
          <EarlierEvents stream={stream} />
          <CliCommand calls={[call]} />
        </>
      )}
      {chosen !== '' && (
        <AuditEventDialog
          key={chosen}
          region={region}
          eventId={chosen}
          known={stream.events.find(({ id }) => id === chosen)}
          onClose={() => show(filter)}
        />
      )}
    </>
  );
}

function Following({
  stream,
  isFollowing,
}: {
  readonly stream: AuditStream;
  readonly isFollowing: boolean;
}): JSX.Element {
  if (!isFollowing) return <Status tone="neutral">Paused</Status>;
  return (
    <Status tone="busy">{stream.arrived === 0 ? 'Following live' : `Following live, ${stream.arrived} new`}</Status>
  );
}

function EarlierEvents({ stream }: { readonly stream: AuditStream }): JSX.Element {
  const { read, since, next, isLoading } = stream;
  return (
    <div class="earlier">
      <p class="quiet">
        {`${read.toLocaleString('en')} events were read`}
        {since !== undefined && `, back to ${timeText(since * 1000)}`}
        {next === undefined && ': there are no earlier ones'}
      </p>
      {next !== undefined && (
        <Button onClick={() => stream.readEarlier()} isBusy={isLoading}>
          Read earlier events
        </Button>
      )}
    </div>
  );
}
