import { LIMITS } from '../limits.js';
import type { TokenIdentity, TokenProfile } from '../token/profile.js';
import type { Check, CheckOutcome, Observation } from './check.js';
import type { OpenedToken } from './child_message.js';
import { CheckProcess, type Death, type Reply } from './child_process.js';
import { runEnvironment } from './environment.js';
import { ValidationError } from './errors.js';
import type { CheckResult, ValidationReport } from './result.js';
import { noConditions, type RunConditions } from './run_conditions.js';
import type { TokenReference } from './token_reference.js';
import { verdictsOf } from './verdict.js';

/** What happens while a validation runs. */
export type ValidationEvent =
  | { readonly kind: 'opened'; readonly identity: TokenIdentity }
  | { readonly kind: 'probed'; readonly profile: TokenProfile }
  | { readonly kind: 'incident'; readonly text: string }
  | { readonly kind: 'started'; readonly check: Check; readonly at: number; readonly of: number }
  | { readonly kind: 'finished'; readonly result: CheckResult };

/** What to validate, and how. */
export interface ValidationRequest {
  readonly reference: TokenReference;
  readonly checks: readonly Check[];
  /** URL of the module that exports the same `checks`, for the processes that run them. */
  readonly catalogue: string;
  readonly seed: string;
  readonly isQuick: boolean;
  /** What is said about the token and what may be done to it; nothing where it is left out. */
  readonly conditions?: RunConditions;
  readonly onEvent?: (event: ValidationEvent) => void;
  /** Ends the run: the check that runs is given up, and what ran is reported. */
  readonly signal?: AbortSignal;
}

const notRun = (reason: string, observations: readonly Observation[] = []): CheckOutcome => ({
  status: 'not-run',
  observations,
  measurements: [],
  reason,
});

function isDeath(reply: Reply): reply is Death {
  return reply.kind === 'crashed' || reply.kind === 'hung' || reply.kind === 'stopped';
}

function deathText(death: Death): string {
  const lastWords = death.lastWords === '' ? '' : `; it said last: ${death.lastWords.split('\n').at(-1) ?? ''}`;
  return death.kind === 'hung' ? 'no answer within the time limit' : `the process ended with ${death.how}${lastWords}`;
}

/**
 * Runs checks on a token, each in a process that it may take down: a crash or a hang is a finding of the check that ran, and a fresh process goes on.
 *
 * This process never loads the module.
 *
 * @returns what was found, also where `signal` ended the run early
 * @throws {@link ValidationError} `ERR_VALIDATION_START` where the token cannot be opened
 */
export async function runValidation(request: ValidationRequest): Promise<ValidationReport> {
  return new ValidationRun(request).run();
}

class ValidationRun {
  readonly #request: ValidationRequest;
  readonly #incidents: string[] = [];
  readonly #results: CheckResult[] = [];
  /** What the running check has said so far: it stays where the check takes its process down. */
  #observed: Observation[] = [];
  /** Checks that the present process has run. */
  #ranInProcess: string[] = [];
  #process: CheckProcess | undefined;
  #profile: TokenProfile | null = null;
  #identity: TokenIdentity | undefined;
  #token: OpenedToken | undefined;

  constructor(request: ValidationRequest) {
    this.#request = request;
  }

  async run(): Promise<ValidationReport> {
    const startedAt = new Date().toISOString();
    const { signal, checks } = this.#request;
    const onAbort = (): void => this.#process?.stop();
    signal?.addEventListener('abort', onAbort);
    try {
      await this.#openFirst();
      await this.#probe();
      for (const [at, check] of checks.entries()) {
        if (this.#isAborted) {
          this.#finish(check, notRun('the run was interrupted'), 0);
          continue;
        }
        this.#request.onEvent?.({ kind: 'started', check, at: at + 1, of: checks.length });
        await this.#runCheck(check);
      }
      if (this.#isAborted) await this.#cleanUp();
      else await this.#endProcess();
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#process?.stop();
    }
    return this.#report(startedAt);
  }

  get #isAborted(): boolean {
    return this.#request.signal?.aborted === true;
  }

