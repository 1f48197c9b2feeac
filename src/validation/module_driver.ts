import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ModuleSettings } from '../token/module.js';
import { projectDirectory, type PinSource } from '../token/native.js';
import { returnValueName } from '../token/return_value.js';
import type { CheckContext } from './check_context.js';

const STDERR_CHARACTERS_MAX = 2_000;

/** The token that a driver opens: in a slot, or under a label. */
export interface DrivenToken {
  readonly modulePath: string;
  readonly settings: ModuleSettings;
  readonly place: { readonly slotId: number } | { readonly label: string };
  readonly userPin: PinSource;
}

/** What a call answered. */
export interface DrivenAnswer {
  readonly name: string;
  readonly call: string;
  readonly mechanism: number | undefined;
  readonly rv: number;
}

/** Scenarios of the program, and what they need to know. @source native/validate/scenario.h */
export interface DriverRequest {
  readonly scenario: string;
  readonly options?: Readonly<Record<string, string | number>>;
  /** The program is killed, and its silence is what was seen, after so long. */
  readonly timeLimitMs: number;
  /** Lets the C library look for damage of the heap at each call, which makes it slower. */
  readonly watchesHeap?: boolean;
}

/**
 * How a program ended: `ended` by itself, `refused` where the token could not be opened or made ready, `crashed`, `hung`, or `killed`
 * by the check.
 */
export type DriverEnding = 'ended' | 'refused' | 'crashed' | 'hung' | 'killed';

/** What a program said until its end. */
export interface DriverRun {
  readonly answers: readonly DrivenAnswer[];
  readonly facts: readonly { readonly name: string; readonly text: string }[];
  /** Calls that were begun, in order: the last is the one that ran where the program did not end by itself. */
  readonly begun: readonly { readonly name: string; readonly call: string }[];
  readonly ending: DriverEnding;
  /** The call that refused; null where none did. */
  readonly refusal: DrivenAnswer | null;
  /** How it ended, in words. */
  readonly how: string;
}

/** A program that runs: until it says something, or is killed. */
export class DrivenProcess {
  readonly ended: Promise<DriverRun>;
  readonly #child: ChildProcess;
  readonly #answers: DrivenAnswer[] = [];
  readonly #facts: { name: string; text: string }[] = [];
  readonly #begun: { name: string; call: string }[] = [];
  readonly #waiting = new Map<string, () => void>();
  #refusal: DrivenAnswer | null = null;
  #isOver = false;
  #killedAs: 'hung' | 'killed' | undefined;
  #stderr = '';

