import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { KeyEventPlace, KeyEventSource } from '../../audit/key_event.js';
import { goneSignal, sendJson } from '../../http_exchange.js';

/** Subscribers of one region at the same time. */
const SUBSCRIBERS_MAX = 64;
/** How often a silent stream shows that it lives, milliseconds. */
const HEARTBEAT_MS = 15_000;
const EVENT_ID = /^[\w-]{1,64}$/u;

/**
 * Key events as server-sent events: `GET /key-events`, those to come; `?from=start`, all that are kept; with the header
 * `Last-Event-ID`, those after the one that was seen last. Each is handed on at least once.
 *
 * @source WHATWG HTML, server-sent events
 */
export class EventStream {
  readonly #events: KeyEventSource;
  #subscribers = 0;

  constructor(events: KeyEventSource) {
    this.#events = events;
  }

  /** Answers one subscriber until it goes. */
  async serve(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const from = placeOf(request, query);
    if (from === undefined) {
      const message = 'from is start or end, and Last-Event-ID the id of an event';
      return sendJson(response, 400, { code: 'ERR_ADMIN_FORM', message });
    }
    if (this.#subscribers >= SUBSCRIBERS_MAX) {
      return sendJson(response, 503, {
        code: 'ERR_ADMIN_BUSY',
        message: `There are ${SUBSCRIBERS_MAX} subscribers already`,
      });
    }
    this.#subscribers += 1;
    const gone = goneSignal(response);
    const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS);
    heartbeat.unref();
    try {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.flushHeaders();
      for await (const lines of this.#events.follow(from, gone)) {
        const taken = response.write(lines.map(({ id, text }) => `id: ${id}\ndata: ${text}\n\n`).join(''));
        // Who reads slowly is read to slowly: nothing is kept for it.
        if (!taken) await once(response, 'drain', { signal: gone }).catch(() => undefined);
      }
    } finally {
      clearInterval(heartbeat);
      this.#subscribers -= 1;
      response.end();
    }
  }
}

/** Undefined for what is no place. */
function placeOf({ headers }: IncomingMessage, query: URLSearchParams): KeyEventPlace | undefined {
  const afterId = headers['last-event-id'];
  if (typeof afterId === 'string' && afterId !== '') return EVENT_ID.test(afterId) ? { afterId } : undefined;
  const from = query.get('from') ?? 'end';
  return from === 'start' || from === 'end' ? from : undefined;
}
