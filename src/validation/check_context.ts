import { KeyferryError } from '../errors.js';
import { TokenError } from '../token/errors.js';
import { factWords } from '../token/fact_words.js';
import type { Job, JobResult } from '../token/job.js';
import { mechanismName } from '../token/names.js';
import type { TokenModule } from '../token/module.js';
import type { PinSource } from '../token/native.js';
import type { OpenToken } from '../token/open_token.js';
import type { FactName, TokenProfile } from '../token/profile.js';
import { RawLibrary } from '../token/raw_library.js';
import { CKR } from '../token/return_value.js';
import type { Slot } from '../token/slot.js';
import { softwareRefusal } from '../token/software_refusal.js';
import type { CheckOutcome, CheckStatus, Measurement, Observation } from './check.js';
import { CheckJob, type KeyImport } from './key_import.js';
import { noConditions, type RunConditions } from './run_conditions.js';
import { SeededRandom } from './seeded_random.js';
import type { TokenReference } from './token_reference.js';

/** What a token answered to a job that may fail. */
export type Attempt<Value> =
  | { readonly ok: true; readonly value: Value; readonly call: 'none'; readonly rvName: 'CKR_OK' }
  | { readonly ok: false; readonly call: string; readonly rvName: string; readonly rv: number };

/** Thrown by a check that does not apply to this token. */
class NotApplicable extends Error {}

/** What one check works with, and where it says what it sees. */
export class CheckContext {
  readonly token: OpenToken;
  readonly module: TokenModule;
  readonly slot: Slot;
  /** What the probe found; null where the probe did not survive. */
  readonly profile: TokenProfile | null;
  /** Octets for this check alone: the same seed gives a check the same ones, whatever ran before. */
  readonly random: SeededRandom;
  readonly isQuick: boolean;
  /** Where the PIN of the security officer comes from; null where the run was given none. */
  readonly soPin: PinSource | null;
  /** How the token is opened, for checks that do so in processes of their own; null where that is not told. */
  readonly reference: TokenReference | null;
  /** What was said about this run. */
  readonly conditions: RunConditions;
  readonly #observations: Observation[] = [];
  readonly #measurements: Measurement[] = [];
  readonly #onObservation: (observation: Observation) => void;
  readonly #keyImport: KeyImport | null;
  #raw: RawLibrary | undefined;
  #reason: string | null = null;

  constructor(parts: {
    readonly token: OpenToken;
    readonly profile: TokenProfile | null;
    readonly seed: string;
    readonly checkId: string;
    readonly isQuick: boolean;
    /** How known secrets come in where `C_CreateObject` takes none. */
    readonly keyImport?: KeyImport | null;
    readonly onObservation: (observation: Observation) => void;
    readonly soPin?: PinSource | null;
    readonly reference?: TokenReference | null;
    readonly conditions?: RunConditions;
  }) {
    this.token = parts.token;
    this.module = parts.token.module;
    this.slot = parts.token.slot;
    this.profile = parts.profile;
    this.random = new SeededRandom(`${parts.seed} ${parts.checkId}`);
    this.isQuick = parts.isQuick;
    this.reference = parts.reference ?? null;
    this.conditions = parts.conditions ?? noConditions;
    this.#keyImport = parts.keyImport ?? null;
    this.#onObservation = parts.onObservation;
    this.soPin = parts.soPin ?? null;
  }

  /** Single calls that may be ill-formed, in this thread. */
  get raw(): RawLibrary {
    this.#raw ??= new RawLibrary(this.module);
    return this.#raw;
  }

