import type { JSX } from 'preact';
import type { StrategyReport, TokenReport } from '../../../lab/token_form.js';
import type { ValidationSummary } from '../../../lab/validation_form.js';
import { operate } from '../api.js';
import { Copyable } from '../components/copy_button.js';
import { Facts, PageHead, Panel } from '../components/facts.js';
import { ShellCommand } from '../components/shell_command.js';
import { Loaded } from '../components/states.js';
import { Status, type Tone } from '../components/status.js';
import { timeText } from '../components/time.js';
import { useLive } from '../live.js';
import type { LabStatus, RegionReport } from '../lab_status.js';
import { Link, pathOf } from '../router.js';

interface Answers {
  readonly tokens: Readonly<Record<string, TokenReport | null>>;
  readonly status: LabStatus;
  readonly reports: readonly ValidationSummary[];
}

const STATES: Readonly<Record<StrategyReport['state'], Tone>> = {
  chosen: 'good',
  available: 'neutral',
  missing: 'attention',
};

/** The token of each Region: what it is, what it can do, and how it is used. */
export function TokensPage(): JSX.Element {
  const live = useLive(
    async (signal): Promise<Answers> => {
      const [{ tokens }, status, { reports }] = await Promise.all([
        operate<Pick<Answers, 'tokens'>>('GET', 'tokens', { signal }),
        operate<LabStatus>('GET', 'status', { signal }),
        operate<Pick<Answers, 'reports'>>('GET', 'validation', { signal }),
      ]);
      return { tokens, status, reports };
    },
    { inputs: [] },
  );
  return (
    <>
      <PageHead
        title="Tokens"
        subtitle="Every key is made and used in its Region’s PKCS#11 token. What a token can do was found by doing it."
      />
      <Loaded live={live} what="the tokens">
        {({ tokens, status, reports }) =>
          Object.entries(tokens).map(([region, token]) => (
            <TokenPanel
              key={region}
              region={region}
              token={token}
              report={status.regions[region] ?? {}}
              validation={reports.find((each) => isAbout(each, token))}
            />
          ))
        }
      </Loaded>
    </>
  );
}

function isAbout(report: ValidationSummary, token: TokenReport | null): boolean {
  return (
    token !== null &&
    report.manufacturer === token.manufacturer &&
    report.model === token.model &&
    report.libraryVersion === token.libraryVersion &&
    report.firmwareVersion === token.firmwareVersion
  );
}

function TokenPanel(props: {
  readonly region: string;
  readonly token: TokenReport | null;
  readonly report: RegionReport;
  readonly validation: ValidationSummary | undefined;
}): JSX.Element {
  const { region, token, report, validation } = props;
  const { hsm } = report;
  return (
    <Panel title={region} actions={<Link to={pathOf(region, 'keys')}>Keys</Link>}>
      <Facts
        facts={[
          [
            'State',
            hsm === undefined ? (
              (report.unavailable ?? 'unknown')
            ) : (
              <Status key="state" tone={hsm.state === 'working' ? 'good' : 'attention'}>
                {hsm.state}
              </Status>
            ),
          ],
          ['Module', token?.module],
          ['Token', token === null ? 'not probed yet' : `${token.manufacturer} ${token.model}`],
          ['Label', token?.label],
          ['Serial number', token?.serial],
          ['Library', token?.libraryVersion],
          ['Firmware', token?.firmwareVersion],
          ['Cryptoki', token?.cryptokiVersion],
          ['Mechanisms', token === null ? undefined : String(token.mechanisms)],
          ['Sessions', token === null ? undefined : sessionsText(token.sessionCountMax)],
          ['Keys rest', hsm?.keyStorage === 'token' ? `in the token, ${hsm.tokenObjects ?? 0} objects` : 'wrapped'],
          ['Loaded keys', hsm?.loadedKeys === undefined ? undefined : String(hsm.loadedKeys)],
          ['Session keys alive', hsm?.ephemeralKeys === undefined ? undefined : String(hsm.ephemeralKeys)],
          ['Replication suites', hsm?.suites.join(', ')],
          ['Ciphertext suites', hsm?.dataSuites?.join(', ')],
          ['Fingerprint', hsm?.fingerprint],
          ['Signing keys (RSK)', hsm?.signingKeys?.map((kid) => <Copyable key={kid} text={kid} what="kid" />)],
          ['Probed', token === null ? undefined : timeText(token.probedAtMs)],
          [
            'Validation',
            validation === undefined ? (
              <Link key="validation" to="/validation">
                no report yet
              </Link>
            ) : (
              <Link key="validation" to={pathOf('validation', validation.name)}>
                {validation.name}, {validation.startedAt.slice(0, 10)}
              </Link>
            ),
          ],
        ]}
      />
      {token !== null && <Strategies region={region} strategies={token.strategies} />}
      <ShellCommand text={`npx keyferry token profile --region ${region}`} />
    </Panel>
  );
}

function sessionsText(max: number | null): string {
  return max === null || max === 0 ? 'no bound told' : `at most ${max}`;
}

/** What the token does by which strategy; those that are not chosen, and why, when asked for. */
function Strategies(props: { readonly region: string; readonly strategies: readonly StrategyReport[] }): JSX.Element {
  const { region, strategies } = props;
  const chosen = strategies.filter(({ state }) => state === 'chosen');
  const others = strategies.filter(({ state }) => state !== 'chosen');
  return (
    <>
      <StrategyTable label={`Strategies of the token of ${region}`} rows={chosen} />
      <details class="more">
        <summary>{others.length} strategies that are not chosen, and why</summary>
        <StrategyTable label={`Strategies that ${region} does not use`} rows={others} />
      </details>
    </>
  );
}

function StrategyTable({
  label,
  rows,
}: {
  readonly label: string;
  readonly rows: readonly StrategyReport[];
}): JSX.Element {
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={label}>
      <table class="wrapping">
        <caption class="unseen">{label}</caption>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Strategy</th>
            <th scope="col">State</th>
            <th scope="col">Suite</th>
            <th scope="col">How, or why not</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ job, jobTitle, strategy, state, suite, description, reason }) => (
            <tr key={`${job} ${strategy}`}>
              <td>{jobTitle}</td>
              <th scope="row">
                <code>{strategy}</code>
              </th>
              <td>
                <Status tone={STATES[state]}>{state}</Status>
              </td>
              <td>{suite === '' ? '–' : suite}</td>
              <td class="long">{reason === '' ? description : reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
