import type { Transport } from '../src/replication/ports.js';

/** A network inside one process: hands each message over in a later turn of the event loop, and does nothing else with it. */
export class LinkedTransports {
  readonly #receivers = new Map<string, (octets: Uint8Array) => Promise<void>>();
  readonly #failed: (error: unknown) => void;
  #octets = 0;
  #messages = 0;

  /** @param failed - told when a receiver refuses a message, which nobody would bring again */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** What has been carried. */
  get carried(): { readonly messages: number; readonly octets: number } {
    return { messages: this.#messages, octets: this.#octets };
  }

  /** One region's end. */
  end(region: string): Transport {
    return {
      send: async (destination, octets) => {
        this.#messages += 1;
        this.#octets += octets.length;
        setImmediate(() => void this.#receivers.get(destination)?.(octets).catch(this.#failed));
      },
      listen: (receive) => {
        this.#receivers.set(region, receive);
      },
      close: async () => {
        this.#receivers.delete(region);
      },
    };
  }
}
