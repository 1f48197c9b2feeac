import type { IncomingMessage, ServerResponse } from 'node:http';
import { goneSignal } from '../http_exchange.js';
import { LIMITS } from '../limits.js';
import type { ConsoleLab, LabEvent } from './console_lab.js';
import { ConsoleError } from './errors.js';
import type { ConsoleSession } from './sessions.js';

interface Stream {
  readonly response: ServerResponse;
  readonly isOperator: boolean;
}

/**
 * What happens in the lab, as server-sent events: `changed`, `lab` and `trace`. They are hints without contents but for operators: a page
 * that hears of a change asks again, with the rights of its principal. The lab is watched only while somebody listens.
 *
 * @source WHATWG HTML, server-sent events
 */
export class LabEventStreams {
  readonly #lab: ConsoleLab;
  readonly #report: (failure: unknown) => void;
  readonly #streams = new Set<Stream>();
  #watch: AbortController | undefined;

  constructor(lab: ConsoleLab, report: (failure: unknown) => void) {
    this.#lab = lab;
    this.#report = report;
  }

  /**
   * Answers one page until it goes, or its session ends.
   *
   * @throws {@link ConsoleError} `ERR_CONSOLE_BUSY`
   */
  async serve(
    _request: IncomingMessage,
    response: ServerResponse,
    session: ConsoleSession & { readonly isOperator: boolean },
  ): Promise<void> {
    if (this.#streams.size >= LIMITS.consoleStreamsMax) {
      throw new ConsoleError('ERR_CONSOLE_BUSY', `${LIMITS.consoleStreamsMax} pages are open already`, {
        retryable: true,
      });
    }
    const stream: Stream = { response, isOperator: session.isOperator };
    this.#streams.add(stream);
    this.#start();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 1000\nevent: hello\ndata: {}\n\n');
    const heartbeat = setInterval(() => response.write(':\n\n'), LIMITS.consoleHeartbeatMs);
    const gone = AbortSignal.any([goneSignal(response), session.ended]);
    if (!gone.aborted) await new Promise((resolve) => gone.addEventListener('abort', resolve, { once: true }));
    clearInterval(heartbeat);
    this.#streams.delete(stream);
    response.end();
    if (this.#streams.size === 0) this.close();
  }

  /** Stops watching. */
  close(): void {
    this.#watch?.abort();
    this.#watch = undefined;
  }

  #start(): void {
    if (this.#watch !== undefined) return;
    const watch = new AbortController();
    this.#watch = watch;
    void this.#lab
      .watch((event) => this.#tell(event), watch.signal)
      .catch((error: unknown) => {
        if (!watch.signal.aborted) this.#report(error);
      });
  }

  #tell({ type, ...data }: LabEvent): void {
    const text = `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const { response, isOperator } of this.#streams) {
      if (type === 'trace' && !isOperator) continue;
      // Who does not read is not written to for ever: a page that missed something asks again when it comes back.
      if (response.writableLength > LIMITS.consoleAnswerBytesMax) response.destroy();
      else response.write(text);
    }
  }
}
