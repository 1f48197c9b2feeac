import { callAws } from './api.js';
import type { CliCall } from './components/cli_command.js';

/** An event of a Region's trail. */
export interface AuditEvent {
  readonly id: string;
  readonly name: string;
  /** Since the epoch, by the Region's clock at that time. */
  readonly seconds: number;
  /** Who called; empty for what the Region did by itself. */
  readonly user: string;
  readonly isReadOnly: boolean;
  /** For example `AccessDeniedException`; empty where it succeeded. */
  readonly errorCode: string;
  /** ARNs of keys and aliases. */
  readonly resources: readonly string[];
  /** How far the clock was moved, milliseconds. */
  readonly clockOffsetMs: number;
  /** The whole record. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** Time ranges that end now; milliseconds. */
export const AUDIT_RANGES: Readonly<Record<string, { readonly label: string; readonly ms: number }>> = {
  '15m': { label: 'Last 15 minutes', ms: 900_000 },
  '1h': { label: 'Last hour', ms: 3_600_000 },
  '1d': { label: 'Last 24 hours', ms: 86_400_000 },
  '7d': { label: 'Last 7 days', ms: 7 * 86_400_000 },
};

/** Which events are shown; empty texts leave everything in. */
export interface AuditFilter {
  readonly name: string;
  readonly user: string;
  /** Key id, ARN or `alias/NAME`. */
  readonly key: string;
  readonly isErrorsOnly: boolean;
  /** A name of {@link AUDIT_RANGES}, `custom` for what `from` and `to` say, or empty. */
  readonly range: string;
  /** `2026-01-31T12:00`, UTC. */
  readonly from: string;
  readonly to: string;
  /** Anything that is in the record, whatever its case. */
  readonly text: string;
}

const TEXTS = ['name', 'user', 'key', 'range', 'from', 'to', 'text'] as const;

/** The filter that an address names. */
export function filterOf(query: URLSearchParams): AuditFilter {
  const texts = Object.fromEntries(TEXTS.map((name) => [name, query.get(name) ?? ''])) as Record<
    (typeof TEXTS)[number],
    string
  >;
  return { ...texts, isErrorsOnly: query.get('errors') === '1' };
}

/** The query that names a filter, with `?`; empty where nothing is filtered. */
export function queryOf(filter: AuditFilter, event = ''): string {
  const query = new URLSearchParams();
  for (const name of TEXTS) {
    if (filter[name] !== '' && (filter.range === 'custom' || !['from', 'to'].includes(name)))
      query.set(name, filter[name]);
  }
  if (filter.isErrorsOnly) query.set('errors', '1');
  if (event !== '') query.set('event', event);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

/** Events of one answer. @source AWS CloudTrail API Reference, LookupEvents: MaxResults */
const PAGE_EVENTS = 50;

/**
 * What is asked of CloudTrail for a filter. It takes one attribute: the one that leaves least; the rest is {@link matches}'s.
 *
 * @param nowMs - by the Region's clock
 */
export function lookupOf(region: string, filter: AuditFilter, nowMs: number): CliCall {
  const [AttributeKey, AttributeValue] =
    filter.key !== ''
      ? ['ResourceName', filter.key]
      : filter.name !== ''
        ? ['EventName', filter.name]
        : ['Username', filter.user];
  const range = AUDIT_RANGES[filter.range];
  const startMs = range === undefined ? customMs(filter, filter.from) : nowMs - range.ms;
  const endMs = range === undefined ? customMs(filter, filter.to) : undefined;
  return {
    region,
    service: 'cloudtrail',
    operation: 'LookupEvents',
    input: {
      ...(AttributeValue !== '' && { LookupAttributes: [{ AttributeKey, AttributeValue }] }),
      ...(startMs !== undefined && { StartTime: Math.floor(startMs / 1000) }),
      ...(endMs !== undefined && { EndTime: Math.floor(endMs / 1000) }),
      MaxResults: PAGE_EVENTS,
    },
  };
}

function customMs({ range }: AuditFilter, time: string): number | undefined {
  const ms = range === 'custom' && time !== '' ? Date.parse(`${time}Z`) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Whether an event is one that a filter asks for, of those that CloudTrail has answered for it. */
export function matches(event: AuditEvent, filter: AuditFilter): boolean {
  if (filter.name !== '' && event.name !== filter.name) return false;
  if (filter.user !== '' && event.user !== filter.user) return false;
  if (filter.isErrorsOnly && event.errorCode === '') return false;
  return filter.text === '' || JSON.stringify(event.record).toLowerCase().includes(filter.text.trim().toLowerCase());
}

interface LookedUp {
  readonly EventId: string;
  readonly EventName: string;
  readonly EventTime: number;
  readonly ReadOnly: string;
  readonly Username?: string;
  readonly CloudTrailEvent: string;
}

/** One page of events, the newest first. @throws {@link Refusal} */
export async function lookUp(
  call: CliCall,
  signal: AbortSignal,
  after?: string,
): Promise<{ readonly events: readonly AuditEvent[]; readonly next: string | undefined }> {
  const { Events, NextToken } = await callAws<{ readonly Events: readonly LookedUp[]; readonly NextToken?: string }>(
    { ...call, input: { ...call.input, ...(after !== undefined && { NextToken: after }) } },
    signal,
  );
  return { events: Events.map(eventOf), next: NextToken };
}

function eventOf({ EventId, EventName, EventTime, ReadOnly, Username = '', CloudTrailEvent }: LookedUp): AuditEvent {
  const record = JSON.parse(CloudTrailEvent) as AuditEvent['record'] & {
    readonly errorCode?: string;
    readonly resources?: readonly { readonly ARN: string }[];
    readonly additionalEventData?: { readonly clockOffsetMs?: number };
  };
  return {
    id: EventId,
    name: EventName,
    seconds: EventTime,
    user: Username,
    isReadOnly: ReadOnly === 'true',
    errorCode: record.errorCode ?? '',
    resources: record.resources?.map(({ ARN }) => ARN) ?? [],
    clockOffsetMs: record.additionalEventData?.clockOffsetMs ?? 0,
    record,
  };
}
