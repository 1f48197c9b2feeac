import type { JSX } from 'preact';
import type { ValidationSummary } from '../../../lab/validation_form.js';
import { operate } from '../api.js';
import { PageHead, Panel } from '../components/facts.js';
import { ShellCommand } from '../components/shell_command.js';
import { Empty, Loaded } from '../components/states.js';
import { Status, type Tone } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { timeText } from '../components/time.js';
import { useLive } from '../live.js';
import type { PageProps } from '../pages.js';
import { Link, pathOf } from '../router.js';

const COMMAND = 'npx keyferry validate --module nss --scratch --report .keyferry/validation/nss';

const FLOWS: readonly (readonly [flow: string, title: string])[] = [
  ['replication', 'Replicates'],
  ['signing', 'Signs'],
  ['import', 'Imports'],
  ['operations', 'Operations'],
];

/** The verdict about a flow in a word, as the report has it. */
function answerOf({ verdicts }: ValidationSummary, flow: string): { readonly tone: Tone; readonly text: string } {
  const { answer, reservations } = verdicts.find((verdict) => verdict.flow === flow) ?? { answer: '', reservations: 0 };
  if (answer === 'no') return { tone: 'bad', text: 'no' };
  if (answer !== 'yes') return { tone: 'attention', text: 'not known' };
  return reservations === 0 ? { tone: 'good', text: 'yes' } : { tone: 'attention', text: 'with reservations' };
}

const COLUMNS: readonly Column<ValidationSummary>[] = [
  {
    id: 'name',
    title: 'Report',
    isRowHeader: true,
    value: ({ name }) => name,
    cell: ({ name, hasPage }) => (hasPage ? <Link to={pathOf('validation', name)}>{name}</Link> : name),
  },
  {
    id: 'token',
    title: 'Token',
    value: ({ manufacturer, model }) => `${manufacturer} ${model}`,
    cell: ({ manufacturer, model, libraryVersion }) => `${manufacturer} ${model}, library ${libraryVersion}`,
  },
  ...FLOWS.map(([flow, title]): Column<ValidationSummary> => ({
    id: flow,
    title,
    value: (report) => answerOf(report, flow).text,
    cell: (report) => {
      const { tone, text } = answerOf(report, flow);
      return <Status tone={tone}>{text}</Status>;
    },
  })),
  {
    id: 'findings',
    title: 'Findings',
    value: ({ findings }) => Object.values(findings).reduce((sum, count) => sum + count, 0),
    cell: ({ findings }) =>
      Object.entries(findings)
        .map(([severity, count]) => `${count} ${severity}`)
        .join(', ') || 'none',
  },
  {
    id: 'checks',
    title: 'Checks',
    isOptional: true,
    isNumber: true,
    value: ({ checks }) => checks,
    cell: ({ checks }) => checks,
  },
  {
    id: 'started',
    title: 'Run',
    value: ({ startedAt }) => startedAt,
    cell: ({ startedAt, isQuick, isComplete }) => (
      <>
        {timeText(Date.parse(startedAt))}
        {isQuick && <span class="quiet"> quick</span>}
        {!isComplete && <Status tone="attention">interrupted</Status>}
      </>
    ),
  },
];

/** Reports of `keyferry validate` that lie in the lab. */
export function ValidationPage(): JSX.Element {
  const live = useLive(
    (signal) => operate<{ readonly reports: readonly ValidationSummary[] }>('GET', 'validation', { signal }),
    { inputs: [] },
  );
  return (
    <>
      <PageHead
        title="Validation reports"
        subtitle="What keyferry validate found of PKCS#11 modules. Reports in the folder validation of the lab’s directory are listed here."
      />
      <Loaded live={live} what="the reports">
        {({ reports }) => (
          <Table
            label="Validation reports"
            rows={reports}
            rowKey={({ name }) => name}
            columns={COLUMNS}
            search="Find reports by name or token"
            empty={
              <Empty title="No module was validated into this lab yet">
                <p>Run this in the folder of the lab; a token of its own is made and removed again:</p>
                <ShellCommand text={COMMAND} />
              </Empty>
            }
          />
        )}
      </Loaded>
    </>
  );
}

/** One report: its own page, in a frame that may do nothing. */
export function ValidationReportPage({ params }: PageProps): JSX.Element {
  const name = params['name'] ?? '';
  const source = `/api/operator/validation/${encodeURIComponent(name)}`;
  return (
    <>
      <PageHead
        title={name}
        subtitle="The report as keyferry validate wrote it. It runs no script and loads nothing."
        trail={<Link to="/validation">Validation reports</Link>}
      />
      <Panel title="Report">
        <iframe class="report" src={source} title={`Validation report ${name}`} sandbox="" />
      </Panel>
    </>
  );
}
