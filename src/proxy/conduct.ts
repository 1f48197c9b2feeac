import type { AcceptedMessage, Delivery } from './delivery_mode.js';
import { ProxyError } from './errors.js';
import { PROXY_LIMITS } from './limits.js';

/** What can be done to one message: lost, sent twice, altered in one octet, or let overtake by the next one to its destination. */
export const CONDUCT_ACTIONS = ['drop', 'duplicate', 'tamper', 'reorder'] as const;
export type ConductAction = (typeof CONDUCT_ACTIONS)[number];

/** What is done to the next message, once. */
export interface ConductOrder {
  readonly action: ConductAction;
  /** To which region the message has to go; null for any. */
  readonly destination: string | null;
}

/** What whoever runs the proxy makes it do by hand. */
export interface ConductSettings {
  /** Regions whose messages are held back until they are not listed any more. */
  readonly hold: readonly string[];
  /** What is done to the next messages; each order is gone when it was carried out. */
  readonly next: readonly ConductOrder[];
}

/** What the conduct makes of a message. */
export interface Conducted {
  readonly deliveries: readonly Delivery[];
  /** Why, for the log. */
  readonly reason: string;
}

/** The conduct of a proxy that a person steers message by message; what it does not decide is left to the delivery mode. */
export class Conduct {
  #settings: ConductSettings = { hold: [], next: [] };
  /** Messages that wait for one behind them, by destination. */
  readonly #overtaken = new Map<string, number[]>();

  get settings(): ConductSettings {
    return this.#settings;
  }

  /** Takes other settings; those that say nothing also let go what waits to be overtaken. */
  set(settings: ConductSettings): void {
    this.#settings = settings;
    if (settings.hold.length === 0 && settings.next.length === 0) this.#overtaken.clear();
  }

  /** Whether a message is to wait on, now that it waits. */
  isHeld(destination: string, messageId: number): boolean {
    if (this.#settings.hold.includes(destination)) return true;
    return this.#overtaken.get(destination)?.includes(messageId) === true;
  }

  /** Decides about a message; undefined where it has no opinion. */
  decide(message: AcceptedMessage): Conducted | undefined {
    const { messageId, destination, octets } = message;
    const held: Delivery = { delayMs: 0, destination, octets, isHeld: true };
    if (this.#settings.hold.includes(destination)) return { deliveries: [held], reason: 'hold' };
    const { next } = this.#settings;
    const order = next.find((each) => each.destination === null || each.destination === destination);
    if (order === undefined) return undefined;
    this.#settings = { ...this.#settings, next: next.filter((each) => each !== order) };
    const delivery: Delivery = { delayMs: 0, destination, octets };
    switch (order.action) {
      case 'drop':
        return { deliveries: [], reason: 'next: drop' };
      case 'duplicate':
        return { deliveries: [delivery, delivery], reason: 'next: duplicate' };
      case 'tamper':
        return { deliveries: [{ ...delivery, octets: altered(octets) }], reason: 'next: tamper' };
      case 'reorder':
        this.#overtaken.set(destination, [...(this.#overtaken.get(destination) ?? []), messageId]);
        return { deliveries: [held], reason: 'next: reorder' };
    }
  }

  /** Messages that one to this destination has just overtaken: they go now. */
  takeOvertaken(destination: string, messageId: number): readonly number[] {
    const waiting = this.#overtaken.get(destination) ?? [];
    if (waiting.includes(messageId)) return [];
    this.#overtaken.delete(destination);
    return waiting;
  }
}

const isLetter = (octet: number): boolean => /[A-Za-z0-9]/u.test(String.fromCharCode(octet));

/** One octet behind the middle is another one, which the alphabet of base64url has too: such a message is read, and does not verify. */
function altered(octets: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(octets);
  const middle = Math.floor(octets.length / 2);
  const found = octets.findIndex((octet, index) => index >= middle && isLetter(octet) && isLetter(octet ^ 1));
  const index = found === -1 ? middle : found;
  changed[index] = (changed[index] ?? 0) ^ 1;
  return changed;
}

/**
 * A conduct from JSON.
 *
 * @throws {@link ProxyError} `ERR_PROXY_SYNTAX`
 */
export function parseConduct(value: Readonly<Record<string, unknown>>): ConductSettings {
  const { hold = [], next = [], ...unknown } = value;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new ProxyError('ERR_PROXY_SYNTAX', `A conduct has no member ${JSON.stringify(name)}`);
  const isRegion = (text: unknown): text is string => typeof text === 'string' && /^[a-z0-9-]{1,32}$/u.test(text);
  const max = PROXY_LIMITS.conductOrdersMax;
  if (!Array.isArray(hold) || hold.length > max || !hold.every(isRegion)) {
    throw new ProxyError('ERR_PROXY_SYNTAX', `hold is a list of at most ${max} regions`);
  }
  if (!Array.isArray(next) || next.length > max) {
    throw new ProxyError('ERR_PROXY_SYNTAX', `next is a list of at most ${max} orders`);
  }
  return { hold: [...new Set(hold)], next: next.map((order: unknown) => parseOrder(order, isRegion)) };
}

function parseOrder(value: unknown, isRegion: (text: unknown) => text is string): ConductOrder {
  const order = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const { action, destination = null, ...more } = order;
  const known = CONDUCT_ACTIONS.find((name) => name === action);
  if (known === undefined || Object.keys(more).length > 0 || !(destination === null || isRegion(destination))) {
    throw new ProxyError(
      'ERR_PROXY_SYNTAX',
      `An order has an action (${CONDUCT_ACTIONS.join(', ')}) and a destination: a region, or null for any`,
    );
  }
  return { action: known, destination };
}
