import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../limits.js';
import type { LinePlace } from '../line_files.js';
import type { WebhookTransport } from '../webhook_transport.js';
import type { KeyEventLine } from './key_event.js';

/** Events with the places behind them. */
export interface KeyEventLines {
  /** @param from - null for all that are kept */
  followLines(
    from: LinePlace | null,
    signal: AbortSignal,
  ): AsyncIterable<readonly { readonly line: KeyEventLine | undefined; readonly next: LinePlace }[]>;
  /** The place behind the newest event; null where there is none. */
  end(): Promise<LinePlace | null>;
}

/** How far each receiver has got; lasts longer than the process. */
export interface DeliveryPlaces {
  /** Undefined for a receiver that is new. */
  placeOf(url: string): LinePlace | null | undefined;
  /** Replaces all. */
  write(places: ReadonlyMap<string, LinePlace | null>): void;
}

/** What events are delivered with. */
export interface KeyEventDeliveryParts {
  readonly urls: readonly string[];
  readonly lines: KeyEventLines;
  readonly places: DeliveryPlaces;
  readonly transport: WebhookTransport;
  /** Told of events that were given up, and of what should not fail. */
  readonly report: (failure: unknown) => void;
  /** Pause before the second attempt, milliseconds; it doubles up to `LIMITS.keyEventPauseMsMax`. */
  readonly pauseMs?: number;
}

/**
 * Posts key events to webhooks: each receiver gets all events in their order, each at least once. One that does not answer is waited
 * for, and holds up nobody but itself; a new receiver gets what happens from then on.
 */
export class KeyEventDelivery {
  readonly #parts: KeyEventDeliveryParts;
  readonly #ended = new AbortController();
  readonly #places = new Map<string, LinePlace | null>();
  #running: readonly Promise<void>[] = [];

  constructor(parts: KeyEventDeliveryParts) {
    this.#parts = parts;
  }

  /** Begins where the last process stopped. */
  async start(): Promise<void> {
    const { urls, lines, places } = this.#parts;
    for (const url of urls) {
      const known = places.placeOf(url);
      this.#places.set(url, known === undefined ? await lines.end() : known);
    }
    places.write(this.#places);
    this.#running = urls.map((url) => this.#deliver(url));
  }

  /** Delivers nothing more; what was not taken waits for the next start. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#running);
  }

  async #deliver(url: string): Promise<void> {
    const { lines, places, report } = this.#parts;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        for await (const batch of lines.followLines(this.#places.get(url) ?? null, signal)) {
          for (const { line, next } of batch) {
            if (line !== undefined && !(await this.#post(url, line))) return;
            this.#places.set(url, next);
            places.write(this.#places);
          }
        }
      } catch (error) {
        report(error);
        await this.#pause(LIMITS.keyEventPauseMsMax);
      }
    }
  }

  /** Tries until the event is taken, refused for good, or was tried too often; false where it is to be tried after the next start. */
  async #post(url: string, { id, text }: KeyEventLine): Promise<boolean> {
    const { transport, report, pauseMs = LIMITS.keyEventPauseMs } = this.#parts;
    const { signal } = this.#ended;
    let why = '';
    for (let attempt = 0; attempt < LIMITS.keyEventAttemptsMax; attempt += 1) {
      if (attempt > 0) await this.#pause(Math.min(pauseMs * 2 ** (attempt - 1), LIMITS.keyEventPauseMsMax));
      if (signal.aborted) return false;
      try {
        const status = await transport.post(url, {
          headers: { 'content-type': 'application/json' },
          body: text,
          signal: AbortSignal.any([signal, AbortSignal.timeout(LIMITS.keyEventPostTimeoutMs)]),
        });
        if (status >= 200 && status <= 299) return true;
        why = `status ${status}`;
        if (isForGood(status)) break;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
    }
    if (signal.aborted) return false;
    report(new Error(`event ${id} was not taken by ${new URL(url).origin}: ${why}`));
    return true;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ended.signal, ref: false }).catch(() => undefined);
  }
}

/** Whether a receiver that answered so will never take the event. */
function isForGood(status: number): boolean {
  return status >= 400 && status <= 499 && status !== 408 && status !== 429;
}
