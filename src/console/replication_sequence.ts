import type { TraceEntry } from '../lab/trace_reader.js';
import { readablePayload } from './readable_payload.js';
import type { ExchangeStep, MessageRow, SequenceRow } from './replication_form.js';

type ProxyEntry = Extract<TraceEntry, { where: 'proxy' }>;
type RegionEntry = Extract<TraceEntry, { where: 'region' }>;
type Mutable<Value> = { -readonly [Name in keyof Value]: Value[Name] };

/** A message that is being put together from what several places say of it. */
interface Draft extends Mutable<Omit<MessageRow, 'conduct' | 'received'>> {
  conduct: MessageRow['conduct'][number][];
  received: MessageRow['received'][number][];
}

/** Who is who in a replication; empty where it is not known yet. */
export interface Parties {
  readonly source: string;
  readonly destination: string;
}

const STEP_OF_MESSAGE: Readonly<Record<string, ExchangeStep>> = { M0: 0, M1: 1, M2: 3 };
/** What a token does on each side, by the step of the exchange that it belongs to. */
const STEP_OF_OPERATION: Readonly<Record<'source' | 'destination', Readonly<Record<string, ExchangeStep>>>> = {
  source: { generateAgreementKey: 2, agree: 2, wrap: 2 },
  destination: { generateAgreementKey: 1, agree: 4, unwrap: 5 },
};
/** How long after the proxy has delivered something a region may say what it thinks of it, milliseconds. */
const REACTION_MS = 30_000;

/**
 * Puts what happened in a replication into rows: each message once for each time that it was sent, with what its sender, the proxy and its
 * receiver say of it; the steps of tokens; the states of the session; and refusals.
 *
 * @param orphans - what regions refused, some of it without knowing of which replication it was
 */
export function sequenceOf(
  entries: readonly TraceEntry[],
  orphans: readonly RegionEntry[],
  parties: Parties,
): readonly SequenceRow[] {
  const drafts: Draft[] = [];
  const rows: SequenceRow[] = [];
  const inOrder = entries.toSorted((one, other) => timeOf(one) - timeOf(other));
  for (const entry of inOrder) {
    if (entry.where === 'proxy' && entry.event === 'accepted') drafts.push(draftOf(entry, parties));
  }
  for (const entry of inOrder) {
    if (entry.where === 'proxy') noteProxy(drafts, entry);
    else if (entry.event.kind === 'sent') noteSent(drafts, entry, parties);
    else if (entry.event.kind !== 'received') rows.push(...rowOf(entry, parties));
  }
  for (const entry of inOrder) {
    if (entry.where === 'region' && entry.event.kind === 'received') noteReceived(drafts, entry);
  }
  for (const draft of drafts) rows.push(...reactions(draft, orphans));
  return withSteps([...rows, ...drafts].toSorted((one, other) => one.atMs - other.atMs));
}

/** When it happened by the machine’s clock, milliseconds: clocks of regions may have been moved. */
export function timeOf(entry: TraceEntry): number {
  return entry.where === 'proxy' ? entry.atMs : entry.atMs - entry.offsetMs;
}

function draftOf({ atMs, number, message }: ProxyEntry, parties: Parties): Draft {
  const label = message?.label ?? '?';
  const from = message?.issuer ?? parties.source;
  return {
    kind: 'message',
    atMs,
    step: STEP_OF_MESSAGE[label] ?? 6,
    label,
    from,
    to: message?.destination ?? (from === parties.source ? parties.destination : parties.source),
    number,
    octets: message?.octets ?? 0,
    typ: message?.typ ?? null,
    kid: message?.kid ?? null,
    signer: message?.signer ?? null,
    messageId: message?.messageId ?? null,
    prev: message?.prev ?? null,
    verification: message?.verification ?? '?',
    payload: readablePayload(message?.payload ?? null),
    sentMs: null,
    acceptedMs: atMs,
    acknowledgedMs: null,
    conduct: [],
    received: [],
  };
}

function noteProxy(drafts: readonly Draft[], entry: ProxyEntry): void {
  const draft = drafts.find(({ number }) => number === entry.number);
  if (draft === undefined || entry.event === 'accepted') return;
  if (entry.event === 'acknowledged') draft.acknowledgedMs ??= entry.atMs;
  else {
    const verification = entry.event === 'altered' ? (entry.message?.verification ?? null) : null;
    draft.conduct.push({ atMs: entry.atMs, event: entry.event, detail: entry.detail, verification });
  }
}

