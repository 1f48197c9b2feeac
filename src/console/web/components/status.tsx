import type { JSX } from 'preact';
import { Icon, type IconName } from './icon.js';

/** What a state means to people: in order, on its way, needs somebody, broken, or nothing of these. */
export type Tone = 'good' | 'busy' | 'attention' | 'bad' | 'neutral';

const ICONS: Readonly<Record<Tone, IconName>> = {
  good: 'done',
  busy: 'waiting',
  attention: 'warning',
  bad: 'failure',
  neutral: 'off',
};

/** A state in a word; its picture and colour say the same. */
export function Status({ tone, children }: { readonly tone: Tone; readonly children: string }): JSX.Element {
  return (
    <span class={`status ${tone}`}>
      <Icon name={ICONS[tone]} />
      {children}
    </span>
  );
}

const KEY_STATES: Readonly<Record<string, readonly [Tone, string]>> = {
  Enabled: ['good', 'Enabled'],
  Disabled: ['neutral', 'Disabled'],
  Creating: ['busy', 'Creating'],
  Updating: ['busy', 'Updating'],
  PendingImport: ['attention', 'Pending import'],
  PendingDeletion: ['attention', 'Pending deletion'],
  PendingReplicaDeletion: ['attention', 'Pending replica deletion'],
  Unavailable: ['bad', 'Unavailable'],
};

/** The state of a KMS key, in the console's words. */
export function KeyStatus({ state }: { readonly state: string }): JSX.Element {
  const [tone, text] = KEY_STATES[state] ?? ['neutral', state];
  return <Status tone={tone}>{text}</Status>;
}

/** The state of a KMS key as text: for search and sorting. */
export function keyStateText(state: string): string {
  return KEY_STATES[state]?.[1] ?? state;
}
