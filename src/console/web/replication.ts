import type { ExchangeStep, MessageRow, ReplicationSummary, TokenRow } from '../replication_form.js';
import type { Tone } from './components/status.js';

export type {
  ExchangeStep,
  MessageRow,
  NoteRow,
  ReplicationDetail,
  ReplicationSummary,
  SequenceRow,
  TokenRow,
} from '../replication_form.js';

/** What each message is, in a word. @source docs/PROTOCOL.md section 4 */
const MESSAGES: Readonly<Record<string, string>> = {
  M0: 'Intent',
  M1: 'Offer',
  M2: 'Transfer',
  M3: 'Confirm',
  M4: 'Close',
  MX: 'Abort',
  MQ: 'Query',
  MS: 'Status',
};

/** The five steps of the exchange, with what goes before and behind. @source docs/PROTOCOL.md */
export const STEPS: Readonly<Record<ExchangeStep, { readonly short: string; readonly title: string }>> = {
  0: { short: 'M0', title: 'Before the steps: the source says what it wants to send (M0)' },
  1: { short: '1', title: 'Step 1: the destination makes RAKB and sends its public point (M1)' },
  2: { short: '2', title: 'Step 2: the source makes RAKA, derives RWK and wraps the key material' },
  3: { short: '3', title: 'Step 3: the source sends RAKA’s public point and the wrapped material (M2)' },
  4: { short: '4', title: 'Step 4: the destination derives the same RWK' },
  5: { short: '5', title: 'Step 5: the destination unwraps the material' },
  6: { short: 'M3, M4', title: 'After the steps: the destination confirms (M3), the source closes (M4)' },
};

/** All steps in order. */
export const STEP_NUMBERS: readonly ExchangeStep[] = [0, 1, 2, 3, 4, 5, 6];

/** `M1 Offer`. */
export function messageName(label: string): string {
  const name = MESSAGES[label];
  return name === undefined ? label : `${label} ${name}`;
}

const OPERATIONS: Readonly<Record<string, string>> = {
  random: 'Draws a nonce',
  sign: 'Signs the message with its RSK',
  agree: 'Derives RWK and KCK',
  wrap: 'Wraps the key material with RWK',
  unwrap: 'Unwraps the key material with RWK',
  confirm: 'Makes a key confirmation with KCK',
  release: 'Destroys the keys of the session',
};

/** What a token did, in words. */
export function operationText({ operation, region }: TokenRow, source: string): string {
  if (operation === 'generateAgreementKey') return region === source ? 'Makes RAKA' : 'Makes RAKB';
  return OPERATIONS[operation] ?? operation;
}

/** How a replication stands. */
export function stateOf({ state, code, isHandover }: ReplicationSummary): readonly [Tone, string] {
  if (state === 'running') return ['busy', 'Running'];
  if (state === 'done') return ['good', isHandover ? 'Primary changed' : 'Done'];
  return ['bad', `Ended: ${code ?? 'unknown'}`];
}

/** What became of a message between its sender and its receiver. */
export function fateOf({ conduct, acknowledgedMs, acceptedMs, received, verification }: MessageRow): {
  readonly tone: Tone;
  readonly text: string;
} {
  const did = (event: string): boolean => conduct.some((entry) => entry.event === event);
  const refusal = received.find((each) => each.verification !== 'ok');
  if (did('lost')) return { tone: 'bad', text: 'Lost at the proxy' };
  if (did('altered')) {
    return {
      tone: 'bad',
      text: refusal === undefined ? 'Altered at the proxy' : `Altered, refused: ${refusal.verification}`,
    };
  }
  if (refusal !== undefined) return { tone: 'bad', text: `Refused: ${refusal.verification}` };
  if (acceptedMs === null) return { tone: 'attention', text: 'Not at the proxy' };
  if (verification !== 'ok') return { tone: 'bad', text: verification };
  if (did('held') && !did('released') && acknowledgedMs === null)
    return { tone: 'attention', text: 'Held at the proxy' };
  if (did('repeated')) return { tone: 'attention', text: 'Repeated by the proxy' };
  if (received.length > 0) return { tone: 'good', text: 'Verified' };
  return acknowledgedMs === null ? { tone: 'busy', text: 'At the proxy' } : { tone: 'good', text: 'Received' };
}

/** `12.3 ms`, `4.1 s`. */
export function shortDuration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `01:46:22.253`. */
export function clockText(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}
