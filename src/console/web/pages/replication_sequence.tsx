import type { JSX } from 'preact';
import { Copyable } from '../components/copy_button.js';
import { Facts, Panel } from '../components/facts.js';
import { Icon } from '../components/icon.js';
import { Status, type Tone } from '../components/status.js';
import {
  clockText,
  fateOf,
  messageName,
  operationText,
  shortDuration,
  STEP_NUMBERS,
  STEPS,
  type ExchangeStep,
  type MessageRow,
  type NoteRow,
  type ReplicationDetail,
  type SequenceRow,
  type TokenRow,
} from '../replication.js';

/** Everything that happened in a replication: lanes for the source, the proxy and the destination, time downwards. */
export function Sequence({ replication }: { readonly replication: ReplicationDetail }): JSX.Element {
  const { source, destination, rows, state } = replication;
  const reached = rows.reduce<ExchangeStep>((step, row) => (row.step > step ? row.step : step), 0);
  return (
    <Panel title="Sequence">
      <ol class="progress" aria-label="Steps of the exchange">
        {STEP_NUMBERS.map((step) => (
          <li key={step} class={step < reached || state === 'done' ? 'past' : step === reached ? state : 'future'}>
            <span class="unseen">{STEPS[step].title}: </span>
            <span aria-hidden="true">{STEPS[step].short}</span>
            <span class="unseen">{stepWord(step, reached, state)}</span>
          </li>
        ))}
      </ol>
      <div class="lanes" aria-hidden="true">
        <span class="lane source">
          <small>Source</small> {source}
        </span>
        <span class="lane proxy">
          <small>Proxy</small> no key
        </span>
        <span class="lane destination">
          <small>Destination</small> {destination}
        </span>
      </div>
      {STEP_NUMBERS.filter((step) => step <= reached).map((step) => (
        <section key={step} class="exchange-step" aria-label={STEPS[step].title}>
          <h3>{STEPS[step].title}</h3>
          <ol>
            {rows
              .filter((row) => row.step === step)
              .map((row) => (
                <li key={keyOf(row)}>
                  <Row row={row} replication={replication} />
                </li>
              ))}
          </ol>
        </section>
      ))}
    </Panel>
  );
}

function stepWord(step: ExchangeStep, reached: ExchangeStep, state: ReplicationDetail['state']): string {
  if (step < reached || state === 'done') return 'done';
  if (step > reached) return 'not yet';
  return state === 'ended' ? 'ended here' : 'under way';
}

function keyOf(row: SequenceRow): string {
  if (row.kind === 'message') return `${row.messageId ?? ''} ${row.sentMs ?? row.number ?? ''}`;
  return `${row.kind} ${row.region} ${row.atMs} ${row.kind === 'token' ? row.operation + row.microseconds : row.code}`;
}

function Row({
  row,
  replication,
}: {
  readonly row: SequenceRow;
  readonly replication: ReplicationDetail;
}): JSX.Element {
  const { source, startedMs } = replication;
  if (row.kind === 'message')
    return <MessageArrow row={row} isFromSource={row.from === source} startedMs={startedMs} />;
  const lane = row.region === source ? 'source' : 'destination';
  return (
    <div class={`lane-note ${lane}`}>
      {row.kind === 'token' ? <TokenStep row={row} source={source} /> : <Note row={row} />}
    </div>
  );
}

function TokenStep({ row, source }: { readonly row: TokenRow; readonly source: string }): JSX.Element {
  const { region, strategy, mechanism, microseconds, outcome } = row;
  return (
    <div class={outcome === 'ok' ? 'token-step' : 'token-step failed'}>
      <span class="unseen">Token of {region}: </span>
      <span class="did">{operationText(row, source)}</span>{' '}
      <span class="quiet">{shortDuration(microseconds / 1000)}</span>
      {outcome !== 'ok' && <Status tone="bad">{outcome}</Status>}
      {strategy !== null && (
        <span class="how">
          {strategy}
          {mechanism !== null && <code>{mechanism}</code>}
        </span>
      )}
    </div>
  );
}

const GOOD_STATES = new Set(['DONE', 'INSTALLED']);

function Note({ row }: { readonly row: NoteRow }): JSX.Element {
  const tone: Tone = row.kind === 'audit' || row.detail !== '' ? 'bad' : GOOD_STATES.has(row.code) ? 'good' : 'neutral';
  return (
    <div class={row.kind === 'audit' ? 'note refusal' : 'note'}>
      <span class="unseen">{row.region}, </span>
      {row.kind === 'audit' && <span class="quiet">Security audit </span>}
      {row.kind === 'state' && <span class="quiet">Session </span>}
      <Status tone={tone}>{row.code}</Status>
      {row.detail !== '' && <span class="how">{row.detail}</span>}
    </div>
  );
}