function noteSent(drafts: Draft[], entry: RegionEntry, parties: Parties): void {
  const { event } = entry;
  if (event.kind !== 'sent') return;
  const atMs = timeOf(entry);
  const draft = drafts.find(({ messageId, sentMs }) => messageId === event.messageId && sentMs === null);
  if (draft !== undefined) {
    draft.sentMs = atMs;
    draft.atMs = Math.min(draft.atMs, atMs);
    return;
  }
  // The proxy is away, or has not said so yet.
  const { label, octets, kid, messageId, payload } = event;
  const prev = payload?.['prev'];
  drafts.push({
    kind: 'message',
    atMs,
    step: STEP_OF_MESSAGE[label] ?? 6,
    label,
    from: entry.region,
    to: event.peer ?? (entry.region === parties.source ? parties.destination : parties.source),
    number: null,
    octets,
    typ: null,
    kid,
    signer: { region: entry.region, epoch: '' },
    messageId,
    prev: typeof prev === 'string' ? prev : null,
    verification: event.verification,
    payload: readablePayload(payload),
    sentMs: atMs,
    acceptedMs: null,
    acknowledgedMs: null,
    conduct: [],
    received: [],
  });
}

/** The copy that came is the first one of this identity that was not received yet, or the last one where the proxy has repeated it. */
function noteReceived(drafts: readonly Draft[], entry: RegionEntry): void {
  if (entry.event.kind !== 'received') return;
  const { messageId, verification } = entry.event;
  const same = drafts.filter((draft) => draft.messageId === messageId && draft.to === entry.region);
  // A lost one did not come, and an altered one came with another identity.
  const delivered = same.filter(({ conduct }) => !conduct.some(({ event }) => event === 'lost' || event === 'altered'));
  const draft = delivered.find(({ received }) => received.length === 0) ?? delivered.at(-1) ?? same.at(-1);
  draft?.received.push({ atMs: timeOf(entry), verification });
}

/** What the destination did about a message that was altered on its way: it cannot say of which replication it was. */
function reactions(draft: Draft, orphans: readonly RegionEntry[]): readonly SequenceRow[] {
  const altered = draft.conduct.find(({ event }) => event === 'altered');
  if (altered === undefined) return [];
  const isNear = (entry: RegionEntry): boolean =>
    entry.region === draft.to && timeOf(entry) >= altered.atMs - 50 && timeOf(entry) < altered.atMs + REACTION_MS;
  const received = orphans.find(
    (entry) => entry.event.kind === 'received' && isNear(entry) && entry.event.octets === draft.octets,
  );
  if (received?.event.kind !== 'received') return [];
  const { verification } = received.event;
  draft.received.push({ atMs: timeOf(received), verification });
  const audit = orphans.find(
    (entry) => entry.event.kind === 'audit' && entry.event.code === verification && isNear(entry),
  );
  // One that names the session is there already.
  if (audit?.event.kind !== 'audit' || audit.event.sid !== null) return [];
  return rowOf(audit, { source: '', destination: '' });
}

function rowOf(entry: RegionEntry, { source }: Parties): readonly SequenceRow[] {
  const { event, region } = entry;
  const base = { atMs: timeOf(entry), region, step: 0 as ExchangeStep };
  switch (event.kind) {
    case 'token': {
      const { strategy, mechanism, microseconds, outcome } = event;
      const step = STEP_OF_OPERATION[region === source ? 'source' : 'destination'][event.step] ?? 0;
      return [{ ...base, kind: 'token', step, operation: event.step, strategy, mechanism, microseconds, outcome }];
    }
    case 'session':
      return [{ ...base, kind: 'state', code: event.state, detail: event.code ?? '' }];
    case 'audit':
      // Lines about states are said by the states themselves.
      if (event.code.startsWith('REPL_')) return [];
      return [{ ...base, kind: 'audit', code: event.code, detail: event.detail }];
    case 'sent':
    case 'received':
      return [];
  }
}

/** Gives rows that are no step by themselves the step that they happened in, and lets no row go back. */
function withSteps(rows: readonly SequenceRow[]): readonly SequenceRow[] {
  let current: ExchangeStep = 0;
  return rows.map((row) => {
    current = Math.max(current, row.step) as ExchangeStep;
    return { ...row, step: current };
  });
}
