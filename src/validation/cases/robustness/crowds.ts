import { CKM_AES_KEY_GEN, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { driveModule, drivenTokenOf, numberOf, type DriverRun } from '../../module_driver.js';
import { destroyPieces, listObjects } from '../../object_watch.js';
import { drive, expectAnswer, expectByName, oneOf } from './driven.js';

const common = { group: 'ROB', flows: ['operations', 'replication'] } as const;
const SESSIONS = 20_000;
const SESSIONS_QUICK = 1_000;
const THREADS = 16;
const THREADS_MS = 5_000;
const THREADS_MS_QUICK = 700;
/**
 * What is made and destroyed while others search, in how many processes, until something goes wrong. SoftHSM2 2.6.1 refuses one token
 * object in twenty then, and some processes see nothing of it: so many find it in every run, quick or not.
 */
const SEARCHED = {
  session: { processes: 1, made: 20_000, madeQuick: 2_000, kept: 24, ms: 4_000 },
  token: { processes: 8, made: 40, madeQuick: 40, kept: 6, ms: 4_000 },
} as const;
/** Octets that a key may leave behind before its memory counts as lost: allocators keep a little, and pages come whole. */
const LEAK_BYTES_EACH = 64;
/** Growth of a process that says nothing yet, octets. */
const LEAK_BYTES_MIN = 256 * 1024;

/** `CKR_` values of the program's tallies, in words: `3 C_GenerateKey 5` becomes `3 × C_GenerateKey CKR_GENERAL_ERROR`. */
function tallyText(text: string): string {
  const [count = '', call = '', ...rest] = text.split(' ');
  if (!call.startsWith('C_')) return `${count} ${[call, ...rest].join(' ')}`;
  return `${count} × ${call} ${returnValueName(Number.parseInt(rest[0] ?? '0', 16))}`;
}

function tallies(run: DriverRun, name: string): readonly string[] {
  return run.facts.filter((fact) => fact.name === name).map(({ text }) => tallyText(text));
}

/** Says what a crowd of threads did wrong: results, and calls that failed. */
function expectTallies(context: CheckContext, run: DriverRun, what: string): void {
  for (const [name, expected] of [
    ['wrong', 'no wrong result'],
    ['failed', 'no failed call'],
  ] as const) {
    const seen = tallies(run, name);
    context.expect(seen.length === 0, { what: `${what}: ${name}`, expected, seen: seen.join('; ') || expected });
  }
}

/** What the token can do of the work of many threads, as options of the program. */
function workOf(context: CheckContext): Readonly<Record<string, number>> {
  const wrap = context.profile?.rules.aesKeyWrapPadMechanism ?? 0;
  return {
    ...(context.works('ecdh1Null48') && context.works('hmacSha384') ? { derives: 1 } : {}),
    ...(context.works('ecdsa') ? { signs: 1 } : {}),
    ...(context.works('aesKeyUnwrapPad') ? { 'wrap-mechanism': wrap } : {}),
  };
}

async function runThreads(context: CheckContext): Promise<void> {
  const work = workOf(context);
  if (Object.keys(work).length === 0) context.need('aesKeyUnwrapPad');
  context.needMechanism(CKM_AES_KEY_GEN, CKM_EC_KEY_PAIR_GEN);
  const ms = context.isQuick ? THREADS_MS_QUICK : THREADS_MS;
  const most = context.profile?.rules.sessionCountMax ?? 0;
  // The run itself holds a few sessions.
  const threads = most > 0 ? Math.max(2, Math.min(THREADS, most - 5)) : THREADS;
  const options = { ...work, threads, ms };
  const run = await drive(context, 'threads', options, { timeLimitMs: ms + 15_000 });
  const rounds = numberOf(run, 'rounds');
  if (rounds !== undefined) {
    context.record(
      `${threads} threads with CKF_OS_LOCKING_OK`,
      `${rounds} rounds of keys made, used, checked and destroyed`,
    );
    expectTallies(context, run, `${threads} threads with CKF_OS_LOCKING_OK`);
  }
  await recordWithoutLocks(context, { ...options, ms: Math.min(ms, 1_000) });
}

/** Without locks the standard promises nothing: what happens is a fact, and says whether the flag can be forgotten. */
async function recordWithoutLocks(
  context: CheckContext,
  options: Readonly<Record<string, number>> & { readonly ms: number },
): Promise<void> {
  const run = await driveModule(drivenTokenOf(context), {
    scenario: 'threads',
    options: { ...options, locks: 'none' },
    // Threads that wait for each other for good are an answer too.
    timeLimitMs: options.ms + 3_000,
  });
  const bad = [...tallies(run, 'wrong'), ...tallies(run, 'failed')];
  const seen = run.ending !== 'ended' ? run.how : bad.length > 0 ? bad.join('; ') : 'nothing wrong';
  context.record(`${options['threads'] ?? 0} threads without CKF_OS_LOCKING_OK, which no region does`, seen, {
    call: 'C_Initialize',
  });
}

function expectNoLeak(context: CheckContext, run: DriverRun, what: string): void {
  const made = numberOf(run, `${what}: made`);
  const left = numberOf(run, `${what}: left`);
  const failures = numberOf(run, `${what}: failures`);
  if (made === undefined || left === undefined || failures === undefined) return;
  context.expect(left === 0, {
    what: `${what} that are left when all were destroyed`,
    call: 'C_DestroyObject',
    expected: 'none',
    seen: `${left === 0 ? 'none' : left} of ${made}`,
  });
  context.expect(failures === 0, {
    what: `${what}: calls that failed`,
    call: 'C_GenerateKey',
    expected: 'none',
    seen:
      failures === 0
        ? 'none'
        : `${failures} of ${made}: ${run.answers.map(({ rv }) => returnValueName(rv)).join(', ')}`,
  });
  const measured = numberOf(run, `${what}: measured`);
  const octets = numberOf(run, `${what}: octets of memory`);
  if (measured === undefined || octets === undefined) return;
  const each = Math.round(octets / measured);
  const isFlat = octets < LEAK_BYTES_MIN || each <= LEAK_BYTES_EACH;
  context.expect(isFlat, {
    what: `${what}: memory of the process that is not given back`,
    call: 'C_DestroyObject',
    expected: `no growth, or less than ${LEAK_BYTES_EACH} octets for each`,
    seen: isFlat ? 'no growth that counts' : `${each} octets for each of ${measured}`,
  });
}

/** Lets some search while others make and destroy; returns what went wrong, or null where a process did not come to its end. */
async function bustle(context: CheckContext, objects: 'session' | 'token'): Promise<readonly string[] | null> {
  const { processes, made, madeQuick, kept, ms } = SEARCHED[objects];
  const options = { objects, kept, ms, made: context.isQuick ? madeQuick : made };
  let [searches, meanwhile] = [0, 0];
  const wrong: string[] = [];
  for (let at = 0; at < processes && wrong.length === 0; at += 1) {
    const run = await drive(context, 'finding', options, { timeLimitMs: ms + 10_000 });
    if (run.ending !== 'ended') return null;
    searches += numberOf(run, 'searches') ?? 0;
    meanwhile += numberOf(run, 'made meanwhile') ?? 0;
    wrong.push(...tallies(run, 'wrong'), ...tallies(run, 'failed'));
  }
  context.record(
    `searches in parts of 5 among ${objects} objects`,
    `${searches}, with ${meanwhile} objects made meanwhile`,
  );
  return wrong;
}

async function searchAmong(context: CheckContext, objects: 'session' | 'token'): Promise<void> {
  const { executor } = context.token;
  const before = await listObjects(executor);
  const wrong = await bustle(context, objects);
  const pieces = await destroyPieces(executor, before);
  if (wrong === null) return;
  const seen = [...wrong, ...(pieces > 0 ? [`${pieces} left in the token of keys whose making was refused`] : [])];
  // What goes wrong first is a matter of luck, and one thing brings the other: one observation.
  context.expect(seen.length === 0, {
    what: `searches among ${objects} objects, while others are made and destroyed`,
    call: 'C_FindObjects',
    expected: 'every call succeeds, every search is complete, and nothing is left',
    seen: seen.join('; ') || 'every call succeeded, every search was complete, and nothing was left',
  });
}

/** What the module does with many sessions, objects and threads. */
export const crowdRobustness: readonly Check[] = [
  {
    ...common,
    id: 'ROB-11',
    title: 'Sessions end with an answer that says so, and are there again when they were closed',
    severity: 'strategy',
    timeLimitMs: 40_000,
    source: 'PKCS#11 v2.40 section 5.6 (C_OpenSession)',
    remedy: 'give a region fewer threads than the token has sessions',
    run: async (context) => {
      const most = context.isQuick ? SESSIONS_QUICK : SESSIONS;
      const run = await drive(context, 'session-limit', { most }, { timeLimitMs: 35_000 });
      const sessions = numberOf(run, 'sessions');
      const opened = run.answers.find(({ name, call }) => name === 'sessions' && call === 'C_OpenSession');
      if (sessions === undefined || opened === undefined) return;
      const claimed = context.slot.token().sessionCountMax;
      const claim =
        claimed === null
          ? 'the token does not say how many'
          : claimed === 0
            ? 'the token says no limit'
            : `the token says ${claimed}`;
      context.record(
        'sessions of one process at once',
        opened.rv === CKR.CKR_OK ? `no end at ${sessions}; ${claim}` : `${sessions}; ${claim}`,
        { call: 'C_OpenSession' },
      );
      if (opened.rv !== CKR.CKR_OK) {
        expectAnswer(
          context,
          opened,
          oneOf('CKR_SESSION_COUNT', 'CKR_HOST_MEMORY', 'CKR_DEVICE_MEMORY'),
          'one session too many',
        );
        // This process has a few of them.
        const isAsClaimed = claimed === null || claimed === 0 || sessions + 8 >= claimed;
        context.expect(isAsClaimed, {
          what: 'as many sessions as the token says',
          call: 'C_OpenSession',
          expected: `${claimed ?? 0}`,
          seen: `${sessions}`,
        });
      }
      expectByName(
        context,
        { ...run, answers: run.answers.filter((answer) => answer !== opened) },
        {
          sessions: oneOf('CKR_OK'),
          'sessions again': oneOf('CKR_OK'),
          'the first session, afterwards': oneOf('CKR_OK'),
        },
      );
    },
  },
  {
    ...common,
    id: 'ROB-12',
    title: 'Sixteen threads make, derive, wrap, unwrap, sign and destroy without a wrong result',
    severity: 'blocks',
    timeLimitMs: 45_000,
    source: 'PKCS#11 v2.40 section 5.4 (CKF_OS_LOCKING_OK)',
    remedy: 'initialise with CKF_OS_LOCKING_OK, and give a region one thread where that does not help',
    run: runThreads,
  },
  {
    ...common,
    id: 'ROB-13',
    title: 'Objects that are destroyed are gone, with their memory',
    severity: 'strategy',
    timeLimitMs: 45_000,
    source: 'PKCS#11 v2.40 section 5.7 (C_DestroyObject)',
    remedy: 'start the processes of regions anew from time to time where memory grows',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const options = context.isQuick
        ? { 'session-objects': 2_000, 'token-objects': 10, ms: 800 }
        : { 'session-objects': 10_000, 'token-objects': 1_000, ms: 6_000 };
      const run = await drive(context, 'object-leak', options, { timeLimitMs: 40_000 });
      expectNoLeak(context, run, 'session objects');
      expectNoLeak(context, run, 'token objects');
    },
  },
  {
    ...common,
    id: 'ROB-17',
    title: 'A search finds what is there, while others make and destroy',
    severity: 'strategy',
    timeLimitMs: 60_000,
    source: 'PKCS#11 v2.40 section 5.7 (C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal)',
    remedy: 'let searches and the making of token objects not run at the same time, as Keyferry does',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      for (const objects of ['session', 'token'] as const) await searchAmong(context, objects);
    },
  },
];
