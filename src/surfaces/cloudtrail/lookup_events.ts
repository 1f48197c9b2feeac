import { KeyferryError } from '../../errors.js';
import {
  accessKeyOf,
  TRAIL_ATTRIBUTES,
  usernameOf,
  type FoundEvent,
  type TrailAttribute,
  type TrailQuery,
  type TrailSearch,
} from '../../audit/trail_query.js';
import type { Decoded } from '../aws/shape.js';
import { integer, listOf, structure, text, timestamp } from '../aws/shape.js';

/** Exceptions of LookupEvents, and of the service before it. @source AWS CloudTrail API Reference, LookupEvents */
export type CloudTrailErrorCode =
  | 'AccessDeniedException'
  | 'InvalidEventCategoryException'
  | 'InvalidLookupAttributesException'
  | 'InvalidMaxResultsException'
  | 'InvalidNextTokenException'
  | 'InvalidTimeRangeException'
  | 'ThrottlingException'
  | 'UnsupportedOperationException';

/** A refusal by CloudTrail. */
export class CloudTrailError extends KeyferryError<CloudTrailErrorCode> {}

const RESULTS_MAX = 50;
/** Characters of a value; some count twice. @source AWS CloudTrail API Reference, LookupAttribute */
const VALUE_LENGTH_MAX = 2000;
const COUNTS_TWICE = /[_ ,\n]/g;
const INTEGER_MAX = 2 ** 31;

/** Members of a request. What they may be is checked below, in the words of this service. */
export const LOOKUP_EVENTS = structure({
  required: {},
  optional: {
    LookupAttributes: listOf(
      structure({ required: {}, optional: { AttributeKey: text(0, 100_000), AttributeValue: text(0, 100_000) } }),
      1000,
    ),
    StartTime: timestamp,
    EndTime: timestamp,
    EventCategory: text(0, 100_000),
    MaxResults: integer(-INTEGER_MAX, INTEGER_MAX),
    NextToken: text(0, 100_000),
  },
});

export type LookupEventsRequest = Decoded<typeof LOOKUP_EVENTS>;

/** One event as LookupEvents shows it. */
export interface LookedUpEvent {
  readonly EventId: string;
  readonly EventName: string;
  /** `true` or `false`. */
  readonly ReadOnly: string;
  readonly AccessKeyId?: string;
  readonly EventTime: Date;
  readonly EventSource: string;
  readonly Username?: string;
  readonly Resources: readonly { readonly ResourceType: string; readonly ResourceName: string }[];
  /** JSON of the whole record. */
  readonly CloudTrailEvent: string;
}

/**
 * LookupEvents: events of the trail, the newest first.
 *
 * @throws {@link CloudTrailError}
 * @source AWS CloudTrail API Reference, LookupEvents
 */
export async function lookupEvents(
  trail: TrailSearch,
  request: LookupEventsRequest,
): Promise<{ readonly Events: readonly LookedUpEvent[]; readonly NextToken?: string }> {
  const { EventCategory, MaxResults = RESULTS_MAX, NextToken } = request;
  if (MaxResults < 1 || MaxResults > RESULTS_MAX) {
    throw new CloudTrailError('InvalidMaxResultsException', `MaxResults must be from 1 to ${RESULTS_MAX}.`);
  }
  const query = queryOf(request);
  if (EventCategory !== undefined) {
    if (EventCategory !== 'insight') {
      throw new CloudTrailError('InvalidEventCategoryException', 'The event category must be insight.');
    }
    // Nothing here is analysed for unusual activity, so that there are no events of this kind.
    return { Events: [] };
  }
  const page = await trail.page(query, { max: MaxResults, after: NextToken ?? null });
  if (page === null) throw new CloudTrailError('InvalidNextTokenException', 'The next token is not valid.');
  return { Events: page.events.map(shown), ...(page.next !== null && { NextToken: page.next }) };
}

function queryOf({ LookupAttributes = [], StartTime, EndTime }: LookupEventsRequest): TrailQuery {
  if (LookupAttributes.length > 1) throw invalidAttributes('Only one lookup attribute is allowed in a request.');
  const [given] = LookupAttributes;
  if (StartTime !== undefined && EndTime !== undefined && StartTime > EndTime) {
    throw new CloudTrailError('InvalidTimeRangeException', 'The start time is after the end time.');
  }
  return {
    attribute: given && attributeOf(given),
    startMs: StartTime?.getTime(),
    endMs: EndTime?.getTime(),
  };
}

function attributeOf({
  AttributeKey = '',
  AttributeValue = '',
}: {
  readonly AttributeKey?: string;
  readonly AttributeValue?: string;
}): NonNullable<TrailQuery['attribute']> {
  if (!isAttribute(AttributeKey)) {
    throw invalidAttributes(`The attribute key must be one of ${TRAIL_ATTRIBUTES.join(', ')}.`);
  }
  if (AttributeValue === '') throw invalidAttributes('A lookup attribute needs a value.');
  const length = AttributeValue.length + (AttributeValue.match(COUNTS_TWICE)?.length ?? 0);
  if (length > VALUE_LENGTH_MAX) {
    throw invalidAttributes(`The value of a lookup attribute has at most ${VALUE_LENGTH_MAX} characters.`);
  }
  return { key: AttributeKey, value: AttributeValue };
}

function isAttribute(key: string): key is TrailAttribute {
  return (TRAIL_ATTRIBUTES as readonly string[]).includes(key);
}

function invalidAttributes(message: string): CloudTrailError {
  return new CloudTrailError('InvalidLookupAttributesException', message);
}

function shown({ event, text: record }: FoundEvent): LookedUpEvent {
  const accessKeyId = accessKeyOf(event);
  const username = usernameOf(event);
  return {
    EventId: event.eventID,
    EventName: event.eventName,
    ReadOnly: String(event.readOnly),
    ...(accessKeyId !== undefined && { AccessKeyId: accessKeyId }),
    EventTime: new Date(event.eventTime),
    EventSource: event.eventSource,
    ...(username !== undefined && { Username: username }),
    Resources: event.resources.map(({ type, ARN }) => ({ ResourceType: type, ResourceName: ARN })),
    CloudTrailEvent: record,
  };
}
