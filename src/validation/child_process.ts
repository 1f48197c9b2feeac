import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromChild, ToChild } from './child_message.js';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));
/** What a dying process said last is kept: the C library names a corrupted heap there. */
const STDERR_CHARACTERS_MAX = 2_000;

/** How a process ended without having answered. */
export interface Death {
  readonly kind: 'crashed' | 'hung' | 'stopped';
  /** `SIGSEGV`, or the exit status. */
  readonly how: string;
  /** What it said last on standard error. */
  readonly lastWords: string;
}

/** An answer, or how the process ended instead. */
export type Reply = FromChild | Death;

/** One process that runs checks: a question at a time, each with a time limit; ended for good by a crash or a hang. */
export class CheckProcess {
  readonly #child: ChildProcess;
  readonly #onObserved: (message: Extract<FromChild, { kind: 'observed' }>) => void;
  #stderr = '';
  #ended: Death | undefined;
  #answer: ((reply: Reply) => void) | undefined;
  #killedAs: 'hung' | 'stopped' | undefined;

  constructor(onObserved: (message: Extract<FromChild, { kind: 'observed' }>) => void) {
    this.#onObserved = onObserved;
    // MALLOC_CHECK_ and MALLOC_PERTURB_ let the C library notice damage where it knows them.
    this.#child = spawn(process.execPath, ['--enable-source-maps', CHILD], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, MALLOC_CHECK_: '3' },
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX);
    });
    this.#child.on('message', (message) => this.#onMessage(message as FromChild));
    this.#child.once('error', (error) => this.#end('crashed', error.message));
    this.#child.once('close', (status, signal) => this.#end('crashed', signal ?? `exit status ${status ?? 'unknown'}`));
  }

  /** Whether it can be asked. */
  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  /** Asks, and waits for the answer or the end. A process that does not answer in time is killed. */
  ask(message: ToChild, timeLimitMs: number): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.resolve(this.#ended);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#kill('hung'), timeLimitMs);
      this.#answer = (reply) => {
        clearTimeout(timer);
        this.#answer = undefined;
        resolve(reply);
      };
      this.#child.send(message, () => undefined);
    });
  }

  /** Kills it, because nobody wants its answer any more. */
  stop(): void {
    this.#kill('stopped');
  }

  /** Lets it close the token and finalise the module; how it ended where that was not well. */
  async end(timeLimitMs: number): Promise<Death | null> {
    if (this.#ended !== undefined) return null;
    const reply = await this.ask({ kind: 'end' }, timeLimitMs);
    return 'how' in reply && (reply.kind !== 'crashed' || reply.how !== 'exit status 0') ? reply : null;
  }

  #onMessage(message: FromChild): void {
    if (message.kind === 'observed') this.#onObserved(message);
    else this.#answer?.(message);
  }

  #kill(as: 'hung' | 'stopped'): void {
    if (this.#ended !== undefined) return;
    this.#killedAs ??= as;
    this.#child.kill('SIGKILL');
  }

  #end(kind: Death['kind'], how: string): void {
    this.#ended ??= { kind: this.#killedAs ?? kind, how, lastWords: this.#stderr.trim() };
    this.#answer?.(this.#ended);
  }
}
