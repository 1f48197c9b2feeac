import { equalOctets } from '../bytes.js';
import { Conduct, type ConductSettings } from './conduct.js';
import { honestMode, type Delivery, type DeliveryMode } from './delivery_mode.js';
import { ProxyError } from './errors.js';
import { PROXY_LIMITS } from './limits.js';
import type { LogEntry, LogEvent, ProxyStore, QueuedMessage } from './store.js';

/** What a receiver gets: messages, and the identity of the queue that their ids belong to. */
export interface TakenMessages {
  readonly queueId: string;
  readonly messages: readonly QueuedMessage[];
}

/** Counts for `keyferry status`. */
export interface RelayStatus {
  readonly mode: string;
  readonly queueId: string;
  /** What waits, by destination: messages and octets, held ones included. */
  readonly waiting: Readonly<Record<string, { readonly messages: number; readonly octets: number }>>;
  /** What is done by hand. */
  readonly conduct: ConductSettings;
  /** Messages that wait until somebody lets them go, by destination. */
  readonly held: Readonly<Record<string, number>>;
}

/** A region name as a peer may write it. */
const DESTINATION = /^[a-z0-9-]{1,32}$/u;

/**
 * The proxy: takes messages over, stores them, and keeps each until its receiver says that it has it (at least once).
 * It holds no key, checks no signature and is trusted by nobody.
 */
export class Relay {
  readonly #store: ProxyStore;
  readonly #nowMs: () => number;
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #logWaiters = new Set<() => void>();
  readonly #loads: Map<string, { messages: number; octets: number }>;
  #mode: DeliveryMode = honestMode;
  #modeName = 'honest';
  readonly #conduct = new Conduct();
  #dueTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param nowMs - milliseconds since the Unix epoch; held messages keep their due time over a restart */
  constructor(store: ProxyStore, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#loads = new Map([...store.loads()].map(([destination, load]) => [destination, { ...load }]));
    // Nobody is here any more who could let go what somebody held before.
    this.#releaseUnheld();
    this.#armDueTimer();
  }

  /** Identity of the queue that the ids of messages belong to. */
  get queueId(): string {
    return this.#store.queueId;
  }

