// The process in which the module lives and checks run. The runner starts it, and a new one after each crash.
import { KeyferryError } from '../errors.js';
import { tokenFlagNames } from '../token/flag_names.js';
import type { PinSource } from '../token/native.js';
import type { OpenToken } from '../token/open_token.js';
import { probeToken, tokenIdentity } from '../token/probe/probe.js';
import type { TokenProfile } from '../token/profile.js';
import type { Check, Observation } from './check.js';
import { CheckContext, failureText } from './check_context.js';
import type { FromChild, ToChild } from './child_message.js';
import { prepareKeyImport, type KeyImport } from './key_import.js';
import { countObjects, destroyLeftovers, type ObjectCount } from './object_watch.js';
import type { RunConditions } from './run_conditions.js';
import { openReferredToken } from './token_opening.js';
import type { TokenReference } from './token_reference.js';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

interface Opened {
  readonly token: OpenToken;
  readonly checks: ReadonlyMap<string, Check>;
  readonly seed: string;
  readonly isQuick: boolean;
  profile: TokenProfile | null;
  keyImport: KeyImport | null;
  readonly soPin: PinSource | null;
  readonly reference: TokenReference;
  readonly conditions: RunConditions;
}

let opened: Opened | undefined;

/** Resolves when the message has been handed to the system, so that it outlives a crash that follows. */
function say(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

function whatIsOpen(): Opened {
  if (opened === undefined) throw new Error('the token is not open yet');
  return opened;
}

async function open(message: Extract<ToChild, { kind: 'open' }>): Promise<void> {
  const { checks } = (await import(message.catalogue)) as { readonly checks: readonly Check[] };
  const token = await openReferredToken(message.reference);
  opened = {
    token,
    checks: new Map(checks.map((check) => [check.id, check])),
    seed: message.seed,
    isQuick: message.isQuick,
    profile: message.profile,
    keyImport: null,
    soPin: message.reference.soPin,
    reference: message.reference,
    conditions: message.conditions,
  };
  const { flags, sessionCountMax } = token.slot.token();
  await say({
    kind: 'opened',
    identity: tokenIdentity(token.module, token.slot),
    token: { slot: token.slot.description, flags: [...tokenFlagNames(flags)], sessionCountMax },
  });
}

async function probe(): Promise<void> {
  const state = whatIsOpen();
  state.profile = await probeToken(state.token, clock);
  await say({ kind: 'probed', profile: state.profile });
}

/** What an object count says about a check that should have left none behind. */
function leftoverObservation(before: ObjectCount, after: ObjectCount): Observation {
  const text = ({ token, session }: ObjectCount): string => `${token} token objects, ${session} session objects`;
  return {
    what: 'every object of the check is gone at its end',
    call: 'C_DestroyObject',
    expected: text(before),
    seen: text(after),
    isAsExpected: false,
  };
}

/** The way in for known secrets, made anew where sessions were lost since. */
async function currentKeyImport(state: Opened): Promise<KeyImport | null> {
  const { executor } = state.token;
  if (state.profile !== null && state.keyImport?.epoch !== executor.epoch) {
    state.keyImport = await prepareKeyImport(executor, state.profile);
  }
  return state.keyImport;
}

async function run(checkId: string): Promise<void> {
  const { token, checks, seed, isQuick, profile, soPin, reference, conditions } = whatIsOpen();
  const check = checks.get(checkId);
  if (check === undefined) throw new Error(`there is no check ${checkId}`);
  const pending: Promise<void>[] = [];
  const onObservation = (observation: Observation): void => {
    pending.push(say({ kind: 'observed', checkId, observation }));
  };
  const keyImport = await currentKeyImport(whatIsOpen());
  const context = new CheckContext({
    ...{ token, profile, seed, checkId, isQuick, keyImport, soPin, reference, conditions },
    onObservation,
  });
  const before = await countObjects(token.executor);
  const startedMs = performance.now();
  await context.conduct((itself) => check.run(itself));
  const ms = performance.now() - startedMs;
  // A check that closed the module's sessions on purpose says so itself; the next one gets a process of its own.
  if (check.isDestructive !== true) {
    const after = await countObjects(token.executor);
    if (after.token !== before.token || after.session !== before.session) {
      await destroyLeftovers(token.executor);
      const { isAsExpected, ...observation } = leftoverObservation(before, after);
      context.expect(isAsExpected, observation);
    }
  }
  await Promise.all(pending);
  await say({ kind: 'done', checkId, outcome: context.outcome(), ms });
}

async function end(): Promise<void> {
  await opened?.token.close();
  opened?.token.module.close();
  if (process.connected) process.disconnect();
}

function handle(message: ToChild): Promise<void> {
  switch (message.kind) {
    case 'open':
      return open(message);
    case 'probe':
      return probe();
    case 'run':
      return run(message.checkId);
    case 'clean':
      return destroyLeftovers(whatIsOpen().token.executor).then((removed) => say({ kind: 'cleaned', removed }));
    case 'end':
      return end();
  }
}

process.umask(0o077);
// Ctrl-C goes to every process of the terminal; the runner decides what is done about it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (message: ToChild) => {
  handle(message).catch((error: unknown) => {
    const remedy = error instanceof KeyferryError && 'remedy' in error ? error.remedy : null;
    const details = error instanceof KeyferryError ? error.details['present'] : undefined;
    void say({
      kind: 'failed',
      code: error instanceof KeyferryError ? error.code : 'ERR_INTERNAL',
      message: Array.isArray(details) ? `${failureText(error)} (there is ${details.join('; ')})` : failureText(error),
      remedy: typeof remedy === 'string' ? remedy : null,
    });
  });
});
