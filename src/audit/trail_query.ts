import type { TrailEvent } from './trail_event.js';

/** By what events of a trail can be looked up. @source AWS CloudTrail API Reference, LookupAttribute */
export const TRAIL_ATTRIBUTES = [
  'EventId',
  'EventName',
  'ReadOnly',
  'Username',
  'ResourceType',
  'ResourceName',
  'EventSource',
  'AccessKeyId',
] as const;

export type TrailAttribute = (typeof TRAIL_ATTRIBUTES)[number];

/** Which events are looked for: all conditions hold. */
export interface TrailQuery {
  readonly attribute?: { readonly key: TrailAttribute; readonly value: string } | undefined;
  /** First second, milliseconds since the epoch, by the region's clock. */
  readonly startMs?: number | undefined;
  /** Last second. */
  readonly endMs?: number | undefined;
}

/** An event with the line that the trail has of it. */
export interface FoundEvent {
  readonly event: TrailEvent;
  /** JSON. */
  readonly text: string;
}

/** Some of the events that were looked for. */
export interface TrailPage {
  /** The one recorded last first. */
  readonly events: readonly FoundEvent[];
  /** Where to go on; null where nothing is left. A page may be empty though something is left. */
  readonly next: string | null;
}

/** Looks for events in a trail. */
export interface TrailSearch {
  /**
   * @param options.max - events of one page
   * @param options.after - `next` of the page before
   * @returns null where `after` is no place in the trail, or no longer
   */
  page(query: TrailQuery, options: { readonly max: number; readonly after: string | null }): Promise<TrailPage | null>;
}

/** What CloudTrail calls the one who caused an event; undefined for what the service did by itself. */
export function usernameOf({ userIdentity }: TrailEvent): string | undefined {
  if (!('type' in userIdentity)) return undefined;
  if (userIdentity.type === 'Root') return 'root';
  return userIdentity.userName ?? userIdentity.arn.split('/').at(-1);
}

/** The access key that signed an event's call. */
export function accessKeyOf({ userIdentity }: TrailEvent): string | undefined {
  return 'accessKeyId' in userIdentity ? userIdentity.accessKeyId : undefined;
}

/** Whether a name is that of a key or alias: an ARN, or what follows the account in one, with or without `key/`. */
export function isNameOf(arn: string, name: string): boolean {
  if (arn === name) return true;
  const resource = arn.slice(arn.lastIndexOf(':') + 1);
  return resource === name || resource === `key/${name}`;
}

/** Whether an event is one of those that are looked for. */
export function matchesQuery(event: TrailEvent, query: TrailQuery): boolean {
  return isWithin(event.eventTime, query) && (query.attribute === undefined || hasAttribute(event, query.attribute));
}

/** @param time - `eventTime`: whole seconds, so that the second in which a range begins belongs to it */
function isWithin(time: string, { startMs, endMs }: TrailQuery): boolean {
  const atMs = Date.parse(time);
  if (startMs !== undefined && atMs < Math.floor(startMs / 1000) * 1000) return false;
  return endMs === undefined || atMs <= endMs;
}

function hasAttribute(event: TrailEvent, { key, value }: NonNullable<TrailQuery['attribute']>): boolean {
  switch (key) {
    case 'EventId':
      return event.eventID === value;
    case 'EventName':
      return event.eventName === value;
    case 'ReadOnly':
      return String(event.readOnly) === value.toLowerCase();
    case 'Username':
      return usernameOf(event) === value;
    case 'ResourceType':
      return event.resources.some(({ type }) => type === value);
    case 'ResourceName':
      return event.resources.some(({ ARN }) => isNameOf(ARN, value));
    case 'EventSource':
      return event.eventSource === value;
    case 'AccessKeyId':
      return accessKeyOf(event) === value;
  }
}

/**
 * Octets that the line of every event with an attribute has in it: what has them not, need not be parsed. Undefined where there are
 * none to look for.
 */
export function octetsOf(attribute: TrailQuery['attribute']): Buffer | undefined {
  if (attribute === undefined) return undefined;
  const { key, value } = attribute;
  const text = JSON.stringify(value);
  switch (key) {
    case 'EventName':
      return Buffer.from(`"eventName":${text}`);
    case 'ReadOnly':
      return Buffer.from(`"readOnly":${value.toLowerCase()}`);
    // The root's name is in no line, and other names are the ends of ARNs.
    case 'Username':
      return value === 'root' ? undefined : Buffer.from(text.slice(1, -1));
    case 'ResourceName':
      return Buffer.from(text.slice(1, -1));
    default:
      return Buffer.from(text);
  }
}

const TIME_MEMBER = Buffer.from('"eventTime":"');
const TIME_LENGTH = '2026-01-31T12:00:00Z'.length;

/**
 * Whether the event of a line can be within a time range, without parsing it. Texts of callers cannot look like the member: their
 * quotation marks are escaped.
 */
export function mayBeWithin(octets: Buffer, query: TrailQuery): boolean {
  if (query.startMs === undefined && query.endMs === undefined) return true;
  const start = octets.indexOf(TIME_MEMBER) + TIME_MEMBER.length;
  return start < TIME_MEMBER.length || isWithin(octets.toString('latin1', start, start + TIME_LENGTH), query);
}

/** An event of a trail's line; undefined for one that a crash has cut. */
export function parseTrailLine(octets: Buffer): FoundEvent | undefined {
  const text = octets.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    // Nobody but the trail writes its file; a whole line of it is an event.
    if (typeof value === 'object' && value !== null && 'eventTime' in value)
      return { event: value as TrailEvent, text };
  } catch {
    // Half a line.
  }
  return undefined;
}
