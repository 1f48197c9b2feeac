import type { Clock } from '../clock.js';
import type { KeyHome } from '../kms/key_id.js';
import type { ServiceEvent, ServiceEvents } from '../kms/ports.js';
import type { CallNote } from '../kms/region.js';
import { isReadOnly, requestParameters, responseElements } from './recorded_members.js';
import type { TrailEvent, TrailMembers, TrailValue, UserIdentity } from './trail_event.js';

/** Longest text of a client's that one event repeats, UTF-16 units. */
const CLIENT_TEXT_MAX = 1024;

/** Where the events of a trail go. */
export interface TrailSink {
  /** Takes one event; durable when the promise has resolved. */
  append(event: TrailEvent): Promise<void>;
}

/** One authenticated call, answered or refused. */
export interface RecordedCall {
  /** UUID of the event. */
  readonly eventId: string;
  readonly requestId: string;
  readonly operation: string;
  /** ARN. */
  readonly principal: string;
  readonly accessKeyId: string;
  readonly sourceAddress: string;
  readonly userAgent: string;
  /** Null where it could not be decoded. */
  readonly request: object | null;
  /** Null where the call was refused. */
  readonly response: object | null;
  /** Null for success. */
  readonly failure: { readonly name: string; readonly message: string } | null;
  /** What the operation noted, in the order in which it did. */
  readonly notes: readonly CallNote[];
}

/** What a trail is kept of. */
export interface AuditTrailOptions {
  readonly home: KeyHome;
  readonly clock: Clock;
  /** How far a lab's clock is moved, milliseconds; 0 outside a lab. */
  readonly clockOffsetMs: () => number;
  readonly sink: TrailSink;
}

/**
 * A region's audit trail: one event for each authenticated call, and one for each thing that the region does to a key by itself.
 *
 * @source AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail"
 */
export class AuditTrail implements ServiceEvents {
  readonly #options: AuditTrailOptions;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
  }

  /** Records a call; durable when the promise has resolved, so that it is awaited before the call is answered. */
  recordCall(call: RecordedCall): Promise<void> {
    const { operation, failure } = call;
    return this.#options.sink.append({
      ...this.#common(operation, this.#options.clock.nowMs(), {
        userIdentity: identityOf(call),
        sourceIPAddress: call.sourceAddress,
        userAgent: call.userAgent.slice(0, CLIENT_TEXT_MAX),
      }),
      ...(failure !== null && {
        errorCode: failure.name === 'AccessDeniedException' ? 'AccessDenied' : failure.name,
        ...(failure.message !== '' && { errorMessage: failure.message.slice(0, CLIENT_TEXT_MAX) }),
      }),
      requestParameters: requestParameters(operation, call.request),
      responseElements: responseElements(operation, call.response),
      ...this.#additional(call.notes),
      requestID: call.requestId,
      eventID: call.eventId,
      readOnly: isReadOnly(operation),
      resources: this.#resources(call.notes.flatMap(({ aliasArn, keyArn }) => aliasArn ?? keyArn ?? [])),
      eventType: 'AwsApiCall',
      ...this.#closing(),
    });
  }

  /** {@inheritDoc ServiceEvents.record} */
  record(event: ServiceEvent): Promise<void> {
    const internal = 'AWS Internal';
    return this.#options.sink.append({
      ...this.#common(event.name, event.atMs, {
        userIdentity: { accountId: this.#options.home.account, invokedBy: internal },
        sourceIPAddress: internal,
        userAgent: internal,
      }),
      requestParameters: null,
      responseElements: null,
      ...this.#additional([]),
      eventID: event.eventId,
      readOnly: false,
      resources: this.#resources([event.keyArn]),
      eventType: 'AwsServiceEvent',
      serviceEventDetails: event.details,
      ...this.#closing(),
    });
  }

  #common(
    eventName: string,
    atMs: number,
    origin: Pick<TrailEvent, 'userIdentity' | 'sourceIPAddress' | 'userAgent'>,
  ): Pick<
    TrailEvent,
    | 'eventVersion'
    | 'userIdentity'
    | 'eventTime'
    | 'eventSource'
    | 'eventName'
    | 'awsRegion'
    | 'sourceIPAddress'
    | 'userAgent'
  > {
    return {
      eventVersion: '1.11',
      userIdentity: origin.userIdentity,
      eventTime: `${new Date(atMs).toISOString().slice(0, 19)}Z`,
      eventSource: 'kms.amazonaws.com',
      eventName,
      awsRegion: this.#options.home.region,
      sourceIPAddress: origin.sourceIPAddress,
      userAgent: origin.userAgent,
    };
  }

  #closing(): Pick<TrailEvent, 'managementEvent' | 'recipientAccountId' | 'eventCategory'> {
    return { managementEvent: true, recipientAccountId: this.#options.home.account, eventCategory: 'Management' };
  }

  #additional(notes: readonly CallNote[]): { readonly additionalEventData?: TrailMembers } {
    const clockOffsetMs = this.#options.clockOffsetMs();
    const data: Record<string, TrailValue> = {};
    for (const name of ['keyMaterialId', 'strategy'] as const) {
      // ReEncrypt uses two keys: both are shown, the source first.
      const values = [...new Set(notes.flatMap((note) => note[name] ?? []))];
      const [first] = values;
      if (first !== undefined) data[name] = values.length === 1 ? first : values;
    }
    const outsideToken = notes.findLast((note) => note.outsideToken !== undefined)?.outsideToken;
    if (outsideToken !== undefined) data['outsideToken'] = outsideToken;
    if (clockOffsetMs !== 0) data['clockOffsetMs'] = clockOffsetMs;
    return Object.keys(data).length === 0 ? {} : { additionalEventData: data };
  }

  #resources(arns: readonly string[]): TrailEvent['resources'] {
    return [...new Set(arns)].map((arn) => ({
      accountId: arn.split(':')[4] ?? this.#options.home.account,
      type: arn.includes(':alias/') ? 'AWS::KMS::Alias' : 'AWS::KMS::Key',
      ARN: arn,
    }));
  }
}

/** @source AWS CloudTrail User Guide, userIdentity element */
function identityOf(call: Pick<RecordedCall, 'principal' | 'accessKeyId'>): UserIdentity {
  const { principal: arn, accessKeyId } = call;
  const [, , , , accountId = '', ...rest] = arn.split(':');
  const [kind = '', ...path] = rest.join(':').split('/');
  const name = path.at(-1) ?? '';
  const common = { arn, accountId, accessKeyId };
  switch (kind) {
    case 'root':
      return { type: 'Root', principalId: accountId, ...common };
    case 'user':
      return { type: 'IAMUser', principalId: name, ...common, userName: name };
    case 'assumed-role':
      return { type: 'AssumedRole', principalId: path.join(':'), ...common };
    default:
      return { type: 'Unknown', principalId: name, ...common };
  }
}
