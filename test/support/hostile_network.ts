import type { Transport } from '../../src/replication/ports.js';
import { MESSAGES, messageOfTyp } from '../../src/replication/message.js';
import { parseJws } from '../../src/wire/jws.js';
import { isReject } from '../../src/wire/refusal.js';

/** One message that a region handed to the network. */
export interface SentMessage {
  readonly from: string;
  readonly to: string;
  readonly octets: Uint8Array;
  /** `M0` … `MS` by the type in its header; `?` for anything else. */
  readonly label: string;
}

/** What a message is by the type in its header. */
export function labelOf(octets: Uint8Array): string {
  const jws = parseJws(octets);
  const name = isReject(jws) ? undefined : messageOfTyp(jws.typ);
  return name === undefined ? '?' : MESSAGES[name].label;
}

/**
 * The network as its owner, the adversary, sees it: everything is recorded, nothing moves unless it is told to, and anything can be
 * given to any region at any time.
 */
export class HostileNetwork {
  /** What was sent and is neither delivered nor dropped, in the order of sending. */
  readonly waiting: SentMessage[] = [];
  /** Everything that was ever sent. */
  readonly seen: SentMessage[] = [];
  readonly #receivers = new Map<string, (octets: Uint8Array) => Promise<void>>();

  /** The end of one region. */
  transport(from: string): Transport {
    return {
      send: (to, octets) => {
        const message = { from, to, octets, label: labelOf(octets) };
        this.waiting.push(message);
        this.seen.push(message);
        return Promise.resolve();
      },
      listen: (receive) => {
        this.#receivers.set(from, receive);
      },
      close: () => {
        this.#receivers.delete(from);
        return Promise.resolve();
      },
    };
  }

  /** Gives octets to a region, whoever they were for. */
  async deliver(to: string, octets: Uint8Array): Promise<void> {
    const receive = this.#receivers.get(to);
    if (receive === undefined) throw new Error(`nobody listens in ${to}`);
    await receive(octets);
  }

  /** Takes the oldest waiting message with a label off the network; undefined where none waits. */
  take(label: string): SentMessage | undefined {
    const at = this.waiting.findIndex((message) => message.label === label);
    return at < 0 ? undefined : this.waiting.splice(at, 1)[0];
  }

  /** Drops what waits. */
  drop(): void {
    this.waiting.length = 0;
  }
}
