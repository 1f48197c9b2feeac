import type { JSX } from 'preact';
import { operate } from '../api.js';
import { Copyable } from '../components/copy_button.js';
import { Facts, PageHead, Panel } from '../components/facts.js';
import { Notice } from '../components/notice.js';
import { ShellCommand } from '../components/shell_command.js';
import { Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { timeText } from '../components/time.js';
import { nowMs } from '../lab.js';
import { useLive, useTrace } from '../live.js';
import type { PageProps } from '../pages.js';
import { operationText, shortDuration, stateOf, type ReplicationDetail, type TokenRow } from '../replication.js';
import { Link, pathOf } from '../router.js';
import { Sequence } from './replication_sequence.js';

/** One replication, as a sequence diagram that grows while it runs. */
export function ReplicationPage({ params }: PageProps): JSX.Element {
  const id = params['id'] ?? '';
  const live = useLive(
    (signal) => operate<ReplicationDetail>('GET', `replication?id=${encodeURIComponent(id)}`, { signal }),
    { inputs: [id], region: null },
  );
  useTrace((changed) => changed.has(id) && live.reload());
  return (
    <>
      <PageHead title="Replication" trail={<Link to="/replications">Replications</Link>} />
      <Loaded live={live} what="the replication">
        {(found) => (
          <>
            <Overview replication={found} />
            <Strategies replication={found} />
            {!found.rows.some(({ kind }) => kind === 'token') && (
              <Notice>
                <p>
                  The proxy remembers the messages. What the tokens did is known only of replications since the Regions
                  were started.
                </p>
              </Notice>
            )}
            {found.isCut && (
              <Notice tone="attention">
                <p>More happened than is kept: what follows is the beginning of it.</p>
              </Notice>
            )}
            <Sequence replication={found} />
            {found.sid !== null && <ShellCommand text={`npx keyferry trace --sid ${found.sid}`} />}
          </>
        )}
      </Loaded>
    </>
  );
}

function Overview({ replication }: { readonly replication: ReplicationDetail }): JSX.Element {
  const { source, destination, keyIds, startedMs, endedMs, suite, sid, id, messages, troubles } = replication;
  const [tone, text] = stateOf(replication);
  return (
    <Panel title="Overview">
      <Facts
        facts={[
          [
            'State',
            <Status key="state" tone={tone}>
              {text}
            </Status>,
          ],
          ['From', source],
          ['To', destination],
          [
            'Keys',
            <ul key="keys">
              {keyIds.map((keyId) => (
                <li key={keyId}>
                  <Link to={pathOf(source, 'keys', keyId)}>
                    <code>{keyId}</code>
                  </Link>
                </li>
              ))}
            </ul>,
          ],
          ['Started', timeText(startedMs)],
          ['Duration', shortDuration(Math.max(0, (endedMs ?? nowMs.value) - startedMs))],
          ['Suite', suite],
          ['Messages', troubles === 0 ? String(messages) : `${messages}, disturbed by the proxy ${troubles} times`],
          ['Session', sid === null ? null : <Copyable key="sid" text={sid} what="session id" />],
          ['Identity of M0', <Copyable key="id" text={id} what="identity of M0" />],
        ]}
      />
    </Panel>
  );
}

/** By which strategy and mechanism each token has carried the material. */
function Strategies({ replication }: { readonly replication: ReplicationDetail }): JSX.Element {
  const { rows, source, destination } = replication;
  const carrying = rows.filter(
    (row): row is TokenRow =>
      row.kind === 'token' && ['generateAgreementKey', 'agree', 'wrap', 'unwrap'].includes(row.operation),
  );
  if (carrying.length === 0) return <></>;
  return (
    <Panel title="Strategies of the tokens">
      <div class="side-by-side">
        {[source, destination].map((region) => (
          <section key={region} aria-label={`Token of ${region}`} class="strategies">
            <h3>{region}</h3>
            <ul>
              {uniqueSteps(carrying.filter((row) => row.region === region)).map((row) => (
                <li key={row.operation}>
                  {operationText(row, source)}: <strong>{row.strategy ?? 'unknown'}</strong>
                  {row.mechanism !== null && <code class="mechanism">{row.mechanism}</code>}
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </Panel>
  );
}

/** Each operation once: a step that was done again was done in the same way. */
function uniqueSteps(rows: readonly TokenRow[]): readonly TokenRow[] {
  return [...new Map(rows.map((row) => [row.operation, row])).values()];
}