  async #openFirst(): Promise<void> {
    const reply = await this.#open();
    if (reply === null) return;
    throw new ValidationError(
      'ERR_VALIDATION_START',
      `the token of ${this.#request.reference.module} cannot be opened: ${reply.text}`,
      {
        remedy: reply.remedy,
      },
    );
  }

  /** Starts a process and opens the token there; null when that went well. */
  async #open(): Promise<{ readonly text: string; readonly remedy: string | null } | null> {
    const { reference, catalogue, seed, isQuick, conditions = noConditions, onEvent } = this.#request;
    this.#ranInProcess = [];
    this.#process = new CheckProcess(({ observation }) => this.#observed.push(observation));
    const message = { kind: 'open', reference, catalogue, seed, isQuick, conditions, profile: this.#profile } as const;
    const reply = await this.#process.ask(message, LIMITS.validationOpenMs);
    if (reply.kind === 'opened') {
      if (this.#identity === undefined) onEvent?.({ kind: 'opened', identity: reply.identity });
      this.#identity ??= reply.identity;
      this.#token ??= reply.token;
      return null;
    }
    this.#process.stop();
    this.#process = undefined;
    if (isDeath(reply)) return { text: deathText(reply), remedy: null };
    return reply.kind === 'failed'
      ? { text: reply.message, remedy: reply.remedy }
      : { text: `the process answered ${reply.kind}`, remedy: null };
  }

  async #probe(): Promise<void> {
    const reply = await this.#process?.ask({ kind: 'probe' }, LIMITS.validationProbeMs);
    if (reply === undefined || this.#isAborted) return;
    if (reply.kind === 'probed') {
      this.#profile = reply.profile;
      this.#request.onEvent?.({ kind: 'probed', profile: reply.profile });
      return;
    }
    this.#incident(`while the token was probed: ${replyText(reply)}`);
    if (!isDeath(reply)) this.#process?.stop();
    this.#process = undefined;
  }

  async #runCheck(check: Check): Promise<void> {
    if (check.isDestructive === true) await this.#endProcess();
    const first = await this.#ask(check);
    const { reply } = first;
    if (reply.kind === 'done') {
      this.#finish(check, reply.outcome, reply.ms);
    } else if (this.#isAborted) {
      this.#finish(check, notRun('the run was interrupted', this.#observed), first.ms);
    } else if (isDeath(reply)) {
      await this.#afterDeath(check, reply, first);
    } else {
      this.#finish(check, notRun(replyText(reply), this.#observed), first.ms);
    }
    if (check.isDestructive === true) await this.#endProcess();
  }

  /**
   * A process that dies may have been damaged by an earlier check: the one that ran is run again, alone. Whatever a check is about,
   * a module that takes the process down blocks its flows.
   */
  async #afterDeath(
    check: Check,
    death: Death,
    first: { readonly earlier: readonly string[]; readonly ms: number },
  ): Promise<void> {
    const observed = [...this.#observed];
    const crash: Observation = {
      what: death.kind === 'hung' ? 'the check comes to an end' : 'the module leaves the process running',
      expected: 'an answer',
      seen: deathText(death),
      isAsExpected: false,
    };
    if (death.kind === 'hung' || first.earlier.length === 0) {
      this.#finish(
        check,
        { status: 'finding', observations: [...observed, crash], measurements: [], reason: null },
        first.ms,
        'blocks',
      );
      return;
    }
    const again = await this.#ask(check);
    if (this.#isAborted) return this.#finish(check, notRun('the run was interrupted', [...observed, crash]), first.ms);
    const isSame = isDeath(again.reply);
    const where: Observation = {
      what: 'the same check, alone in a fresh process',
      expected: 'an answer',
      seen: isDeath(again.reply)
        ? deathText(again.reply)
        : `it came to its end: memory may have been damaged by an earlier check (${first.earlier.join(', ')})`,
      isAsExpected: !isSame,
    };
    const observations = again.reply.kind === 'done' ? again.reply.outcome.observations : observed;
    this.#finish(
      check,
      { status: 'finding', observations: [...observations, crash, where], measurements: [], reason: null },
      first.ms + again.ms,
      'blocks',
    );
  }

  async #ask(
    check: Check,
  ): Promise<{ readonly reply: Reply; readonly earlier: readonly string[]; readonly ms: number }> {
    this.#observed = [];
    const startedMs = performance.now();
    if (this.#process?.isAlive !== true) {
      const refusal = await this.#open();
      if (refusal !== null) {
        const message = `the token could not be opened again: ${refusal.text}`;
        return { reply: { kind: 'failed', code: 'ERR_VALIDATION_START', message, remedy: null }, earlier: [], ms: 0 };
      }
    }
    const earlier = this.#ranInProcess;
    this.#ranInProcess = [...earlier, check.id];
    const limitMs = this.#timeLimitOf(check) * (this.#request.isQuick ? 1 : LIMITS.validationWholeRunFactor);
    const asked = this.#process?.ask({ kind: 'run', checkId: check.id }, limitMs);
    const reply: Reply = (await asked) ?? { kind: 'stopped', how: 'SIGKILL', lastWords: '' };
    return { reply, earlier, ms: performance.now() - startedMs };
  }

  #timeLimitOf({ timeLimitMs, waitsIdle }: Check): number {
    const { idleMinutes } = this.#request.conditions ?? noConditions;
    return timeLimitMs + (waitsIdle === true ? idleMinutes * 60_000 : 0);
  }

  /** Removes from the token what an interrupted check may have left there. */
  async #cleanUp(): Promise<void> {
    this.#process?.stop();
    if ((await this.#open()) !== null) return;
    await this.#process?.ask({ kind: 'clean' }, LIMITS.validationOpenMs);
    await this.#process?.end(LIMITS.validationEndMs);
    this.#process = undefined;
  }

  async #endProcess(): Promise<void> {
    const death = await this.#process?.end(LIMITS.validationEndMs);
    if (death !== undefined && death !== null) {
      this.#incident(`while the module was finalised after ${this.#ranInProcess.join(', ')}: ${deathText(death)}`);
    }
    this.#process = undefined;
  }

  #incident(text: string): void {
    this.#incidents.push(text);
    this.#request.onEvent?.({ kind: 'incident', text });
  }

  #finish(check: Check, outcome: CheckOutcome, ms: number, severity = check.severity): void {
    const { id, group, title, flows, source, remedy, attack, means } = check;
    const { status, reason } = outcome;
    const result: CheckResult = {
      ...{ id, group, title, severity, flows: [...flows], source, remedy, status, reason, ms },
      ...(attack !== undefined && { attack }),
      ...(means !== undefined && { means: { ...means } }),
      observations: [...outcome.observations],
      measurements: [...outcome.measurements],
    };
    this.#results.push(result);
    this.#request.onEvent?.({ kind: 'finished', result });
  }

  #report(startedAt: string): ValidationReport {
    const identity = this.#identity;
    if (identity === undefined) throw new TypeError('a run without an open token has no report');
    const { dialect } = this.#request.reference;
    return {
      version: 1,
      startedAt,
      endedAt: new Date().toISOString(),
      isComplete: !this.#isAborted,
      isQuick: this.#request.isQuick,
      seed: this.#request.seed,
      environment: { ...runEnvironment() },
      identity,
      ...(this.#token === undefined ? {} : { token: this.#token }),
      profile: this.#profile,
      ...(dialect === undefined ? {} : { dialect }),
      checks: this.#results,
      incidents: this.#incidents,
      verdicts: [...verdictsOf(this.#profile, this.#results)],
    };
  }
}

function replyText(reply: Reply): string {
  if (isDeath(reply)) return deathText(reply);
  return reply.kind === 'failed' ? reply.message : `the process answered ${reply.kind}`;
}
