import type { JSX } from 'preact';
import { lookUp, type AuditEvent } from '../audit.js';
import { CliCommand, type CliCall } from '../components/cli_command.js';
import { CopyButton } from '../components/copy_button.js';
import { Dialog } from '../components/dialog.js';
import { Facts } from '../components/facts.js';
import { Empty, Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { Time } from '../components/time.js';
import { useLive } from '../live.js';

/** One event with its whole record. */
export function AuditEventDialog(props: {
  readonly region: string;
  readonly eventId: string;
  /** Where it was read already. */
  readonly known: AuditEvent | undefined;
  readonly onClose: () => void;
}): JSX.Element {
  const { region, eventId, known, onClose } = props;
  const call: CliCall = {
    region,
    service: 'cloudtrail',
    operation: 'LookupEvents',
    input: { LookupAttributes: [{ AttributeKey: 'EventId', AttributeValue: eventId }] },
  };
  // An address may name an event that lies further back than what was read.
  const live = useLive(async (signal) => known ?? (await lookUp(call, signal)).events[0] ?? null, {
    inputs: [region, eventId],
    region: null,
  });
  return (
    <Dialog title={`Event ${known?.name ?? live.value?.name ?? ''}`} onClose={onClose} isWide>
      <Loaded live={live} what="the event">
        {(event) =>
          event === null ? (
            <Empty title="There is no such event in this Region">
              <p>Choose another Region, or look for it in the table.</p>
            </Empty>
          ) : (
            <EventRecord event={event} region={region} />
          )
        }
      </Loaded>
      <CliCommand calls={[call]} />
    </Dialog>
  );
}

function EventRecord({ event, region }: { readonly event: AuditEvent; readonly region: string }): JSX.Element {
  const text = JSON.stringify(event.record, undefined, 2);
  const { errorMessage } = event.record as { readonly errorMessage?: string };
  return (
    <>
      <Facts
        facts={[
          ['Time', <Time key="time" seconds={event.seconds} region={region} />],
          ['User', event.user === '' ? 'AWS KMS itself' : event.user],
          [
            'Outcome',
            event.errorCode === '' ? (
              <Status key="outcome" tone="good">
                Success
              </Status>
            ) : (
              <Status key="outcome" tone="bad">
                {event.errorCode}
              </Status>
            ),
          ],
          ['Why', errorMessage],
        ]}
      />
      <div class="record">
        <CopyButton text={text} what="event" />
        <pre class="document" tabIndex={0} aria-label="Event as JSON">
          <code>{text}</code>
        </pre>
      </div>
    </>
  );
}
