import { mechanismName } from '../../../token/names.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import { LIMITS } from '../../../limits.js';
import type { CheckContext } from '../../check_context.js';
import {
  driveModule,
  drivenTokenOf,
  type DrivenAnswer,
  type DriverRequest,
  type DriverRun,
} from '../../module_driver.js';

/** Calls by which a program gets to the token: where one of them fails, nothing was checked. */
const OPENING = new Set(['C_GetFunctionList', 'C_Initialize', 'C_OpenSession', 'C_Login']);

/** What the calls of one name have to answer, in words and as a test. */
export interface Allowed {
  readonly words: string;
  readonly includes: (rv: number) => boolean;
}

/** One of these return values. */
export function oneOf(...names: readonly (keyof typeof CKR)[]): Allowed {
  const values: readonly number[] = names.map((name) => CKR[name]);
  return { words: names.join(' or '), includes: (rv) => values.includes(rv) };
}

/** Any answer but `CKR_OK`. */
export const aRefusal: Allowed = { words: 'a refusal', includes: (rv) => rv !== CKR.CKR_OK };
/** Nothing definite: a fact. */
export const anyAnswer: Allowed = { words: 'any answer', includes: () => true };

/** The words of an answer's call and mechanism, for an observation. */
export function callOf(answer: Pick<DrivenAnswer, 'call' | 'mechanism'>): { call: string; mechanism?: string } {
  return answer.mechanism === undefined
    ? { call: answer.call }
    : { call: answer.call, mechanism: mechanismName(answer.mechanism) };
}

/** Says whether an answer is one of those allowed. A function that the module does not have says nothing about what it was given. */
export function expectAnswer(context: CheckContext, answer: DrivenAnswer, allowed: Allowed, what = answer.name): void {
  if (answer.rv === CKR.CKR_FUNCTION_NOT_SUPPORTED && !allowed.includes(answer.rv)) {
    return context.record(what, returnValueName(answer.rv), callOf(answer));
  }
  context.expect(allowed.includes(answer.rv), {
    what,
    ...callOf(answer),
    expected: allowed.words,
    seen: returnValueName(answer.rv),
  });
}

/** Runs a scenario, and says where it did not come to its end. */
export async function drive(
  context: CheckContext,
  scenario: string,
  options: DriverRequest['options'] = {},
  more: { readonly timeLimitMs?: number; readonly watchesHeap?: boolean } = {},
): Promise<DriverRun> {
  const run = await driveModule(drivenTokenOf(context), {
    scenario,
    options,
    timeLimitMs: more.timeLimitMs ?? LIMITS.validationDriverMs,
    watchesHeap: more.watchesHeap ?? false,
  });
  expectEnd(context, run);
  return run;
}

/** Says what kept a program from its end. A token that another process cannot open is no finding of a check that needs one. */
export function expectEnd(context: CheckContext, run: DriverRun): void {
  if (run.ending === 'ended' || run.ending === 'killed') return;
  if (run.refusal !== null && run.ending === 'refused') {
    if (OPENING.has(run.refusal.call)) context.skip(`another process cannot open the token: ${run.how}`);
    if (run.refusal.rv === CKR.CKR_FUNCTION_NOT_SUPPORTED) {
      return context.record('the rest of the check', `was not tried: ${run.how}`, { call: run.refusal.call });
    }
    context.expect(false, {
      what: 'a call that the rest of the check needs',
      call: run.refusal.call,
      expected: 'CKR_OK',
      seen: returnValueName(run.refusal.rv),
    });
    return;
  }
  const last = run.begun.at(-1);
  context.expect(false, {
    what: last?.name ?? 'the start',
    call: last?.call,
    expected: 'an answer',
    seen: run.how,
  });
}

/** Runs a scenario of single cases; one that crashed or hung is a finding, and the next goes on behind it. */
export async function driveCases(
  context: CheckContext,
  scenario: string,
  options: Readonly<Record<string, string | number>>,
  allowed: (answer: DrivenAnswer) => Allowed,
): Promise<void> {
  for (let from = 0, deaths = 0; ;) {
    const run = await drive(context, scenario, { ...options, from }, { watchesHeap: true });
    for (const answer of run.answers) expectAnswer(context, answer, allowed(answer));
    from += run.begun.length;
    if (run.ending === 'ended' || run.ending === 'refused' || run.begun.length === 0) return;
    deaths += 1;
    if (deaths < LIMITS.validationDriverDeathsMax) continue;
    context.record('the other calls', 'were not tried: the module took down too many processes');
    return;
  }
}

/** Says of each answer whether its name allows it; a name that is not in the table is a fact. */
export function expectByName(context: CheckContext, run: DriverRun, table: Readonly<Record<string, Allowed>>): void {
  for (const answer of run.answers) expectAnswer(context, answer, table[answer.name] ?? anyAnswer);
}
