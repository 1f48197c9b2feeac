import type { KeyHome } from '../kms/key_id.js';
import type { ServiceEvent, ServiceEvents } from '../kms/ports.js';

/**
 * Something that happened to a key by itself, as Amazon EventBridge hands it on.
 *
 * @source AWS KMS Developer Guide, "Monitor KMS keys with Amazon EventBridge"; Amazon EventBridge User Guide, event structure
 */
export interface KeyEvent {
  readonly version: '0';
  /** UUID; the same however often the event is handed on. */
  readonly id: string;
  readonly 'detail-type': KeyEventType;
  readonly source: 'aws.kms';
  readonly account: string;
  /** ISO 8601, UTC, whole seconds, by the region's clock. */
  readonly time: string;
  readonly region: string;
  /** ARN of the key. */
  readonly resources: readonly [string];
  readonly detail: Readonly<Record<string, string>>;
}

export type KeyEventType = 'KMS CMK Deletion' | 'KMS CMK Rotation' | 'KMS Imported Key Material Expiration';

/** Which events are handed on, and what of their details, by the names in an event. */
const HANDED_ON: Partial<
  Readonly<Record<ServiceEvent['name'], { readonly type: KeyEventType; readonly details: readonly string[] }>>
> = {
  DeleteExpiredKeyMaterial: {
    type: 'KMS Imported Key Material Expiration',
    details: ['keyMaterialId'],
  },
  DeleteKey: { type: 'KMS CMK Deletion', details: [] },
  RotateKey: {
    type: 'KMS CMK Rotation',
    details: ['keyOrigin', 'rotationType', 'previousKeyMaterialId', 'currentKeyMaterialId'],
  },
};

/** The event that EventBridge hands on; undefined for what is told to the trail only. */
export function keyEventOf(event: ServiceEvent, { account, region }: KeyHome): KeyEvent | undefined {
  const handedOn = HANDED_ON[event.name];
  if (handedOn === undefined) return undefined;
  const { keyArn } = event;
  const detail: Record<string, string> = { 'key-id': keyArn.slice(keyArn.indexOf(':key/') + ':key/'.length) };
  for (const name of handedOn.details) {
    const value = event.details[name];
    if (value !== undefined) detail[hyphened(name)] = value;
  }
  return {
    version: '0',
    id: event.eventId,
    'detail-type': handedOn.type,
    source: 'aws.kms',
    account,
    time: `${new Date(event.atMs).toISOString().slice(0, 19)}Z`,
    region,
    resources: [keyArn],
    detail,
  };
}

/** `keyMaterialId` as `key-material-id`. */
function hyphened(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Where key events go. */
export interface KeyEventSink {
  /** Takes one event; durable when the promise has resolved. */
  append(event: KeyEvent): Promise<void>;
}

/** Tells of service events twice: to the trail, and to whoever subscribes to key events. */
export class KeyEvents implements ServiceEvents {
  readonly #home: KeyHome;
  readonly #trail: ServiceEvents;
  readonly #sink: KeyEventSink;

  constructor(home: KeyHome, parts: { readonly trail: ServiceEvents; readonly sink: KeyEventSink }) {
    this.#home = home;
    this.#trail = parts.trail;
    this.#sink = parts.sink;
  }

  /** {@inheritDoc ServiceEvents.record} */
  async record(event: ServiceEvent): Promise<void> {
    await this.#trail.record(event);
    // Whoever gave the event keeps it until both have it: a crash in between brings it again, with its id.
    const keyEvent = keyEventOf(event, this.#home);
    if (keyEvent !== undefined) await this.#sink.append(keyEvent);
  }
}

/** Key events from a place on, and as they come. */
export interface KeyEventSource {
  /**
   * Batches of events, the oldest first; goes on waiting for further ones until the signal.
   *
   * @param from - id of the event after which it begins; `start` for all that are kept, `end` for those to come. An id that is not known
   * begins at the start: whoever asks may have missed anything
   */
  follow(from: KeyEventPlace, signal: AbortSignal): AsyncIterable<readonly KeyEventLine[]>;
}

export type KeyEventPlace = 'start' | 'end' | { readonly afterId: string };

/** An event as it is written. */
export interface KeyEventLine {
  readonly id: string;
  /** JSON, one line. */
  readonly text: string;
}