/** A message on its way; it opens to what is in it. */
function MessageArrow(props: {
  readonly row: MessageRow;
  readonly isFromSource: boolean;
  readonly startedMs: number;
}): JSX.Element {
  const { row, isFromSource, startedMs } = props;
  const fate = fateOf(row);
  const isOver = row.received.length > 0 || row.acknowledgedMs !== null;
  const isStopped = row.conduct.some(({ event }) => event === 'lost');
  return (
    <details class="arrow-row">
      <summary>
        <span class="arrow-text">
          <Icon name="next" />
          <strong>{messageName(row.label)}</strong>
          <span class="unseen">
            from {row.from} to {row.to},
          </span>
          <span class="quiet">
            +{shortDuration(Math.max(0, row.atMs - startedMs))}, {row.octets.toLocaleString('en')} octets
          </span>
          <Status tone={fate.tone}>{fate.text}</Status>
        </span>
        <span class={`arrow ${isFromSource ? 'rightwards' : 'leftwards'}`} aria-hidden="true">
          <span class={`leg first ${row.acceptedMs === null ? 'pending' : 'passed'}`} />
          <span class={`dot ${fate.tone}`} />
          <span class={`leg second ${isStopped ? 'stopped' : isOver ? `passed ${fate.tone}` : 'pending'}`} />
        </span>
      </summary>
      <MessageContent row={row} />
    </details>
  );
}

const CONDUCT: Readonly<Record<string, string>> = {
  lost: 'lost it',
  held: 'held it back',
  released: 'let it go',
  altered: 'altered it',
  repeated: 'sent it twice',
};

function MessageContent({ row }: { readonly row: MessageRow }): JSX.Element {
  const { typ, kid, signer, verification, octets, messageId, prev, number, conduct, received, payload } = row;
  return (
    <div class="message-content">
      <Facts
        facts={[
          ['Type', typ === null ? undefined : <code key="typ">{typ}</code>],
          [
            'Signature',
            <Status key="verified" tone={verification === 'ok' ? 'good' : 'bad'}>
              {verification === 'ok' ? 'ES384, verified with the roster' : verification}
            </Status>,
          ],
          [
            'Signed by',
            signer === null
              ? 'nobody whom a roster lists'
              : `an RSK of ${signer.region}${signer.epoch === '' ? '' : `, roster epoch ${signer.epoch}`}`,
          ],
          ['Key of the signature (kid)', kid === null ? undefined : <Copyable key="kid" text={kid} what="kid" />],
          ['Identity', messageId === null ? undefined : <Copyable key="id" text={messageId} what="identity" />],
          ['Answers', prev === null ? undefined : <Copyable key="prev" text={prev} what="identity" />],
          ['Octets', octets.toLocaleString('en')],
          ['At the proxy', number === null ? 'not seen there' : `message ${number}`],
        ]}
      />
      <ol class="journey" aria-label="Its way">
        {journeyOf(row).map(([atMs, text, tone]) => (
          <li key={`${atMs} ${text}`}>
            <time>{clockText(atMs)}</time> <span class={`status ${tone}`}>{text}</span>
          </li>
        ))}
      </ol>
      {conduct.length === 0 && received.length === 0 && row.acknowledgedMs === null && (
        <p class="quiet">It has not been received yet.</p>
      )}
      <h4>Payload</h4>
      {payload === null ? (
        <p class="quiet">It cannot be read.</p>
      ) : (
        <pre class="document" tabIndex={0} aria-label={`Payload of ${messageName(row.label)}`}>
          <code>{JSON.stringify(payload, undefined, 2)}</code>
        </pre>
      )}
    </div>
  );
}

function journeyOf(row: MessageRow): readonly (readonly [number, string, Tone])[] {
  const steps: (readonly [number, string, Tone])[] = [];
  if (row.sentMs !== null) steps.push([row.sentMs, `${row.from} sent it`, 'neutral']);
  if (row.acceptedMs !== null) steps.push([row.acceptedMs, 'The proxy took it over', 'neutral']);
  for (const { atMs, event, detail, verification } of row.conduct) {
    const finding = verification === null ? '' : `; it would be refused: ${verification}`;
    const why = detail === null ? '' : ` (${detail})`;
    steps.push([
      atMs,
      `The proxy ${CONDUCT[event] ?? event}${why}${finding}`,
      event === 'released' ? 'neutral' : 'bad',
    ]);
  }
  for (const { atMs, verification } of row.received) {
    const verdict = verification === 'ok' ? 'verified and took it' : `refused it: ${verification}`;
    steps.push([atMs, `${row.to} ${verdict}`, verification === 'ok' ? 'good' : 'bad']);
  }
  if (row.acknowledgedMs !== null) {
    steps.push([row.acknowledgedMs, `${row.to} told the proxy that it has it`, 'neutral']);
  }
  return steps.toSorted(([one], [other]) => one - other);
}
