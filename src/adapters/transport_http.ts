import { setMaxListeners } from 'node:events';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyferryError } from '../errors.js';
import { readBody } from '../http_exchange.js';
import type { Transport } from '../replication/ports.js';

/** Why a message cannot be handed to the network, now or ever. A lost connection is no error: it is tried again. */
export type TransportErrorCode =
  | 'ERR_TRANSPORT_REFUSED' // the proxy will never take this message: too large, or a bad name
  | 'ERR_TRANSPORT_CLOSED' // the transport was closed before the proxy had the message
  | 'ERR_TRANSPORT_BUSY'; // too many messages wait for the proxy already

/** A failure of the transport; `details.status` is the proxy's HTTP status where there was one. */
export class TransportError extends KeyferryError<TransportErrorCode> {}

/** How a region reaches its proxy. */
export interface HttpTransportOptions {
  /** Base URL of the proxy, `http:` or `https:`. */
  readonly proxyUrl: string;
  /** This region: the queue that is read. */
  readonly region: string;
  /** First and longest pause between attempts, milliseconds. */
  readonly backoffMs?: { readonly first: number; readonly max: number };
  /** Told when the proxy is lost, with the reason, and when it is back. */
  readonly onLink?: (state: { readonly up: boolean; readonly reason: string }) => void;
}

/** Bounds of one region's side of the transport. */
const LIMITS = {
  /** Messages that wait for the proxy to take them. */
  sendsMax: 4_096,
  /** Messages in the hands of the receiver at the same time. */
  receivesMax: 16,
  /** Attempts to hand one message to the receiver before it is left in the queue until the next start. */
  receiveAttemptsMax: 8,
  /** How long one poll waits at the proxy, milliseconds. */
  pollWaitMs: 20_000,
  /** How long the proxy may be silent beyond that, milliseconds. */
  answerMs: 10_000,
  /** Octets of one answer: a batch of 1 MiB, base64, and its JSON. */
  answerOctetsMax: 2 * 1024 * 1024,
  /** Time that `close` gives to the last acknowledgements, milliseconds. */
  closeMs: 1_000,
} as const;

interface ReceivedMessage {
  readonly id: number;
  readonly octets: string;
}

interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
}