  /** Changes what happens to the messages accepted from now on. */
  setMode(mode: DeliveryMode, name: string): void {
    this.#mode = mode;
    this.#modeName = name;
    this.#store.transaction(() =>
      this.#log('mode', { messageId: null, destination: null, octets: null, detail: name }),
    );
    this.#wakeLog();
  }

  /** Changes what is done to messages by hand; what is not to be held any more goes. */
  setConduct(settings: ConductSettings): void {
    const { hold, next } = settings;
    const detail = JSON.stringify({ hold, next });
    this.#log('conduct', { messageId: null, destination: null, octets: null, detail });
    this.#conduct.set(settings);
    this.#releaseUnheld();
    this.#wakeLog();
  }

  /**
   * Takes one message over; it survives a restart of the proxy from the moment this returns.
   *
   * @param destination - region name as the sender wrote it
   * @param octets - 1 to 65,536 octets
   * @returns the message's number
   * @throws {@link ProxyError} `ERR_PROXY_SYNTAX`, `ERR_PROXY_TOO_LARGE`, `ERR_PROXY_QUEUE_FULL`, `ERR_PROXY_DESTINATIONS`
   */
  accept(destination: string, octets: Uint8Array): number {
    this.#assertOpen();
    assertDestination(destination);
    if (octets.length === 0) throw new ProxyError('ERR_PROXY_SYNTAX', 'A message has at least one octet');
    if (octets.length > PROXY_LIMITS.messageOctetsMax) throw tooLarge(octets.length);
    this.#admit(destination, octets.length);

    const reached = new Set<string>();
    const messageId = this.#store.transaction(() => {
      const id = this.#store.nextMessageId();
      this.#log('accepted', { messageId: id, destination, octets, detail: null });
      const message = { messageId: id, destination, octets };
      const conducted = this.#conduct.decide(message);
      const deliveries = (conducted?.deliveries ?? this.#mode(message)).slice(0, PROXY_LIMITS.deliveriesMax);
      const reason = conducted?.reason ?? this.#modeName;
      deliveries.forEach((delivery, copy) => {
        const delayMs = Math.min(Math.max(0, Math.ceil(delivery.delayMs)), PROXY_LIMITS.delayMsMax);
        this.#store.store(id, { ...delivery, delayMs }, this.#nowMs());
        if (delayMs === 0 && delivery.isHeld !== true) reached.add(delivery.destination);
        this.#logDelivery(id, { original: octets, delivery, copy, reason });
      });
      if (deliveries.length === 0) this.#log('lost', { messageId: id, destination, octets: null, detail: reason });
      for (const delivery of deliveries) this.#addLoad(delivery.destination, 1, delivery.octets.length);
      return id;
    });
    for (const name of reached) this.#wake(name);
    const overtaken = reached.has(destination) ? this.#conduct.takeOvertaken(destination, messageId) : [];
    if (overtaken.length > 0) this.#release(destination, (id) => overtaken.includes(id));
    this.#wakeLog();
    this.#armDueTimer();
    return messageId;
  }

  /**
   * Messages for a region, the oldest first; waits for one where there is none.
   *
   * @param options - `after`: id of the last message that the receiver has seen, 0 for all; `messagesMax`; `waitMs`; `signal`: the
   * receiver has gone
   * @returns at most `messagesMax` messages; none when the wait is over
   */
  async take(
    destination: string,
    options: {
      readonly after: number;
      readonly messagesMax: number;
      readonly waitMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<TakenMessages> {
    this.#assertOpen();
    assertDestination(destination);
    const messagesMax = Math.min(options.messagesMax, PROXY_LIMITS.batchMessagesMax);
    const find = (): readonly QueuedMessage[] =>
      this.#closed ? [] : this.#store.waiting(destination, options.after, messagesMax);
    let messages = find();
    if (messages.length === 0 && options.waitMs > 0) {
      const waiters = this.#waitersOf(destination);
      const oldest = waiters.values().next().value;
      if (waiters.size >= PROXY_LIMITS.waitersMax && oldest !== undefined) oldest();
      await waitIn(waiters, options);
      if (waiters.size === 0) this.#waiters.delete(destination);
      messages = find();
    }
    return { queueId: this.#store.queueId, messages };
  }

  /** Forgets messages that their receiver has; ids that are not there are passed over, so that it may be repeated. */
  acknowledge(destination: string, ids: readonly number[]): void {
    this.#assertOpen();
    assertDestination(destination);
    this.#store.transaction(() => {
      for (const id of ids) {
        const removed = this.#store.remove(destination, id);
        if (removed === undefined) continue;
        this.#addLoad(destination, -1, -removed.octets);
        this.#log('acknowledged', { messageId: removed.messageId, destination, octets: null, detail: null });
      }
    });
    this.#wakeLog();
  }

  /** Lines of the log behind `after`; waits for one where there is none. */
  async log(options: {
    readonly after: number;
    readonly entriesMax: number;
    readonly waitMs: number;
    readonly signal: AbortSignal;
  }): Promise<readonly LogEntry[]> {
    const entriesMax = Math.min(options.entriesMax, PROXY_LIMITS.logBatchMax);
    let entries = this.#store.log(options.after, entriesMax);
    if (entries.length === 0 && options.waitMs > 0 && this.#logWaiters.size < PROXY_LIMITS.waitersMax) {
      await waitIn(this.#logWaiters, options);
      entries = this.#closed ? [] : this.#store.log(options.after, entriesMax);
    }
    return entries;
  }

  status(): RelayStatus {
    return {
      mode: this.#modeName,
      queueId: this.#store.queueId,
      waiting: Object.fromEntries([...this.#loads].map(([destination, load]) => [destination, { ...load }])),
      conduct: this.#conduct.settings,
      held: this.#store.heldCounts(),
    };
  }

  /** Lets every receiver go and closes the store. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#dueTimer);
    for (const destination of [...this.#waiters.keys()]) this.#wake(destination);
    this.#wakeLog();
    this.#store.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new ProxyError('ERR_PROXY_CLOSED', 'The proxy is stopping', { retryable: true });
  }

  #admit(destination: string, octets: number): void {
    const load = this.#loads.get(destination);
    if (load === undefined) {
      if (this.#loads.size >= PROXY_LIMITS.destinationsMax) {
        throw new ProxyError('ERR_PROXY_DESTINATIONS', 'The proxy already serves as many destinations as it may', {
          details: { destinationsMax: PROXY_LIMITS.destinationsMax },
        });
      }
      return;
    }
    if (load.messages >= PROXY_LIMITS.queueMessagesMax || load.octets + octets > PROXY_LIMITS.queueOctetsMax) {
      throw new ProxyError(
        'ERR_PROXY_QUEUE_FULL',
        `Too much waits for ${destination}; try again when it has received some`,
        {
          retryable: true,
          details: { messages: load.messages, octets: load.octets },
        },
      );
    }
  }

  #addLoad(destination: string, messages: number, octets: number): void {
    const load = this.#loads.get(destination) ?? { messages: 0, octets: 0 };
    this.#loads.set(destination, { messages: load.messages + messages, octets: load.octets + octets });
  }

  #logDelivery(
    messageId: number,
    made: {
      readonly original: Uint8Array;
      readonly delivery: Delivery;
      readonly copy: number;
      readonly reason: string;
    },
  ): void {
    const { destination, octets, isHeld } = made.delivery;
    if (!equalOctets(octets, made.original)) {
      this.#log('altered', { messageId, destination, octets, detail: made.reason });
    } else if (made.copy > 0) {
      this.#log('repeated', { messageId, destination, octets: null, detail: made.reason });
    }
    if (isHeld === true) this.#log('held', { messageId, destination, octets: null, detail: made.reason });
  }

  #releaseUnheld(): void {
    for (const destination of Object.keys(this.#store.heldCounts())) {
      this.#release(destination, (messageId) => !this.#conduct.isHeld(destination, messageId));
    }
  }

  #release(destination: string, isMeant: (messageId: number) => boolean): void {
    this.#store.transaction(() => {
      for (const messageId of this.#store.release(destination, isMeant)) {
        this.#log('released', { messageId, destination, octets: null, detail: null });
      }
    });
    this.#wake(destination);
  }

  #log(event: LogEvent, entry: Omit<LogEntry, 'id' | 'atMs' | 'event'>): void {
    this.#store.appendLog({ atMs: this.#nowMs(), event, ...entry });
  }

  #armDueTimer(): void {
    clearTimeout(this.#dueTimer);
    const dueMs = this.#closed ? undefined : this.#store.nextDueMs();
    if (dueMs === undefined) return;
    this.#dueTimer = setTimeout(
      () => {
        for (const destination of this.#store.releaseDue(this.#nowMs())) this.#wake(destination);
        this.#armDueTimer();
      },
      Math.max(0, dueMs - this.#nowMs()),
    );
  }

  #waitersOf(destination: string): Set<() => void> {
    const waiters = this.#waiters.get(destination) ?? new Set();
    this.#waiters.set(destination, waiters);
    return waiters;
  }

  #wake(destination: string): void {
    for (const resume of [...(this.#waiters.get(destination) ?? [])]) resume();
  }

  #wakeLog(): void {
    for (const resume of [...this.#logWaiters]) resume();
  }
}

/** Resolves when the waiter is woken, the time is over or the receiver has gone, whatever comes first. */
function waitIn(
  waiters: Set<() => void>,
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    const resume = (): void => {
      waiters.delete(resume);
      clearTimeout(timer);
      options.signal.removeEventListener('abort', resume);
      resolve();
    };
    const timer = setTimeout(resume, Math.min(options.waitMs, PROXY_LIMITS.waitMsMax));
    options.signal.addEventListener('abort', resume);
    waiters.add(resume);
    if (options.signal.aborted) resume();
  });
}

function assertDestination(destination: string): void {
  if (!DESTINATION.test(destination)) {
    throw new ProxyError('ERR_PROXY_SYNTAX', 'A destination is 1 to 32 lower-case letters, digits and hyphens');
  }
}

/** The refusal of a message that no region would read. */
export function tooLarge(octets: number): ProxyError {
  return new ProxyError('ERR_PROXY_TOO_LARGE', `A message has at most ${PROXY_LIMITS.messageOctetsMax} octets`, {
    details: { octets, octetsMax: PROXY_LIMITS.messageOctetsMax },
  });
}
