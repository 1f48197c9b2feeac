import type { Clock } from '../clock.js';
import type { KeyHome } from '../kms/key_id.js';
import type { ServiceEvent, ServiceEvents } from '../kms/ports.js';
import type { CallNote } from '../kms/region.js';
import { isReadOnly, requestParameters, responseElements } from './recorded_members.js';
import type { TlsDetails, TrailEvent, TrailMembers, TrailValue, UserIdentity } from './trail_event.js';

/** Longest text of a client's that one event repeats, UTF-16 units. */
const CLIENT_TEXT_MAX = 1024;
/** Access keys whose identities are remembered. */
const IDENTITIES_MAX = 1000;

type Draft<Value> = { -readonly [Name in keyof Value]: Value[Name] };

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
  /** Absent where the call came without TLS. */
  readonly tls?: TlsDetails | undefined;
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
  /** By access key id. */
  readonly #identities = new Map<string, { readonly arn: string; readonly identity: UserIdentity }>();
  #lastSecond = Number.NaN;
  #lastTime = '';

  constructor(options: AuditTrailOptions) {
    this.#options = options;
  }

  /** Records a call; durable when the promise has resolved, so that it is awaited before the call is answered. */
  recordCall(call: RecordedCall): Promise<void> {
    const { operation, failure, notes } = call;
    const { clock, home } = this.#options;
    // One literal of one shape, and members set by name: this runs for every request.
    const event: Draft<TrailEvent> = {
      eventVersion: '1.11',
      userIdentity: this.#identityOf(call),
      eventTime: this.#timeOf(clock.nowMs()),
      eventSource: 'kms.amazonaws.com',
      eventName: operation,
      awsRegion: home.region,
      sourceIPAddress: call.sourceAddress,
      userAgent: call.userAgent.slice(0, CLIENT_TEXT_MAX),
      requestParameters: requestParameters(operation, call.request),
      responseElements: responseElements(operation, call.response, () => keyOf(notes)),
      requestID: call.requestId,
      eventID: call.eventId,
      readOnly: isReadOnly(operation),
      resources: this.#resources(notes.flatMap(arnOf)),
      eventType: 'AwsApiCall',
      managementEvent: true,
      recipientAccountId: home.account,
      eventCategory: 'Management',
    };
    if (call.tls !== undefined) event.tlsDetails = call.tls;
    if (failure !== null) {
      event.errorCode = failure.name === 'AccessDeniedException' ? 'AccessDenied' : failure.name;
      if (failure.message !== '') event.errorMessage = failure.message.slice(0, CLIENT_TEXT_MAX);
    }
    const additional = this.#additional(notes);
    if (additional !== null) event.additionalEventData = additional;
    return this.#options.sink.append(event);
  }

  /** {@inheritDoc ServiceEvents.record} */
  record(event: ServiceEvent): Promise<void> {
    // CloudTrail names the service itself where it carries a caller's change into the other Region.
    const internal = event.name === 'UpdatePrimaryRegion' ? 'kms.amazonaws.com' : 'AWS Internal';
    const clockOffset = this.#additional([]);
    return this.#options.sink.append({
      ...this.#common(event.name, event.atMs, {
        userIdentity: { accountId: this.#options.home.account, invokedBy: internal },
        sourceIPAddress: internal,
        userAgent: internal,
      }),
      requestParameters: requestParameters(event.name, event.call?.request ?? null),
      responseElements: responseElements(event.name, event.call?.response ?? null, () => event.keyArn),
      ...(clockOffset !== null && { additionalEventData: clockOffset }),
      eventID: event.eventId,
      readOnly: false,
      resources: this.#resources([event.keyArn]),
      ...(event.call === undefined
        ? { eventType: 'AwsServiceEvent', serviceEventDetails: event.details }
        : { eventType: 'AwsApiCall' }),
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
      eventTime: this.#timeOf(atMs),
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

  /** Material and strategy, and what else the operation noted; null where that is nothing. */
  #additional(notes: readonly CallNote[]): TrailMembers | null {
    const clockOffsetMs = this.#options.clockOffsetMs();
    const data: Record<string, TrailValue> = {};
    for (const note of notes) {
      if (note.keyMaterialId !== undefined) addTo(data, 'keyMaterialId', note.keyMaterialId);
      if (note.strategy !== undefined) addTo(data, 'strategy', note.strategy);
      if (note.outsideToken !== undefined) data['outsideToken'] = note.outsideToken;
      if (note.refusal !== undefined) data['refusal'] = note.refusal;
    }
    if (clockOffsetMs !== 0) data['clockOffsetMs'] = clockOffsetMs;
    for (const _ in data) return data;
    return null;
  }

  /** That of an access key is remembered: it is in every event. */
  #identityOf(call: Pick<RecordedCall, 'principal' | 'accessKeyId'>): UserIdentity {
    const known = this.#identities.get(call.accessKeyId);
    if (known?.arn === call.principal) return known.identity;
    const identity = identityOf(call);
    if (this.#identities.size >= IDENTITIES_MAX) this.#identities.clear();
    this.#identities.set(call.accessKeyId, { arn: call.principal, identity });
    return identity;
  }

  /** ISO 8601, whole seconds; the last one is remembered. */
  #timeOf(atMs: number): string {
    const second = Math.floor(atMs / 1000);
    if (second !== this.#lastSecond) {
      this.#lastTime = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
      this.#lastSecond = second;
    }
    return this.#lastTime;
  }

  #resources(arns: readonly string[]): TrailEvent['resources'] {
    return [...new Set(arns)].map((arn) => ({
      accountId: arn.split(':')[4] ?? this.#options.home.account,
      type: arn.includes(':alias/') ? 'AWS::KMS::Alias' : 'AWS::KMS::Key',
      ARN: arn,
    }));
  }
}

/** What a note says about whom a call is about: an alias is named before its key. */
function arnOf({ aliasArn, keyArn }: CallNote): string | readonly [] {
  return aliasArn ?? keyArn ?? [];
}

/** The key that a call has changed: the last that was noted, where an alias leaves one key for another. */
function keyOf(notes: readonly CallNote[]): string | undefined {
  return notes.findLast(({ keyArn }) => keyArn !== undefined)?.keyArn;
}

/** ReEncrypt uses two keys: both values are shown, the source's first. */
function addTo(data: Record<string, TrailValue>, name: string, value: string): void {
  const earlier = data[name];
  if (earlier === undefined) data[name] = value;
  else if (Array.isArray(earlier)) {
    if (!earlier.includes(value)) data[name] = [...earlier, value];
  } else if (earlier !== value) data[name] = [earlier, value];
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
