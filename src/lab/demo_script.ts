import type { TokenStep, TraceEvent } from '../replication/trace.js';
import type { ObservedMessage } from './observed_message.js';
import type { TraceEntry } from './trace_reader.js';

/** One fact of the demonstration: what it is about, and what was seen. */
export interface DemoFact {
  readonly about: string;
  readonly text: string;
  /** The same for programs: whole ids, octets, milliseconds. */
  readonly data?: Readonly<Record<string, string | number | null>>;
}

/** What has to happen at one place of the replication, and how it is told. */
export interface Beat {
  /** Title of the part that begins with it; absent for those that follow. */
  readonly title?: string;
  /** What is missing where it does not come. */
  readonly what: string;
  /** What is told of an entry; undefined where the entry is not this beat, null where it is and nothing is told. */
  readonly tell: (entry: TraceEntry) => DemoFact | null | undefined;
}

type TokenEvent = Extract<TraceEvent, { kind: 'token' }>;

/** The beginning of an id, enough to tell it from others. */
export function shortId(id: string | null): string {
  return id === null ? '-' : id.length <= 12 ? id : `${id.slice(0, 10)}…`;
}

/**
 * The replication of one key, beat by beat, in the order of the protocol.
 *
 * @source docs/PROTOCOL.md, the messages of a session
 */
export function replicationScript(source: string, destination: string): readonly Beat[] {
  return [
    {
      title: `Before: ${source} says what it is going to send`,
      ...inToken(source, 'sign', 'signs the intent with its RSK'),
    },
    message('M0', 'key id, metadata and roster epoch; no material yet'),
    {
      title: `Step 1: ${destination} makes RAKB in its token and sends its public half`,
      ...inToken(destination, 'generateAgreementKey', 'makes the ephemeral P-384 pair RAKB'),
    },
    inToken(destination, 'sign', 'signs RAKB’s public half with its RSK'),
    message('M1', 'RAKB’s public half'),
    {
      title: `Step 2: ${source} makes RAKA, derives RWK from RAKA and RAKB, and wraps the material`,
      ...inToken(source, 'generateAgreementKey', 'makes the ephemeral P-384 pair RAKA'),
    },
    inToken(source, 'agree', 'derives RWK, and a key for the confirmation'),
    inToken(source, 'wrap', 'wraps the material under RWK'),
    {
      title: `Step 3: ${source} sends RAKA’s public half and the wrapped material`,
      ...inToken(source, 'sign', 'signs both with its RSK'),
    },
    message('M2', 'RAKA’s public half and the wrapped material'),
    {
      title: `Step 4: ${destination} derives the same RWK from RAKB and RAKA`,
      ...inToken(destination, 'agree', 'derives RWK, and a key for the confirmation'),
    },
    {
      title: `Step 5: ${destination} unwraps the material inside its token`,
      ...inToken(destination, 'unwrap', 'unwraps; attributes and key material id checked there'),
    },
    session(destination, 'INSTALLED', 'the replica is Enabled'),
    {
      title: `After: ${destination} confirms what it installed`,
      ...inToken(destination, 'sign', 'signs the confirmation with its RSK'),
    },
    message('M3', 'what was installed, and a MAC under the key for the confirmation'),
    session(source, 'DONE', 'the replica is listed'),
    message('M4', 'done'),
    {
      what: `${destination} did not accept M4`,
      tell: (entry) =>
        entry.where === 'region' &&
        entry.region === destination &&
        entry.event.kind === 'received' &&
        entry.event.label === 'M4'
          ? null
          : undefined,
    },
  ];
}

/** What an entry says went wrong; undefined where nothing did. The proxy of the demonstration is an honest one. */
export function problemOf(entry: TraceEntry): string | undefined {
  if (entry.where === 'proxy') {
    const { message: seen } = entry;
    return seen === null || seen.verification === 'ok'
      ? undefined
      : `${seen.label} of ${seen.issuer ?? 'nobody'} does not verify: ${seen.verification}`;
  }
  const { region, event } = entry;
  switch (event.kind) {
    case 'token':
      return event.outcome === 'ok' ? undefined : `The token of ${region} failed to ${event.step}: ${event.outcome}`;
    case 'received':
      return event.verification === 'ok' ? undefined : `${region} refused ${event.label}: ${event.verification}`;
    case 'session':
      return event.code === null ? undefined : `The session in ${region} is ${event.state}: ${event.code}`;
    case 'sent':
    case 'audit':
      return undefined;
  }
}

function inToken(region: string, step: TokenStep, text: string): Beat {
  return {
    what: `the token of ${region} did not ${step}`,
    tell: (entry) => {
      if (entry.where !== 'region' || entry.region !== region) return undefined;
      if (entry.event.kind !== 'token' || entry.event.step !== step) return undefined;
      return tokenFact(region, entry.event, text);
    },
  };
}

function tokenFact(region: string, event: TokenEvent, text: string): DemoFact {
  const { step, strategy, mechanism, microseconds } = event;
  const milliseconds = Math.round(microseconds / 100) / 10;
  const how = mechanism === null ? '' : `: ${mechanism}`;
  return {
    about: `token of ${region}`,
    text: `${text}${how} (${milliseconds} ms)`,
    data: { step, strategy, mechanism, milliseconds },
  };
}

function message(label: string, content: string): Beat {
  return {
    what: `no ${label} crossed the proxy`,
    tell: (entry) =>
      entry.where === 'proxy' && entry.event === 'accepted' && entry.message?.label === label
        ? messageFact(entry.message, content)
        : undefined,
  };
}

function messageFact(seen: ObservedMessage, content: string): DemoFact {
  const { label, issuer, destination, octets, kid, sid, messageId } = seen;
  return {
    about: `${label} ${issuer ?? '?'} → ${destination ?? '?'}`,
    text: `${octets} octets, signature verified: ${content}`,
    data: { octets, kid, sid, messageId },
  };
}

function session(region: string, state: string, text: string): Beat {
  return {
    what: `the session in ${region} did not come to ${state}`,
    tell: (entry) =>
      entry.where === 'region' &&
      entry.region === region &&
      entry.event.kind === 'session' &&
      entry.event.state === state
        ? { about: region, text, data: { sid: entry.event.sid, state } }
        : undefined,
  };
}
