import type { Clock } from '../clock.js';
import type { KeyHome } from '../kms/key_id.js';
import type { ServiceEvent, ServiceEvents } from '../kms/ports.js';
import type { CallNote } from '../kms/region.js';
import { isReadOnly, requestParameters, responseElements } from './recorded_members.js';
import { quote } from '../wire/json_text.js';
import type { TlsDetails, TrailValue, UserIdentity } from './trail_event.js';

/** Longest text of a client's that one event repeats, UTF-16 units. */
const CLIENT_TEXT_MAX = 1024;
/** Access keys, and keys, whose texts are remembered. */
const TEXTS_MAX = 1000;

/** Where the events of a trail go. */
export interface TrailSink {
  /** Takes one event, a JSON document without line feeds; durable when the promise has resolved. */
  append(event: string): Promise<void>;
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
 * Events are {@link TrailEvent}s, written as text at once: this runs for every request, and an object that is only made to be written
 * costs several times as much.
 *
 * @source AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail"
 */
export class AuditTrail implements ServiceEvents {
  readonly #options: AuditTrailOptions;
  /** Members that every event has, behind its name. */
  readonly #region: string;
  /** Members that every event ends with. */
  readonly #closing: string;
  /** `userIdentity` by access key id. */
  readonly #identities = new Map<string, { readonly arn: string; readonly text: string }>();
  /** Entries of `resources` by ARN. */
  readonly #resources = new Map<string, string>();
  #lastSecond = Number.NaN;
  #lastTime = '';

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    const { region, account } = options.home;
    this.#region = `"awsRegion":${quote(region)}`;
    this.#closing = `"managementEvent":true,"recipientAccountId":${quote(account)},"eventCategory":"Management"`;
  }

  /** Records a call; durable when the promise has resolved, so that it is awaited before the call is answered. */
  recordCall(call: RecordedCall): Promise<void> {
    const { operation, failure, notes, tls } = call;
    let event = this.#opening(operation, this.#options.clock.nowMs(), this.#identityOf(call));
    event += `,"sourceIPAddress":${quote(call.sourceAddress)},"userAgent":${quote(call.userAgent.slice(0, CLIENT_TEXT_MAX))}`;
    if (failure !== null) event += failureMembers(failure);
    event += `,"requestParameters":${requestParameters(operation, call.request)}`;
    event += `,"responseElements":${responseElements(operation, call.response, () => keyOf(notes))}`;
    event += this.#additional(notes);
    event += `,"requestID":${quote(call.requestId)},"eventID":${quote(call.eventId)}`;
    event += isReadOnly(operation) ? ',"readOnly":true' : ',"readOnly":false';
    event += `,"resources":${this.#resourcesOf(notes)},"eventType":"AwsApiCall",${this.#closing}`;
    if (tls !== undefined) event += `,"tlsDetails":${JSON.stringify(tls)}`;
    return this.#options.sink.append(`${event}}`);
  }

  /** {@inheritDoc ServiceEvents.record} */
  record({ name, atMs, keyArn, eventId, ...rest }: ServiceEvent): Promise<void> {
    // CloudTrail names the service itself where it carries a caller's change into the other Region.
    const internal = name === 'UpdatePrimaryRegion' ? 'kms.amazonaws.com' : 'AWS Internal';
    const identity: UserIdentity = { accountId: this.#options.home.account, invokedBy: internal };
    const request = rest.call?.request ?? null;
    const response = rest.call?.response ?? null;
    const kind =
      rest.call === undefined
        ? `"AwsServiceEvent","serviceEventDetails":${JSON.stringify(rest.details)}`
        : '"AwsApiCall"';
    return this.#options.sink.append(
      [
        this.#opening(name, atMs, JSON.stringify(identity)),
        `,"sourceIPAddress":"${internal}","userAgent":"${internal}"`,
        `,"requestParameters":${requestParameters(name, request)}`,
        `,"responseElements":${responseElements(name, response, () => keyArn)}`,
        this.#additional([]),
        `,"eventID":${quote(eventId)},"readOnly":false`,
        `,"resources":${this.#resourcesOf([{ keyArn }])},"eventType":${kind},${this.#closing}}`,
      ].join(''),
    );
  }

  #opening(eventName: string, atMs: number, userIdentity: string): string {
    const time = this.#timeOf(atMs);
    return `{"eventVersion":"1.11","userIdentity":${userIdentity},"eventTime":"${time}","eventSource":"kms.amazonaws.com","eventName":${quote(eventName)},${this.#region}`;
  }

  /** Material and strategy, and what else the operation noted; empty where that is nothing. */
  #additional(notes: readonly CallNote[]): string {
    const clockOffsetMs = this.#options.clockOffsetMs();
    const data: Record<string, TrailValue> = {};
    for (const note of notes) {
      if (note.keyMaterialId !== undefined) addTo(data, 'keyMaterialId', note.keyMaterialId);
      if (note.strategy !== undefined) addTo(data, 'strategy', note.strategy);
      if (note.outsideToken !== undefined) data['outsideToken'] = note.outsideToken;
      if (note.refusal !== undefined) data['refusal'] = note.refusal;
    }
    if (clockOffsetMs !== 0) data['clockOffsetMs'] = clockOffsetMs;
    let members = '';
    for (const name in data) {
      const value = data[name];
      const text = typeof value === 'string' ? quote(value) : JSON.stringify(value);
      members += members === '' ? `"${name}":${text}` : `,"${name}":${text}`;
    }
    return members === '' ? '' : `,"additionalEventData":{${members}}`;
  }

  /** That of an access key is remembered: it is in every event. */
  #identityOf(call: Pick<RecordedCall, 'principal' | 'accessKeyId'>): string {
    const known = this.#identities.get(call.accessKeyId);
    if (known?.arn === call.principal) return known.text;
    const text = JSON.stringify(identityOf(call));
    if (this.#identities.size >= TEXTS_MAX) this.#identities.clear();
    this.#identities.set(call.accessKeyId, { arn: call.principal, text });
    return text;
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

  /** What a call is about, in the order in which it was noted, everything once. */
  #resourcesOf(notes: readonly CallNote[]): string {
    let first: string | undefined;
    let several: Set<string> | undefined;
    for (const note of notes) {
      const arn = arnOf(note);
      if (arn === undefined || arn === first) continue;
      if (first === undefined) first = arn;
      else (several ??= new Set([first])).add(arn);
    }
    if (first === undefined) return '[]';
    if (several === undefined) return `[${this.#resourceOf(first)}]`;
    return `[${Array.from(several, (arn) => this.#resourceOf(arn)).join(',')}]`;
  }

  #resourceOf(arn: string): string {
    const known = this.#resources.get(arn);
    if (known !== undefined) return known;
    const text = JSON.stringify({
      accountId: arn.split(':')[4] ?? this.#options.home.account,
      type: arn.includes(':alias/') ? 'AWS::KMS::Alias' : 'AWS::KMS::Key',
      ARN: arn,
    });
    if (this.#resources.size >= TEXTS_MAX) this.#resources.clear();
    this.#resources.set(arn, text);
    return text;
  }
}

/** What a note says about whom a call is about: an alias is named before its key. */
function arnOf({ aliasArn, keyArn }: CallNote): string | undefined {
  return aliasArn ?? keyArn;
}

function failureMembers({ name, message }: { readonly name: string; readonly message: string }): string {
  const code = `,"errorCode":${quote(name === 'AccessDeniedException' ? 'AccessDenied' : name)}`;
  return message === '' ? code : `${code},"errorMessage":${quote(message.slice(0, CLIENT_TEXT_MAX))}`;
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
