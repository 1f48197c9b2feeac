import type { JSX } from 'preact';
import { operate } from '../api.js';
import { Facts, PageHead, Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import { Status, type Tone } from '../components/status.js';
import { RegionClock } from '../components/time.js';
import { lab } from '../lab.js';
import type { LabStatus, Program, RegionReport } from '../lab_status.js';
import { useLive, useTrace } from '../live.js';
import { Link, pathOf } from '../router.js';
import { LabMap } from './lab_map.js';

/** The programs of the lab, its regions and their tokens, and what is wrong. */
export function LabPage(): JSX.Element {
  const live = useLive((signal) => operate<LabStatus>('GET', 'status', { signal }), { inputs: [] });
  useTrace(() => live.reload());
  return (
    <>
      <PageHead
        title="Regions and programs"
        subtitle={`Account ${lab.value?.account ?? ''}, ${lab.value?.endpoint ?? ''}`}
      />
      <Loaded live={live} what="the lab">
        {(status) => <LabView status={status} />}
      </Loaded>
    </>
  );
}

function LabView({ status }: { readonly status: LabStatus }): JSX.Element {
  const { programs, regions, proxy, problems } = status;
  return (
    <>
      <Panel title="Map">
        <div class="map-scroll">
          <LabMap status={status} />
        </div>
      </Panel>
      {problems.length > 0 && (
        <Panel title="What is not as it should be">
          <ul class="problems">
            {problems.map(({ about, problem, remedy }) => (
              <li key={`${about} ${problem}`}>
                <Status tone="attention">{about}</Status> {problem}
                {remedy !== null && <p class="quiet">{remedy}</p>}
              </li>
            ))}
          </ul>
        </Panel>
      )}
      <div class="cards">
        {Object.entries(regions).map(([name, report]) => (
          <RegionCard key={name} name={name} report={report} program={programs[`region ${name}`]} />
        ))}
        <Panel title="Proxy" actions={lab.value?.isLab === true && <Link to="/proxy">Its conduct</Link>}>
          <Facts
            facts={[
              ['Program', <ProgramStatus key="program" program={programs['proxy']} />],
              ['Conduct', proxy.mode],
              [
                'Waiting messages',
                String(Object.values(proxy.waiting ?? {}).reduce((sum, { messages }) => sum + messages, 0)),
              ],
              ['URL', programs['proxy']?.url],
            ]}
          />
        </Panel>
        <Panel title="Front door">
          <Facts
            facts={[
              ['Program', <ProgramStatus key="program" program={programs['front-door']} />],
              ['URL', programs['front-door']?.url],
            ]}
          />
        </Panel>
      </div>
    </>
  );
}

function RegionCard(props: {
  readonly name: string;
  readonly report: RegionReport;
  readonly program: Program | undefined;
}): JSX.Element {
  const { name, report, program } = props;
  const { hsm, replication } = report;
  return (
    <Panel title={name} actions={<Link to={pathOf(name, 'keys')}>Keys</Link>}>
      <Facts
        facts={[
          ['Program', <ProgramStatus key="program" program={program} />],
          [
            'Token',
            hsm === undefined ? (
              report.unavailable
            ) : (
              <Status key="token" tone={hsm.state === 'working' ? 'good' : 'attention'}>
                {hsm.state}
              </Status>
            ),
          ],
          [
            'Replication',
            replication === undefined ? undefined : `${replication.state}, roster epoch ${replication.epoch ?? '–'}`,
          ],
          [
            'Sessions',
            replication === undefined
              ? undefined
              : `${replication.outgoing.length} out, ${replication.incoming.length} in`,
          ],
          ['Suites', hsm?.suites.join(', ')],
          ['Time', <RegionClock key="clock" region={name} />],
          ['URL', program?.url],
        ]}
      />
    </Panel>
  );
}

function ProgramStatus({ program }: { readonly program: Program | undefined }): JSX.Element {
  const state = program?.state ?? 'unknown';
  const tones: Readonly<Record<string, Tone>> = { running: 'good', starting: 'busy' };
  const restarts = program === undefined || program.restarts === 0 ? '' : `, restarted ${program.restarts} times`;
  return <Status tone={tones[state] ?? 'bad'}>{state + restarts}</Status>;
}