  /**
   * Runs a job of well-formed calls.
   *
   * @throws {@link TokenError}; thrown on, it becomes a finding
   */
  async run<Outputs>(
    name: string,
    build: (job: Job) => Outputs,
  ): Promise<{ readonly result: JobResult; readonly outputs: Outputs }> {
    const job = new CheckJob(name, this.#keyImport);
    const outputs = build(job);
    return { result: await this.token.executor.run(job), outputs };
  }

  /** Runs a job that the token may refuse; a refusal is an answer. */
  async attempt<Outputs, Value>(
    name: string,
    build: (job: Job) => Outputs,
    read: (result: JobResult, outputs: Outputs) => Value,
  ): Promise<Attempt<Value>> {
    try {
      const { result, outputs } = await this.run(name, build);
      return { ok: true, value: read(result, outputs), call: 'none', rvName: 'CKR_OK' };
    } catch (error) {
      if (!(error instanceof TokenError) || error.severity !== 'call' || error.code === 'ERR_TOKEN_REFERENCE')
        throw error;
      return { ok: false, call: error.call, rvName: error.rvName, rv: error.rv };
    }
  }

  /** Says what was seen where something definite is expected. */
  expect(isAsExpected: boolean, observation: Omit<Observation, 'isAsExpected'>): void {
    this.#observe({ ...observation, isAsExpected });
  }

  /** Says what was seen where nothing definite is expected: a fact to choose strategies by. */
  record(what: string, seen: string, more: { readonly call?: string; readonly mechanism?: string } = {}): void {
    this.#observe({ what, ...more, expected: 'any answer', seen, isAsExpected: true });
  }

  /** Says how fast something was. */
  measure(measurement: Measurement): void {
    this.#measurements.push(measurement);
  }

  /** Whether the token takes no secret in clear, so that none comes out in clear either. */
  get hidesSecrets(): boolean {
    return this.#keyImport !== null;
  }

  /** Whether the probe found that something works. Known secrets may come in by another way than by `C_CreateObject`. */
  works(fact: FactName): boolean {
    if (fact === 'createSecretKey' && this.#keyImport !== null) return true;
    return this.profile?.facts[fact].works === true;
  }

  /** Ends the check as not applicable unless the probe found that all of this works. */
  need(...facts: readonly FactName[]): void {
    if (this.profile === null) this.skip('the probe did not complete, so that it is not known what the token can do');
    const missing = facts.filter((fact) => !this.works(fact));
    if (missing.length === 0) return;
    this.skip(missing.map((fact) => `${factWords[fact]}: ${this.profile?.facts[fact].answer ?? ''}`).join('; '));
  }

  /** Ends the check as not applicable unless the token lists all of these mechanisms. */
  needMechanism(...types: readonly number[]): void {
    const listed = new Set(this.slot.mechanisms().map(({ type }) => type));
    const missing = types.filter((type) => !listed.has(type));
    if (missing.length > 0) this.skip(`the token does not list ${missing.map(mechanismName).join(', ')}`);
  }

  /** Ends the check as not applicable. */
  skip(reason: string): never {
    throw new NotApplicable(reason);
  }

  /** Runs a check to its end; nothing that it throws goes further. For the process that runs checks. */
  async conduct(run: (context: CheckContext) => Promise<void>): Promise<void> {
    try {
      await run(this);
    } catch (error) {
      if (error instanceof NotApplicable) this.#reason = error.message;
      // A function that the module does not have is no failure of what it has.
      else if (error instanceof TokenError && error.rv === CKR.CKR_FUNCTION_NOT_SUPPORTED)
        this.#reason = `${error.call} returned ${error.rvName}`;
      else if (error instanceof TokenError) this.#observeFailure(error);
      else this.#observeUnusable(error);
    }
  }

  /** What the check came to. */
  outcome(): CheckOutcome {
    return {
      status: this.#status(),
      observations: this.#observations,
      measurements: this.#measurements,
      reason: this.#reason,
    };
  }

  #status(): CheckStatus {
    if (this.#observations.some(({ isAsExpected }) => !isAsExpected)) return 'finding';
    return this.#reason === null ? 'passed' : 'not-applicable';
  }

  /** What a token told and software cannot use: a point that is not on its curve. Any other error is one of the check. */
  #observeUnusable(error: unknown): void {
    const seen = softwareRefusal(error);
    if (seen === null) throw error;
    this.#observe({ what: 'what the token tells of its keys', expected: 'a key', seen, isAsExpected: false });
  }

  #observeFailure(error: TokenError): void {
    this.#observe({
      what: 'a call that the rest of the check needs',
      call: error.call,
      mechanism: error.mechanism,
      expected: 'CKR_OK',
      seen: error.rv === CKR.CKR_OK ? error.code : error.rvName,
      isAsExpected: false,
    });
  }

  #observe(observation: Observation): void {
    this.#observations.push(observation);
    this.#onObservation(observation);
  }
}

/** What became of a job, in words for an observation. */
export function answerOf(attempt: Attempt<unknown>): string {
  return attempt.ok ? 'CKR_OK' : `${attempt.call} returned ${attempt.rvName}`;
}

/** An error's text for an outcome that says that a check could not be run. */
export function failureText(error: unknown): string {
  if (error instanceof KeyferryError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