/**
 * The transport of a region: HTTP to the proxy, always dialled from here. Messages are sent until the proxy has stored them, and
 * acknowledged when the receiver is done with them, so each arrives at least once. Reconnects for ever.
 */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #backoffMs: { readonly first: number; readonly max: number };
  readonly #base: URL;
  readonly #agent: HttpAgent;
  readonly #stop = new AbortController();
  readonly #inHand = new Set<Promise<void>>();
  readonly #acknowledged: number[] = [];
  #isFlushing = false;
  #loop: Promise<void> | undefined;
  #sends = 0;
  #linkUp: boolean | undefined;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    // Every call and every pause listens until its end, and there are as many as messages to send.
    setMaxListeners(0, this.#stop.signal);
    this.#backoffMs = options.backoffMs ?? { first: 50, max: 5_000 };
    this.#base = new URL(options.proxyUrl);
    const agentOptions = { keepAlive: true, keepAliveMsecs: 10_000, maxSockets: 32 };
    this.#agent = this.#base.protocol === 'https:' ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  }

  /**
   * Resolves when the proxy has stored the message; waits as long as the proxy is away or its queue is full.
   *
   * @throws {@link TransportError} `ERR_TRANSPORT_REFUSED`, `ERR_TRANSPORT_CLOSED`, `ERR_TRANSPORT_BUSY`
   */
  async send(destination: string, octets: Uint8Array): Promise<void> {
    if (this.#sends >= LIMITS.sendsMax) {
      throw new TransportError('ERR_TRANSPORT_BUSY', 'Too many messages wait for the proxy', { retryable: true });
    }
    this.#sends += 1;
    try {
      await this.#untilDone(async () => {
        const answer = await this.#call('POST', `/v1/regions/${encodeURIComponent(destination)}/messages`, {
          body: octets,
        });
        if (answer.status === 201) return;
        if (answer.status === 400 || answer.status === 403 || answer.status === 404 || answer.status === 413) {
          throw new TransportError(
            'ERR_TRANSPORT_REFUSED',
            `The proxy refused a message to ${destination}: ${errorText(answer)}`,
            {
              details: { status: answer.status, destination, octets: octets.length },
            },
          );
        }
        throw new Error(`the proxy answered ${answer.status}`);
      });
    } finally {
      this.#sends -= 1;
    }
  }

  listen(receive: (octets: Uint8Array) => Promise<void>): void {
    if (this.#loop !== undefined) throw new Error('listen was called twice');
    this.#loop = this.#receiveLoop(receive).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  /** Stops receiving, waits for the messages in hand, and acknowledges them if the proxy is there. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.allSettled([...this.#inHand]);
    // Whatever is not acknowledged now comes again after the next start.
    await Promise.race([this.#flushOnce().catch(() => undefined), sleep(LIMITS.closeMs, undefined, { ref: false })]);
    this.#agent.destroy();
  }

  async #receiveLoop(receive: (octets: Uint8Array) => Promise<void>): Promise<void> {
    let after = 0;
    let queueId: string | undefined;
    while (!this.#stop.signal.aborted) {
      const taken = await this.#untilDone(() => this.#poll(after, queueId));
      queueId = taken.queueId;
      for (const message of taken.messages) {
        if (this.#inHand.size >= LIMITS.receivesMax) await Promise.race(this.#inHand);
        if (this.#stop.signal.aborted) return;
        after = message.id;
        const work = this.#handOver(message, receive).finally(() => this.#inHand.delete(work));
        this.#inHand.add(work);
      }
    }
  }

  async #handOver(message: ReceivedMessage, receive: (octets: Uint8Array) => Promise<void>): Promise<void> {
    const octets = new Uint8Array(Buffer.from(message.octets, 'base64'));
    for (let attempt = 0; attempt < LIMITS.receiveAttemptsMax; attempt += 1) {
      try {
        await receive(octets);
        this.#acknowledged.push(message.id);
        void this.#flush();
        return;
      } catch {
        // The receiver could not finish; the message stays in the proxy's queue and is offered again.
        if (this.#stop.signal.aborted) return;
        await this.#pause(attempt);
      }
    }
  }

  /** The queue's identity goes with `after`: in another queue, which numbers its messages anew, it means nothing. */
  async #poll(
    after: number,
    queueId: string | undefined,
  ): Promise<{ readonly queueId: string; readonly messages: readonly ReceivedMessage[] }> {
    const query = new URLSearchParams({ after: String(after), wait: String(LIMITS.pollWaitMs) });
    if (queueId !== undefined) query.set('queue', queueId);
    const answer = await this.#call('GET', `/v1/regions/${encodeURIComponent(this.#options.region)}/messages?${query}`);
    if (answer.status !== 200) throw new Error(`the proxy answered ${answer.status}`);
    return parseTaken(answer.body);
  }

  /** Acknowledges what is done, one request at a time. */
  async #flush(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      while (this.#acknowledged.length > 0) await this.#untilDone(() => this.#flushOnce());
    } catch {
      // Only when the transport is closed; `close` tries once more.
    } finally {
      this.#isFlushing = false;
    }
  }

  async #flushOnce(): Promise<void> {
    const ids = this.#acknowledged.slice(0, 1_000);
    if (ids.length === 0) return;
    const path = `/v1/regions/${encodeURIComponent(this.#options.region)}/acknowledgements`;
    const signal = this.#stop.signal.aborted ? null : this.#stop.signal;
    const answer = await this.#call('POST', path, { body: Buffer.from(JSON.stringify({ ids })), signal });
    if (answer.status !== 204) throw new Error(`the proxy answered ${answer.status}`);
    this.#acknowledged.splice(0, ids.length);
  }

  /** Repeats a call to the proxy with growing pauses until it succeeds, is refused for good, or the transport is closed. */
  async #untilDone<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      if (this.#stop.signal.aborted) throw closed();
      try {
        const result = await call();
        this.#reportLink(true, 'the proxy answers');
        return result;
      } catch (error) {
        if (error instanceof TransportError) throw error;
        if (this.#stop.signal.aborted) throw closed();
        this.#reportLink(false, error instanceof Error ? error.message : String(error));
        await this.#pause(attempt);
      }
    }
  }

  /** Waits before the next attempt: doubled each time, with jitter so that regions do not come back in step. */
  async #pause(attempt: number): Promise<void> {
    const ceiling = Math.min(this.#backoffMs.max, this.#backoffMs.first * 2 ** Math.min(attempt, 20));
    await sleep(ceiling * (0.5 + Math.random() / 2), undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  #reportLink(up: boolean, reason: string): void {
    if (this.#linkUp === up) return;
    this.#linkUp = up;
    this.#options.onLink?.({ up, reason });
  }

  /** One request; `signal: null` for the last one of all, which the end of the transport does not stop. */
  #call(
    method: 'GET' | 'POST',
    path: string,
    options: { body?: Uint8Array; signal?: AbortSignal | null } = {},
  ): Promise<Answer> {
    const { body, signal = this.#stop.signal } = options;
    return new Promise((resolve, reject) => {
      const send = this.#base.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(
        new URL(path, this.#base),
        {
          method,
          agent: this.#agent,
          timeout: LIMITS.pollWaitMs + LIMITS.answerMs,
          headers:
            body === undefined ? {} : { 'content-type': 'application/octet-stream', 'content-length': body.length },
          ...(signal === null ? {} : { signal }),
        },
        (response: IncomingMessage) => {
          readBody(response, { octetsMax: LIMITS.answerOctetsMax }).then(
            (octets) => resolve({ status: response.statusCode ?? 0, body: octets }),
            (error: unknown) => {
              request.destroy();
              reject(error);
            },
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error('the proxy is silent')));
      request.on('error', reject);
      request.end(body);
    });
  }
}

/** The proxy is not trusted to answer in the agreed form either. */
function parseTaken(body: Uint8Array): { readonly queueId: string; readonly messages: readonly ReceivedMessage[] } {
  const value = JSON.parse(Buffer.from(body).toString('utf8')) as Record<string, unknown> | null;
  const messages = value?.['messages'];
  const queueId = value?.['queueId'];
  if (typeof queueId !== 'string' || !Array.isArray(messages)) throw new Error('the proxy answered in an unknown form');
  return {
    queueId,
    messages: messages.map((message: unknown) => {
      const { id, octets } = (message ?? {}) as Record<string, unknown>;
      if (typeof id !== 'number' || !Number.isSafeInteger(id) || typeof octets !== 'string') {
        throw new Error('the proxy answered in an unknown form');
      }
      return { id, octets };
    }),
  };
}

function errorText(answer: Answer): string {
  return Buffer.from(answer.body.subarray(0, 512))
    .toString('utf8')
    .replace(/[^\x20-\x7e]+/gu, ' ')
    .trim();
}

function closed(): TransportError {
  return new TransportError('ERR_TRANSPORT_CLOSED', 'The transport was closed', { retryable: true });
}
