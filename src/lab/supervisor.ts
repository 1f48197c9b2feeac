import { setTimeout as sleep } from 'node:timers/promises';
import { programFailure, startChild, type ChildProgram, type ProgramSpec } from './child_program.js';
import { LabError } from './errors.js';
import { isFinal } from './exit_status.js';
import type { ProgramMessage } from './program_message.js';
import type { ProgramState, StateDirectory } from './state_directory.js';

/** How patiently programs are started, restarted and stopped, milliseconds. */
export interface SupervisorTimes {
  /** Until a program has to be ready; a token that is probed again takes a few seconds. */
  readonly readyMsMax: number;
  /** First pause before a restart; doubled for each further one, up to `restartMsMax`. */
  readonly restartMs: number;
  readonly restartMsMax: number;
  /** A program that ran for so long starts with the first pause again. */
  readonly stableMs: number;
  /** Until a program that was asked to stop is killed. */
  readonly stopMsMax: number;
}

const TIMES: SupervisorTimes = {
  readyMsMax: 60_000,
  restartMs: 200,
  restartMsMax: 10_000,
  stableMs: 30_000,
  stopMsMax: 10_000,
};

interface Supervised {
  readonly spec: ProgramSpec;
  child: ChildProgram;
  url: string;
  state: string;
  restarts: number;
  problem: ProgramState['problem'];
}

/** Runs the programs of a lab and starts those again that die. */
export class Supervisor {
  readonly #directory: StateDirectory;
  readonly #times: SupervisorTimes;
  readonly #onChange: () => void;
  readonly #programs = new Map<string, Supervised>();
  readonly #stop = new AbortController();
  readonly #watches = new Set<Promise<void>>();

  /** @param onChange - called whenever {@link Supervisor.states} has changed */
  constructor(
    directory: StateDirectory,
    options: { readonly onChange: () => void; readonly times?: Partial<SupervisorTimes> },
  ) {
    this.#directory = directory;
    this.#onChange = options.onChange;
    this.#times = { ...TIMES, ...options.times };
  }

  /**
   * Starts a program and waits until it is ready; from then on it is started again whenever it ends by itself.
   *
   * @returns its URL
   * @throws {@link LabError} `ERR_LAB_PROGRAM` where it ends instead, `ERR_LAB_TIMEOUT`
   */
  async start(spec: ProgramSpec): Promise<string> {
    if (this.#stop.signal.aborted) throw new LabError('ERR_LAB_PROGRAM', 'The lab is stopping');
    const program: Supervised = {
      spec,
      child: startChild(this.#directory, spec),
      url: '',
      state: 'starting',
      restarts: 0,
      problem: null,
    };
    this.#programs.set(spec.name, program);
    this.#onChange();
    const failure = await this.#untilReady(program);
    if (failure !== undefined) {
      this.#change(program, 'failed');
      throw failure;
    }
    const watch = this.#watch(program).finally(() => this.#watches.delete(watch));
    this.#watches.add(watch);
    return program.url;
  }

  /** Every program by name. */
  states(): Readonly<Record<string, ProgramState>> {
    return Object.fromEntries(
      [...this.#programs].map(([name, { url, state, restarts, problem, child }]) => [
        name,
        { url, state, restarts, problem, process: state === 'running' || state === 'starting' ? child.identity : null },
      ]),
    );
  }

  /** Stops all programs, and waits until they are gone. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const programs = [...this.#programs.values()];
    await Promise.all(
      programs.map(async ({ child }) => {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), this.#times.stopMsMax);
        await child.ended;
        clearTimeout(timer);
      }),
    );
    await Promise.all([...this.#watches]);
    this.#onChange();
  }

  async #untilReady(program: Supervised): Promise<LabError | undefined> {
    const late = new AbortController();
    const timeout = sleep(this.#times.readyMsMax, 'late' as const, { signal: late.signal }).catch(
      () => 'late' as const,
    );
    const message = await Promise.race([program.child.firstMessage, timeout]);
    late.abort();
    const { name } = program.spec;
    if (message === 'late') {
      program.child.kill('SIGKILL');
      return new LabError('ERR_LAB_TIMEOUT', `${name} was not ready after ${this.#times.readyMsMax / 1000} seconds`, {
        details: { program: name, log: this.#directory.log(name) },
        remedy: `read ${this.#directory.log(name)}`,
      });
    }
    if (message?.kind === 'ready') {
      program.url = message.url;
      this.#change(program, 'running');
      return undefined;
    }
    const { status, signal } = await program.child.ended;
    return programFailure(this.#directory, name, {
      message,
      how: signal === null ? `ended with status ${status}` : `was ended by ${signal}`,
    });
  }

  /** Starts a program again for as long as it dies, until the lab stops or starting it cannot help. */
  async #watch(program: Supervised): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const startedMs = performance.now();
      const { status, signal } = await program.child.ended;
      if (this.#stop.signal.aborted) return this.#change(program, 'stopped');
      const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
      const message = await program.child.firstMessage;
      program.problem = this.#problem(program, message, how);
      if (isFinal(status)) return this.#change(program, `stopped: ${program.problem.message}`);
      if (performance.now() - startedMs > this.#times.stableMs) attempt = 0;
      this.#change(program, `${how}, starts again`);
      const pauseMs = Math.min(this.#times.restartMs * 2 ** Math.min(attempt, 16), this.#times.restartMsMax);
      await sleep(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) return this.#change(program, 'stopped');
      program.child = startChild(this.#directory, program.spec);
      program.restarts += 1;
      this.#change(program, 'starting');
      await this.#untilReady(program);
    }
  }

  #problem({ spec }: Supervised, said: ProgramMessage | undefined, how: string): NonNullable<ProgramState['problem']> {
    if (said?.kind === 'failed') return { message: said.message, remedy: said.remedy };
    return { message: how, remedy: `read ${this.#directory.log(spec.name)}` };
  }

  #change(program: Supervised, state: string): void {
    program.state = state;
    this.#onChange();
  }
}
