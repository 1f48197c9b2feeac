import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { generatePinFile } from '../../../token/native.js';
import { prepareTokenDirectory } from '../../../token/token_directory.js';
import { CKM_AES_KEY_GEN, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import {
  DrivenProcess,
  driveModule,
  drivenTokenOf,
  factOf,
  numberOf,
  pinArguments,
  type DrivenToken,
  type DriverRun,
} from '../../module_driver.js';
import { anyAnswer, drive, expectAnswer, expectEnd, oneOf, type Allowed } from './driven.js';

const common = { group: 'ROB', isQuick: true, flows: ['operations', 'replication'] } as const;
const KILLS = 100;
const KILLS_QUICK = 10;
/** Kills after which what is left in the token is looked at. */
const INSPECTION_EVERY = 10;
const KILL_TIME_LIMIT_MS = 10_000;
/** A process is killed before so long has passed since it began its work, milliseconds. */
const WORK_MS = 40;
const MORTAL_LABEL = 'keyferry validation killed';

const notInitialised: Allowed = {
  words: 'CKR_CRYPTOKI_NOT_INITIALIZED, or another refusal',
  includes: (rv) => rv !== CKR.CKR_OK,
};

async function checkFork(context: CheckContext): Promise<void> {
  const run = await drive(context, 'forked');
  for (const answer of run.answers) {
    if (answer.name === "the parent's session in a child") expectAnswer(context, answer, notInitialised);
    else if (answer.name === 'in a child') expectAnswer(context, answer, oneOf('CKR_OK'));
    else expectAnswer(context, answer, answer.name === 'after the fork' ? oneOf('CKR_OK') : anyAnswer);
  }
  const end = factOf(run, 'end of the child');
  if (end !== undefined) {
    const cameTo = factOf(run, 'last that the child came to') ?? 'nothing';
    context.expect(end === 'exit 0', {
      what: 'a child that uses the module comes to its end',
      expected: 'exit 0',
      seen: end === 'exit 0' ? end : `${end}, after ${cameTo}`,
    });
  }
  const shared = factOf(run, 'octets that two processes share');
  if (shared === undefined) return;
  context.expect(shared === 'none', {
    what: 'random octets of the parent and of two children after the fork',
    call: 'C_GenerateRandom',
    expected: 'different ones',
    seen: shared === 'none' ? 'different ones' : 'the same octets in two processes',
  });
}

/** A token that may be lost: one that is made for it beside a scratch token, or the user's own where that was allowed. */
class MortalToken {
  readonly #context: CheckContext;
  readonly #scratch: { readonly kind: 'softhsm2' | 'nss'; readonly root: string } | null;
  #count = 0;
  token: DrivenToken;

  constructor(context: CheckContext) {
    this.#context = context;
    this.token = drivenTokenOf(context);
    const scratch = context.reference?.scratch ?? null;
    if (scratch === null && !context.conditions.mayKill) {
      context.skip(
        'processes that write to the token are killed only where --kill-processes allows it: a software token may lose everything',
      );
    }
    this.#scratch =
      scratch === null ? null : { kind: scratch.kind, root: mkdtempSync(join(tmpdir(), 'keyferry-killed-')) };
  }

  /** Whether a lost token can be replaced by another. */
  get isReplaceable(): boolean {
    return this.#scratch !== null;
  }

  /** Makes a token, where this one may be replaced. */
  async renew(): Promise<DriverRun | null> {
    if (this.#scratch === null) return null;
    const { kind, root } = this.#scratch;
    const directory = join(root, `${this.#count++}`);
    const settings = prepareTokenDirectory(kind, directory, MORTAL_LABEL);
    const soPin =
      kind === 'nss' ? ({ kind: 'empty' } as const) : ({ kind: 'file', path: join(directory, 'so.pin') } as const);
    const userPin = { kind: 'file', path: join(directory, 'user.pin') } as const;
    generatePinFile(userPin.path);
    if (soPin.kind === 'file') generatePinFile(soPin.path);
    this.token = { modulePath: this.#context.module.path, settings, place: { label: MORTAL_LABEL }, userPin };
    const options = Object.fromEntries(pinArguments('so-pin', soPin).map((each) => each.split(/=(.*)/su).slice(0, 2)));
    return driveModule(this.token, { scenario: 'fresh-token', options, timeLimitMs: KILL_TIME_LIMIT_MS });
  }

  dispose(): void {
    if (this.#scratch !== null) rmSync(this.#scratch.root, { recursive: true, force: true });
  }
}

interface Losses {
  lost: number;
  broken: string[];
  lone: number;
  undestroyed: number;
}

/** Looks at what killed processes have left, and removes it. */
async function inspect(token: DrivenToken, losses: Losses): Promise<DriverRun> {
  const run = await driveModule(token, { scenario: 'inspection', timeLimitMs: KILL_TIME_LIMIT_MS });
  losses.broken.push(...run.facts.filter(({ name }) => name === 'broken object').map(({ text }) => brokenText(text)));
  const failed = run.answers.filter(({ rv }) => rv !== CKR.CKR_OK);
  losses.broken.push(...failed.map(({ call, rv }) => `${call} ${returnValueName(rv)}`));
  losses.lone += numberOf(run, 'halves of a pair without the other') ?? 0;
  losses.undestroyed += numberOf(run, 'objects that could not be destroyed') ?? 0;
  return run;
}

function brokenText(text: string): string {
  const [call = '', rv = '0'] = text.split(' ');
  return `${call} ${returnValueName(Number.parseInt(rv, 16))}`;
}

async function checkKills(context: CheckContext): Promise<void> {
  context.needMechanism(CKM_AES_KEY_GEN, CKM_EC_KEY_PAIR_GEN);
  const mortal = new MortalToken(context);
  try {
    const made = await mortal.renew();
    if (made !== null && made.ending !== 'ended') return expectEnd(context, made);
    await killAgainAndAgain(context, mortal);
  } finally {
    mortal.dispose();
  }
}

async function killAgainAndAgain(context: CheckContext, mortal: MortalToken): Promise<void> {
  const wrap = context.works('aesKeyUnwrapPad') ? (context.profile?.rules.aesKeyWrapPadMechanism ?? 0) : 0;
  const kills = context.isQuick ? KILLS_QUICK : KILLS;
  const losses: Losses = { lost: 0, broken: [], lone: 0, undestroyed: 0 };
  let startMs = WORK_MS;
  let done = 0;
  let howLost = '';
  for (; done < kills; done += 1) {
    const child = new DrivenProcess(mortal.token, {
      scenario: 'mortal',
      options: { 'wrap-mechanism': wrap },
      timeLimitMs: KILL_TIME_LIMIT_MS,
    });
    const beganMs = performance.now();
    // One in three dies before it is ready: while it initialises the module and logs in.
    if (done % 3 === 2) {
      await pause((context.random.below(1000) / 1000) * startMs);
    } else {
      await child.fact('ready');
      startMs = performance.now() - beganMs;
      await pause((context.random.below(1000) / 1000) * WORK_MS);
    }
    child.kill();
    const run = await child.ended;
    const isLost = run.ending === 'refused' || run.ending === 'crashed' || run.ending === 'hung';
    const isInspected = done % INSPECTION_EVERY === INSPECTION_EVERY - 1 && done < kills - 1;
    if (!isLost && !isInspected) continue;
    const inspected = isLost ? run : await inspect(mortal.token, losses);
    if (inspected.ending === 'ended') continue;
    losses.lost += 1;
    howLost = inspected.how;
    if (!mortal.isReplaceable) break;
    await mortal.renew();
  }
  if (losses.lost === 0 || mortal.isReplaceable) {
    const last = await inspect(mortal.token, losses);
    if (last.ending !== 'ended') {
      losses.lost += 1;
      howLost = last.how;
    }
  }
  tell(context, { kills: done, losses, howLost });
}

function tell(
  context: CheckContext,
  { kills, losses, howLost }: { readonly kills: number; readonly losses: Losses; readonly howLost: string },
): void {
  context.expect(losses.lost === 0, {
    what: `the token opens after ${kills} processes were killed while they logged in, generated, unwrapped and destroyed`,
    call: 'C_Login',
    expected: 'each time',
    seen: losses.lost === 0 ? 'each time' : `it was lost ${losses.lost} times: ${howLost}`,
  });
  const broken = [...new Set(losses.broken)].join(', ');
  context.expect(losses.broken.length === 0, {
    what: 'every object that a killed process left can be read and used',
    call: 'C_GetAttributeValue',
    expected: 'all',
    seen: losses.broken.length === 0 ? 'all' : `${losses.broken.length} cannot: ${broken}`,
  });
  context.expect(losses.undestroyed === 0, {
    what: 'every object that a killed process left can be destroyed',
    call: 'C_DestroyObject',
    expected: 'all',
    seen: losses.undestroyed === 0 ? 'all' : `${losses.undestroyed} are still there`,
  });
  context.record('halves of a key pair whose other half was not made any more, or was destroyed', `${losses.lone}`, {
    call: 'C_GenerateKeyPair',
  });
}

/** What the module does where processes fork and die. */
export const processRobustness: readonly Check[] = [
  {
    ...common,
    id: 'ROB-09',
    title: "A child of a fork does not go on with its parent's module, and shares no random octets with it",
    severity: 'strategy',
    timeLimitMs: 20_000,
    source:
      'PKCS#11 v2.40 section 5.4 (C_Initialize), and PKCS#11 v2.40 Usage Guide section 2.5.2 (applications and processes)',
    remedy: 'start processes anew instead of forking them after C_Initialize, as Keyferry does',
    run: checkFork,
  },
  {
    ...common,
    id: 'ROB-14',
    title: 'The token survives processes that are killed in the middle of a call',
    severity: 'strategy',
    timeLimitMs: 60_000,
    source: 'PKCS#11 v2.40 section 4.4: an object is there or not',
    remedy:
      'keep a copy of what the token writes at each login, as Keyferry does for SoftHSM2, and look for orphans at the start',
    run: checkKills,
  },
];
