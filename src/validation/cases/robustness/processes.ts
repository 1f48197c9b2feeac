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

const common = { group: 'ROB', flows: ['operations', 'replication'] } as const;
const KILLS = 100;
/** SoftHSM2 2.6.1 is lost by every second process that is killed while it logs in again and again: one of these eight finds it. */
const KILLS_QUICK = 16;
/** Kills after which what is left in the token is looked at. */
const INSPECTION_EVERY = 10;
const KILL_TIME_LIMIT_MS = 10_000;
/** A process is killed before so long has passed since it began its work, milliseconds. */
const WORK_MS = 40;
/** What the processes do that are killed, in turn: log out and in, make and destroy token objects, or only start. */
const DEEDS = ['login', 'work', 'login', 'start'] as const;
type Deed = (typeof DEEDS)[number];
const MORTAL_LABEL = 'keyferry validation killed';

const KILLED_TOKEN =
  'a process that is killed at the wrong moment, by an administrator, for want of memory or by a loss of power, takes keys or the whole token with it; where Keyferry made the SoftHSM2 token, the region puts it back when it starts, and any other needs a backup';

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
  /** What the processes did that were killed when the token was lost. */
  lost: Deed[];
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

/** Kills processes one after another; one that cannot open the token tells that the one before it has lost it. */
async function killAgainAndAgain(context: CheckContext, mortal: MortalToken): Promise<void> {
  const wrap = context.works('aesKeyUnwrapPad') ? (context.profile?.rules.aesKeyWrapPadMechanism ?? 0) : 0;
  const kills = context.isQuick ? KILLS_QUICK : KILLS;
  const losses: Losses = { lost: [], broken: [], lone: 0, undestroyed: 0 };
  const startMs = { most: WORK_MS };
  let last: Deed = 'start';
  let howLost = '';
  let done = 0;
  while (done < kills && losses.lost.length < kills) {
    const deed = DEEDS[done % DEEDS.length] ?? 'work';
    const options = { 'wrap-mechanism': wrap, logins: deed === 'login' ? 1 : 0 };
    const child = new DrivenProcess(mortal.token, { scenario: 'mortal', options, timeLimitMs: KILL_TIME_LIMIT_MS });
    await waitFor(context, child, deed, startMs);
    child.kill();
    let run = await child.ended;
    if (run.ending === 'killed') {
      done += 1;
      last = deed;
      if (done % INSPECTION_EVERY !== 0 && done < kills) continue;
      run = await inspect(mortal.token, losses);
      if (run.ending === 'ended') continue;
    }
    losses.lost.push(last);
    howLost = run.how;
    const renewed = await mortal.renew();
    if (renewed?.ending !== 'ended') break;
  }
  tell(context, { kills: done, losses, howLost });
}

/** Waits as long as a process has to live. */
async function waitFor(
  context: CheckContext,
  child: DrivenProcess,
  deed: Deed,
  startMs: { most: number },
): Promise<void> {
  const share = context.random.below(1000) / 1000;
  if (deed === 'start') return void (await pause(share * startMs.most));
  const beganMs = performance.now();
  await child.fact('ready');
  startMs.most = performance.now() - beganMs;
  await pause(share * WORK_MS);
}

function lossText({ lost }: Losses, kills: number, howLost: string): string {
  const atLogin = lost.filter((deed) => deed === 'login').length;
  return `it was lost ${lost.length} times in ${kills}, ${atLogin} of them by processes that logged in again and again: ${howLost}`;
}

function tell(
  context: CheckContext,
  { kills, losses, howLost }: { readonly kills: number; readonly losses: Losses; readonly howLost: string },
): void {
  context.expect(losses.lost.length === 0, {
    what: 'the token opens after processes were killed while they logged in, generated, unwrapped and destroyed',
    call: 'C_Login',
    expected: 'each time',
    seen: losses.lost.length === 0 ? `each time, ${kills} times` : lossText(losses, kills, howLost),
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
    title: "A child of a fork does not go on with its parent's module, and may begin anew with one of its own",
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
      'write what changes beside what is there, and rename it. Until then keep a backup of the token, and no process that logs in often. Where Keyferry makes a SoftHSM2 token itself (module: softhsm2), it keeps a copy of what a login writes anew, and puts it back when the region starts; a token that is given by the path of its module has no such copy. Orphans of killed regions are looked for at every start',
    means: { operations: KILLED_TOKEN, replication: KILLED_TOKEN },
    run: checkKills,
  },
];
