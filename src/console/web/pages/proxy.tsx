import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { operate } from '../api.js';
import { Button, IconButton } from '../components/button.js';
import { PageHead, Panel } from '../components/facts.js';
import { Radios, SelectField, type Choice } from '../components/form.js';
import { Notice } from '../components/notice.js';
import { ShellCommand } from '../components/shell_command.js';
import { Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { tell, tellFailure } from '../components/toasts.js';
import { lab } from '../lab.js';
import type { Conduct, ProxyReport } from '../lab_status.js';
import { useLive, useTrace } from '../live.js';
import { ProxyNetwork } from './proxy_network.js';
import { Reactions } from './proxy_reactions.js';

const ACTIONS: readonly Choice[] = [
  { value: 'drop', label: 'Drop', hint: 'It is lost. Its sender sends it again after a while.' },
  { value: 'duplicate', label: 'Duplicate', hint: 'It comes twice. The second one is known already.' },
  { value: 'reorder', label: 'Reorder', hint: 'It waits until the next message to the same Region has overtaken it.' },
  { value: 'tamper', label: 'Tamper', hint: 'One letter is changed. The signature does not verify any more.' },
];

const PASSING: Conduct = { hold: [], next: [] };

/** The proxy's conduct, message by message and by Region, and how the Regions take it. */
export function ProxyPage(): JSX.Element {
  const live = useLive((signal) => operate<ProxyReport>('GET', 'proxy', { signal }), { inputs: [] });
  useTrace(() => live.reload());
  const change = async (conduct: Conduct, done: string): Promise<void> => {
    try {
      await operate('PUT', 'conduct', { body: conduct });
      tell({ kind: 'done', title: done, isBrief: true });
    } catch (error) {
      tellFailure('The proxy did not take it', error);
    }
    live.reload();
  };
  return (
    <>
      <PageHead
        title="Proxy"
        subtitle="It carries every message between Regions, holds no key and is trusted for nothing but delivery. Make it misbehave, and see what the Regions do."
      />
      <Loaded live={live} what="the proxy">
        {(proxy) => {
          const conduct = proxy.conduct ?? PASSING;
          return (
            <>
              <Destinations proxy={proxy} conduct={conduct} onChange={(next, done) => void change(next, done)} />
              <NextMessage conduct={conduct} onChange={(next, done) => void change(next, done)} />
              <ProxyNetwork mode={proxy.mode ?? 'honest'} onDone={() => live.reload()} />
              <ShellCommand text={commandOf(conduct)} />
            </>
          );
        }}
      </Loaded>
      <Reactions />
    </>
  );
}

interface Steering {
  readonly conduct: Conduct;
  readonly onChange: (conduct: Conduct, done: string) => void;
}

/** What waits for each Region, and whether it is held. */
function Destinations(props: Steering & { readonly proxy: ProxyReport }): JSX.Element {
  const { proxy, conduct, onChange } = props;
  const isPassing = conduct.hold.length === 0 && conduct.next.length === 0;
  const held = proxy.held ?? {};
  const isWaiting = Object.values(held).some((count) => count > 0);
  return (
    <Panel
      title="Messages by destination"
      actions={
        <Button onClick={() => onChange(PASSING, 'Everything passes')} isDisabled={isPassing && !isWaiting}>
          Let everything pass
        </Button>
      }
    >
      <ul class="destinations">
        {(lab.value?.regions ?? []).map((region) => {
          const isHeld = conduct.hold.includes(region);
          const waiting = proxy.waiting?.[region]?.messages ?? 0;
          const hold = isHeld ? conduct.hold.filter((name) => name !== region) : [...conduct.hold, region];
          return (
            <li key={region}>
              <strong>To {region}</strong>
              <Status tone={isHeld ? 'attention' : 'good'}>{isHeld ? 'Held' : 'Passing'}</Status>
              <span class="quiet">
                {waiting} waiting, {held[region] ?? 0} held
              </span>
              <Button
                isSmall
                onClick={() =>
                  onChange(
                    { ...conduct, hold },
                    isHeld ? `Messages to ${region} pass` : `Messages to ${region} are held`,
                  )
                }
              >
                {isHeld ? `Let messages to ${region} go` : `Hold messages to ${region}`}
              </Button>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

/** What is to be done to the next message. */
function NextMessage({ conduct, onChange }: Steering): JSX.Element {
  const [action, setAction] = useState('tamper');
  const [destination, setDestination] = useState('');
  const to = (name: string | null): string => (name === null ? 'any Region' : name);
  const order = { action, destination: destination === '' ? null : destination };
  return (
    <Panel title="The next message">
      <form
        class="next-message"
        onSubmit={(event) => {
          event.preventDefault();
          onChange(
            { ...conduct, next: [...conduct.next, order] },
            `It will ${action} the next message to ${to(order.destination)}`,
          );
        }}
      >
        <Radios label="What is done to it" value={action} onInput={setAction} choices={ACTIONS} />
        <div class="side-by-side">
          <SelectField
            label="Direction"
            isRequired
            value={destination}
            onInput={setDestination}
            choices={[
              { value: '', label: 'To any Region' },
              ...(lab.value?.regions ?? []).map((region) => ({ value: region, label: `To ${region}` })),
            ]}
          />
        </div>
        <div class="button-row">
          <Button type="submit" kind="primary">
            Do it to the next message
          </Button>
        </div>
      </form>
      {conduct.next.length > 0 && (
        <Notice tone="attention">
          <p>Ordered, and waiting for a message:</p>
          <ul class="orders" aria-label="Orders">
            {conduct.next.map((each, at) => (
              <li key={`${at} ${each.action}`}>
                {each.action} the next message to {to(each.destination)}
                <IconButton
                  icon="close"
                  label={`Cancel: ${each.action} the next message to ${to(each.destination)}`}
                  onClick={() =>
                    onChange({ ...conduct, next: conduct.next.filter((_, index) => index !== at) }, 'Cancelled')
                  }
                />
              </li>
            ))}
          </ul>
        </Notice>
      )}
    </Panel>
  );
}

/** What makes the proxy do the same from the command line. */
function commandOf({ hold, next }: Conduct): string {
  const options = [
    ...hold.map((region) => `--hold ${region}`),
    ...next.map(({ action, destination }) => `--next ${destination === null ? action : `${action}:${destination}`}`),
  ];
  return `npx keyferry proxy conduct ${options.length === 0 ? 'reset' : ['set', ...options].join(' ')}`;
}
