import { shortId } from '../../lab/demo_script.js';
import type { ObservedMessage } from '../../lab/observed_message.js';
import type { RegionEvent, TraceEntry } from '../../lab/trace_reader.js';
import type { Output } from './output.js';

/** What each message is, in a word. */
const NAMES: Readonly<Record<string, string>> = {
  M0: 'intent',
  M1: 'offer',
  M2: 'transfer',
  M3: 'confirm',
  M4: 'close',
  MX: 'abort',
  MQ: 'query',
  MS: 'status',
};

/** One line of a trace. */
export function describeEntry(entry: TraceEntry, colours: Output['colours']): string {
  const time = colours.dim(new Date(entry.atMs).toISOString().slice(11, 23));
  if (entry.where === 'region') return `${time} ${entry.region.padEnd(14)} ${describeEvent(entry.event, colours)}`;
  const { message, event } = entry;
  const what = message === null ? '' : ` ${describeMessage(message, colours)}`;
  const detail = entry.detail === null ? '' : ` ${colours.dim(entry.detail)}`;
  const verb = event === 'accepted' || event === 'acknowledged' ? event : colours.red(event);
  return `${time} ${'proxy'.padEnd(14)} ${verb}${what}${detail}`;
}

function describeMessage(message: ObservedMessage, colours: Output['colours']): string {
  const { label, issuer, destination, sid, kid, octets, verification } = message;
  const verdict = verification === 'ok' ? colours.green('verified') : colours.red(verification);
  return `${colours.bold(label)} ${NAMES[label] ?? ''} ${issuer ?? '?'} → ${destination ?? '?'}, ${octets} octets, session ${shortId(sid)}, RSK ${shortId(kid)}, ${verdict}`;
}

function describeEvent(event: RegionEvent, colours: Output['colours']): string {
  switch (event.kind) {
    case 'sent':
    case 'received': {
      const verdict = event.verification === 'ok' ? colours.green('verified') : colours.red(event.verification);
      const preposition = event.kind === 'sent' ? 'to' : 'from';
      return `${event.kind} ${colours.bold(event.label)} ${NAMES[event.label] ?? ''} ${preposition} ${event.peer ?? '?'}, ${event.octets} octets, ${verdict}`;
    }
    case 'token': {
      const how = [event.strategy, event.mechanism].filter((part) => part !== null).join(' by ');
      const outcome = event.outcome === 'ok' ? '' : ` ${colours.red(event.outcome)}`;
      return `token: ${event.step}${how === '' ? '' : ` (${how})`}, ${(event.microseconds / 1000).toFixed(1)} ms${outcome}`;
    }
    case 'session':
      return `session ${shortId(event.sid)} with ${event.peer} is ${event.state}${event.code === null ? '' : ` ${colours.red(event.code)}`}`;
    case 'audit':
      return `audit: ${event.code}${event.peer === null ? '' : ` ${event.peer}`}${event.strategy === null || event.strategy === undefined ? '' : `, ${event.strategy}`}${event.detail === '' ? '' : ` ${colours.dim(event.detail)}`}`;
  }
}