  constructor(token: DrivenToken, { scenario, options = {}, timeLimitMs, watchesHeap = false }: DriverRequest) {
    const program = join(projectDirectory(), 'build', 'validation_driver');
    const place = 'slotId' in token.place ? `slot=${token.place.slotId}` : `label=${token.place.label}`;
    const { libraryParameters } = token.settings;
    const values = [
      ...[`module=${token.modulePath}`, place, ...pinArguments('pin', token.userPin)],
      ...(libraryParameters === undefined ? [] : [`parameters=${libraryParameters}`]),
      // Bound deeply, a module would have a heap of its own that nobody watches, beside the one that is watched.
      ...(process.env['KEYFERRY_DEEPBIND'] === 'off' || watchesHeap ? ['deep-bind=off'] : []),
      ...Object.entries(options).map(([name, value]) => `${name}=${value}`),
    ];
    this.#child = spawn(program, [scenario, ...values], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...token.settings.environment,
        ...(watchesHeap ? { LD_PRELOAD: 'libc_malloc_debug.so.0', MALLOC_CHECK_: '3' } : {}),
      },
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX);
    });
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#onLine(line));
    }
    const timer = setTimeout(() => this.#kill('hung'), timeLimitMs);
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        clearTimeout(timer);
        resolve(this.#run(how));
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('close', (status, signal) => end(signal ?? `exit status ${status ?? 'unknown'}`));
    });
  }

  /** Resolves when the program has told a fact, or has ended without it. */
  async fact(name: string): Promise<void> {
    if (this.#facts.some((fact) => fact.name === name)) return;
    const told = new Promise<void>((resolve) => this.#waiting.set(name, resolve));
    await Promise.race([told, this.ended]);
  }

  /** Kills it, as nothing that it could do about. */
  kill(): void {
    this.#kill('killed');
  }

  #kill(as: 'hung' | 'killed'): void {
    this.#killedAs ??= as;
    this.#child.kill('SIGKILL');
  }

  #onLine(line: string): void {
    const [kind, name = '', second = '', third = '', fourth = ''] = line.split('\t');
    if (kind === 'begin') this.#begun.push({ name, call: second });
    if (kind === 'fact') {
      this.#facts.push({ name, text: second });
      this.#waiting.get(name)?.();
    }
    if (kind === 'answer') {
      const mechanism = third === '-' ? undefined : Number.parseInt(third, 16);
      this.#answers.push({ name, call: second, mechanism, rv: Number.parseInt(fourth, 16) });
    }
    if (kind === 'refused') {
      this.#refusal = { name: 'refused', call: name, mechanism: undefined, rv: Number.parseInt(second, 16) };
    }
    if (kind === 'end') this.#isOver = true;
  }

  #run(how: string): DriverRun {
    const ending = this.#killedAs ?? (this.#isOver ? 'ended' : this.#refusal === null ? 'crashed' : 'refused');
    const lastWords = this.#stderr.trim().split('\n').at(-1) ?? '';
    const words: Record<DriverEnding, string> = {
      ended: 'it came to its end',
      refused: `${this.#refusal?.call ?? ''} returned ${returnValueName(this.#refusal?.rv ?? 0)}`,
      crashed: `the process ended with ${how}`,
      hung: 'no answer within the time limit',
      killed: 'the process was killed',
    };
    return {
      answers: this.#answers,
      facts: this.#facts,
      begun: this.#begun,
      ending,
      refusal: this.#refusal,
      how: lastWords === '' || ending === 'killed' ? words[ending] : `${words[ending]}; it said last: ${lastWords}`,
    };
  }
}

/** A PIN's source as the program's arguments. */
export function pinArguments(name: string, pin: PinSource): readonly string[] {
  switch (pin.kind) {
    case 'file':
      return [`${name}-kind=file`, `${name}-where=${pin.path}`];
    case 'environment':
      return [`${name}-kind=environment`, `${name}-where=${pin.name}`];
    case 'prompt':
      return [`${name}-kind=prompt`, `${name}-where=${pin.label}`];
    case 'empty':
      return [`${name}-kind=empty`, `${name}-where=`];
  }
}

/** The token of a check, for programs; the check does not apply where they cannot open it. */
export function drivenTokenOf(context: CheckContext): DrivenToken {
  const { reference, module, slot } = context;
  if (reference === null) context.skip('it is not told how another process opens the token');
  if (reference.userPin.kind === 'prompt') {
    context.skip(
      'the PIN is asked for on the terminal, and this check opens the token in processes of its own: give --pin-file',
    );
  }
  return {
    modulePath: module.path,
    settings: module.settings,
    place: { slotId: slot.slotId },
    userPin: reference.userPin,
  };
}

/** Runs a program to its end. */
export function driveModule(token: DrivenToken, request: DriverRequest): Promise<DriverRun> {
  return new DrivenProcess(token, request).ended;
}

/** The text of a fact; undefined where it was not told. */
export function factOf(run: DriverRun, name: string): string | undefined {
  return run.facts.find((fact) => fact.name === name)?.text;
}

/** The number that a fact is; undefined where it was not told. */
export function numberOf(run: DriverRun, name: string): number | undefined {
  const text = factOf(run, name);
  return text === undefined ? undefined : Number(text);
}
