import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { operate } from '../api.js';
import { useAttempt } from '../attempt.js';
import { Button } from '../components/button.js';
import { Dialog } from '../components/dialog.js';
import { PageHead, Panel } from '../components/facts.js';
import { SelectField, TextField } from '../components/form.js';
import { Notice } from '../components/notice.js';
import { ShellCommand } from '../components/shell_command.js';
import { Failure } from '../components/states.js';
import { durationText, RegionClock } from '../components/time.js';
import { tell } from '../components/toasts.js';
import { lab, refreshLab, regionNowMs } from '../lab.js';
import { WhatWasDue } from './clock_due.js';

const UNITS: Readonly<Record<string, { readonly ms: number; readonly name: string }>> = {
  s: { ms: 1_000, name: 'seconds' },
  m: { ms: 60_000, name: 'minutes' },
  h: { ms: 3_600_000, name: 'hours' },
  d: { ms: 86_400_000, name: 'days' },
};

/** Moves that people need: an expiry, a deletion's waiting period, a rotation. */
const PRESETS: readonly (readonly [text: string, label: string])[] = [
  ['1h', '1 hour'],
  ['24h', '1 day'],
  ['7d', '7 days'],
  ['30d', '30 days'],
  ['365d', '365 days'],
];

/** Milliseconds of `7d`; undefined for what is no duration. */
function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/u.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit]?.ms ?? 0);
  return ms > 0 && ms <= 36_500 * 86_400_000 ? ms : undefined;
}

/** Where the clocks of the Regions stood before they were moved, milliseconds. */
export type ClockReadings = Readonly<Record<string, number>>;

/** The time of the lab: what takes days happens at once. */
export function ClockPage(): JSX.Element {
  const [count, setCount] = useState('90');
  const [unit, setUnit] = useState('d');
  const [asked, setAsked] = useState<string | undefined>(undefined);
  const [before, setBefore] = useState<ClockReadings | undefined>(undefined);
  const regions = lab.value?.regions ?? [];
  const custom = `${count}${unit}`;
  const isCustom = durationMs(custom) !== undefined;
  const isMoved = Object.values(lab.value?.clockOffsetMs ?? {}).some((ms) => ms !== 0);
  return (
    <>
      <PageHead
        title="Clock"
        subtitle="The time of all Regions can be moved forward: expiry, deletion and rotation happen as if it had passed."
      />
      <Panel
        title="Time of the Regions"
        actions={
          <Button onClick={() => setAsked('reset')} isDisabled={!isMoved}>
            Back to the machine’s time
          </Button>
        }
      >
        <ul class="clocks">
          {regions.map((region) => (
            <li key={region}>
              <span>{region}</span> <RegionClock region={region} />
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title="Move the time forward">
        <div class="button-row" role="group" aria-label="By a usual time">
          {PRESETS.map(([text, label]) => (
            <Button key={text} onClick={() => setAsked(text)}>
              {label}
            </Button>
          ))}
        </div>
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (isCustom) setAsked(custom);
          }}
        >
          <TextField
            label="Another time"
            isRequired
            type="number"
            value={count}
            onInput={setCount}
            error={isCustom ? '' : 'A whole number, at most a hundred years'}
          />
          <SelectField
            label="Unit"
            isRequired
            value={unit}
            onInput={setUnit}
            choices={Object.entries(UNITS).map(([value, { name }]) => ({ value, label: name }))}
          />
          <Button type="submit" kind="primary" isDisabled={!isCustom}>
            Move forward
          </Button>
        </form>
      </Panel>
      <WhatWasDue before={before} />
      {asked !== undefined && (
        <MoveDialog
          move={asked}
          onDone={(readings) => {
            setBefore(readings);
            setAsked(undefined);
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
    </>
  );
}

/** Asks before the time is moved: what becomes due is not taken back. */
function MoveDialog(props: {
  readonly move: string;
  readonly onDone: (before: ClockReadings | undefined) => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { move, onDone, onClose } = props;
  const { isBusy, failure, attempt } = useAttempt();
  const ms = durationMs(move);
  const run = (): void => {
    const regions = lab.value?.regions ?? [];
    const before = Object.fromEntries(regions.map((region) => [region, regionNowMs(region)]));
    attempt(async () => {
      if (ms === undefined) await operate('DELETE', 'clock');
      else await operate('POST', 'clock', { body: { milliseconds: ms } });
      await refreshLab();
      tell({
        kind: 'done',
        title: ms === undefined ? 'The clocks show the machine’s time' : `Moved by ${durationText(ms)}`,
      });
      onDone(ms === undefined ? undefined : before);
    });
  };
  return (
    <Dialog
      title={ms === undefined ? 'Go back to the machine’s time' : `Move the time forward by ${durationText(ms)}`}
      confirm={ms === undefined ? 'Go back' : 'Move forward'}
      onConfirm={run}
      onClose={onClose}
      isBusy={isBusy}
      isDanger={ms !== undefined}
    >
      <Notice tone="attention">
        <p>
          {ms === undefined
            ? 'What has expired, was deleted or was rotated meanwhile stays so.'
            : 'Imported material that expires, keys whose deletion is scheduled and rotations that become due by then happen at once, in every Region. Moving the clock back does not undo them.'}
        </p>
      </Notice>
      {failure !== undefined && <Failure what="The clock was not moved everywhere" failure={failure} />}
      <ShellCommand text={`npx keyferry clock ${ms === undefined ? 'reset' : `advance ${move}`}`} />
    </Dialog>
  );
}
