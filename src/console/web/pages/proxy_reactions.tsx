import type { JSX } from 'preact';
import { operate } from '../api.js';
import { Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { timeText } from '../components/time.js';
import { useLive, useTrace } from '../live.js';
import { stateOf, type ReplicationSummary } from '../replication.js';
import { Link, pathOf } from '../router.js';

/** A line of a Region's security audit. */
interface SecurityRecord {
  readonly at: string;
  readonly region: string;
  readonly code: string;
  readonly peer: string | null;
  readonly sid: string | null;
  readonly detail: string;
}

const SHOWN_MAX = 8;

/** How the Regions took what the proxy did: replications that were disturbed, and what was refused. */
export function Reactions(): JSX.Element {
  const live = useLive(
    async (signal) => {
      const [{ replications }, { records }] = await Promise.all([
        operate<{ readonly replications: readonly ReplicationSummary[] }>('GET', 'replications', { signal }),
        operate<{ readonly records: readonly SecurityRecord[] }>('GET', 'security?last=300', { signal }),
      ]);
      return {
        disturbed: replications
          .filter(({ troubles, state }) => troubles > 0 || state === 'running')
          .slice(0, SHOWN_MAX),
        // States of sessions are lines too; what was refused has a code of its own.
        refused: records
          .filter(({ code }) => !code.startsWith('REPL_'))
          .toReversed()
          .slice(0, SHOWN_MAX),
      };
    },
    { inputs: [] },
  );
  useTrace(() => live.reload());
  return (
    <Panel title="What the Regions did about it">
      <Loaded live={live} what="the reactions">
        {({ disturbed, refused }) => (
          <div class="side-by-side">
            <section class="reactions" aria-label="Disturbed replications">
              <h3>Disturbed or running replications</h3>
              {disturbed.length === 0 && <p class="quiet">None. Replicate a key while the proxy misbehaves.</p>}
              <ul>
                {disturbed.map((each) => (
                  <li key={each.id}>
                    <Link to={pathOf('replications', each.id)}>
                      {each.source} → {each.destination}
                    </Link>{' '}
                    <Status tone={stateOf(each)[0]}>{stateOf(each)[1]}</Status>
                    <span class="how quiet">
                      {timeText(each.startedMs)}, {each.messages} messages, {each.troubles} disturbed
                    </span>
                  </li>
                ))}
              </ul>
            </section>
            <section class="reactions" aria-label="Refusals">
              <h3>Refusals in the security audit</h3>
              {refused.length === 0 && <p class="quiet">Nothing was refused.</p>}
              <ul>
                {refused.map(({ at, region, code, peer, detail }, index) => (
                  <li key={`${at} ${index}`}>
                    <Status tone="bad">{code}</Status> {region}
                    {peer !== null && <span class="quiet"> from {peer}</span>}
                    <span class="how quiet">
                      {timeText(Date.parse(at))}: {detail}
                    </span>
                  </li>
                ))}
              </ul>
            </section>
          </div>
        )}
      </Loaded>
    </Panel>
  );
}
