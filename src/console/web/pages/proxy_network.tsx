import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { operate } from '../api.js';
import { Button } from '../components/button.js';
import { Panel } from '../components/facts.js';
import { TextField } from '../components/form.js';
import { ShellCommand } from '../components/shell_command.js';
import { Status } from '../components/status.js';
import { tell, tellFailure } from '../components/toasts.js';

/** Percentages, and a delay in milliseconds, with what they mean. */
const FIELDS: readonly (readonly [name: string, label: string, max: number])[] = [
  ['drop', 'Lost (%)', 100],
  ['duplicate', 'Repeated (%)', 100],
  ['reorder', 'Reordered (%)', 100],
  ['tamper', 'Altered (%)', 100],
  ['replay', 'Old ones again (%)', 100],
  ['delayMsMax', 'Delayed by up to (ms)', 60_000],
];

const PROPOSED: Readonly<Record<string, string>> = {
  drop: '20',
  duplicate: '20',
  reorder: '20',
  tamper: '10',
  replay: '10',
  delayMsMax: '500',
};

/** A network that treats all messages badly by chance. */
export function ProxyNetwork({ mode, onDone }: { readonly mode: string; readonly onDone: () => void }): JSX.Element {
  const [values, setValues] = useState(PROPOSED);
  const isHonest = mode === 'honest';
  const isWrong = (name: string, max: number): boolean =>
    !/^\d+$/u.test(values[name] ?? '') || Number(values[name]) > max;
  const wrong = FIELDS.some(([name, , max]) => isWrong(name, max));
  const settings = Object.fromEntries(
    FIELDS.map(([name]) => [name, name === 'delayMsMax' ? Number(values[name]) : Number(values[name]) / 100]),
  );
  const hostile = { mode: 'hostile', ...settings };
  const change = async (body: object, done: string): Promise<void> => {
    try {
      await operate('PUT', 'proxy', { body });
      tell({ kind: 'done', title: done });
    } catch (error) {
      tellFailure('The proxy did not take it', error);
    }
    onDone();
  };
  return (
    <Panel
      title="All messages, by chance"
      actions={
        <Button isDisabled={isHonest} onClick={() => void change({ mode: 'honest' }, 'The network is honest again')}>
          Be honest
        </Button>
      }
    >
      <p>
        <Status tone={isHonest ? 'good' : 'attention'}>{isHonest ? 'Honest' : 'Hostile'}</Status>{' '}
        {!isHonest && <code>{mode}</code>}
      </p>
      <details class="more">
        <summary>Make the network hostile</summary>
        <form
          class="more-body"
          onSubmit={(event) => {
            event.preventDefault();
            if (!wrong) void change(hostile, 'The network is hostile');
          }}
        >
          <div class="side-by-side">
            {FIELDS.map(([name, label, max]) => (
              <TextField
                key={name}
                label={label}
                isRequired
                type="number"
                value={values[name] ?? ''}
                onInput={(value) => setValues({ ...values, [name]: value })}
                error={isWrong(name, max) ? `A whole number up to ${max.toLocaleString('en')}` : ''}
              />
            ))}
          </div>
          <div class="button-row">
            <Button type="submit" kind="danger" isDisabled={wrong}>
              Be hostile
            </Button>
          </div>
          <ShellCommand
            text={`curl --unix-socket .keyferry/proxy/admin.sock -X PUT http://proxy/mode -d '${JSON.stringify(hostile)}'`}
          />
        </form>
      </details>
    </Panel>
  );
}
