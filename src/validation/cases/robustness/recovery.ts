import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { CKM_AES_ECB, CKM_AES_KEY_GEN } from '../../../token/cryptoki.js';
import { TokenError } from '../../../token/errors.js';
import type { ObjectHandle } from '../../../token/object.js';
import { plain } from '../../../token/probe/probe_context.js';
import { CKR } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import { failureText, type CheckContext } from '../../check_context.js';
import { secretTemplate } from '../../key_template.js';

const run = promisify(execFile);
const common = { group: 'ROB', flows: ['operations', 'replication'] } as const;
const COMMAND_MS = 60_000;
/** How long a token has to come back after the command that gives it back, milliseconds. */
const RETURN_MS = 30_000;
const RETRY_MS = 200;
const OUTAGE_MS = 500;
const MINUTE_MS = 60_000;

async function makeKey(context: CheckContext): Promise<ObjectHandle> {
  const { result, outputs } = await context.run('recovery key', (job) =>
    job.keep(
      job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32 })),
    ),
  );
  return result.object(outputs);
}

/** One use of the token: null, or why not. */
async function tryToken(context: CheckContext, key?: ObjectHandle): Promise<TokenError | null> {
  try {
    await context.run('recovery use', (job) => {
      const used =
        key ??
        job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32 }));
      job.encrypt(plain(CKM_AES_ECB), used, new Uint8Array(16));
    });
    return null;
  } catch (error) {
    if (error instanceof TokenError) return error;
    throw error;
  }
}

function seenOf(error: TokenError | null): string {
  if (error === null) return 'CKR_OK';
  return error.rv === CKR.CKR_OK ? error.code : `${error.call} returned ${error.rvName}`;
}

/** Uses the token until it works again, in this process. */
async function expectReturn(context: CheckContext, what: string): Promise<void> {
  const untilMs = performance.now() + RETURN_MS;
  let error = await tryToken(context);
  while (error !== null && performance.now() < untilMs) {
    await pause(RETRY_MS);
    error = await tryToken(context);
  }
  context.expect(error === null, {
    what: `${what}, the token works again in the same process`,
    call: 'C_OpenSession',
    expected: 'CKR_OK',
    seen: seenOf(error),
  });
}

/**
 * An answer that tells a lost session, token or module from a call that was wrong. Where the module answered nothing, a job was given up
 * without it, because the sessions are not there.
 */
function saysLost(error: TokenError): boolean {
  const isModulesAnswer = error.rv !== CKR.CKR_OK;
  return !isModulesAnswer || error.severity !== 'call' || error.rv === CKR.CKR_OBJECT_HANDLE_INVALID;
}

async function loseSessions(context: CheckContext): Promise<void> {
  const key = await makeKey(context);
  const { raw, slot } = context;
  const closed = raw.call('C_CloseAllSessions', (library) => library.C_CloseAllSessions(slot.handle));
  context.expect(closed.rv === CKR.CKR_OK, {
    what: 'all sessions of the process are closed',
    call: 'C_CloseAllSessions',
    expected: 'CKR_OK',
    seen: closed.rvName,
  });
  const error = await tryToken(context, key);
  context.expect(error !== null && saysLost(error), {
    what: 'a key of a session that was closed',
    call: error?.call ?? 'C_EncryptInit',
    expected: 'an answer that says that the session or the key is gone',
    seen: seenOf(error),
  });
  await expectReturn(context, 'after all sessions were closed');
}

async function command(context: CheckContext, what: string, text: string): Promise<void> {
  try {
    await run('/bin/sh', ['-c', text], { timeout: COMMAND_MS });
    context.record(`the command that ${what}`, 'ran');
  } catch (error) {
    context.skip(`the command that ${what} failed: ${failureText(error)}`);
  }
}

async function interrupt(context: CheckContext): Promise<void> {
  const { interruption } = context.conditions;
  if (interruption === null) {
    context.record('the device itself', 'was not taken away: give --interrupt-command and --resume-command');
    return;
  }
  await command(context, 'takes the token away', interruption.interrupt);
  const during: TokenError[] = [];
  let answered = 0;
  try {
    const untilMs = performance.now() + OUTAGE_MS;
    while (performance.now() < untilMs) {
      const error = await tryToken(context);
      if (error === null) answered += 1;
      else during.push(error);
      await pause(RETRY_MS / 4);
    }
  } finally {
    await command(context, 'gives the token back', interruption.resume);
  }
  context.record('uses while the token was away', `${answered} answered, ${during.length} failed`);
  const wrong = [...new Set(during.filter((error) => !saysLost(error)).map(seenOf))];
  context.expect(wrong.length === 0, {
    what: 'uses while the token was away',
    call: during[0]?.call,
    expected: 'answers that say that the device or the session is lost',
    seen: wrong.length === 0 ? 'such answers' : wrong.join('; '),
  });
  await expectReturn(context, 'when it is there again');
}

/** Whether the token comes back: after lost sessions, after it was taken away, and after a long rest. */
export const recoveryRobustness: readonly Check[] = [
  {
    ...common,
    id: 'ROB-16',
    title: 'Lost sessions and a lost device are told as such, and the token works again without a new process',
    severity: 'blocks',
    isDestructive: true,
    timeLimitMs: 180_000,
    source:
      'PKCS#11 v2.40 sections 5.6 (C_CloseAllSessions) and 5.1.2 (CKR_DEVICE_REMOVED, CKR_DEVICE_ERROR, CKR_TOKEN_NOT_PRESENT)',
    remedy: 'start the region anew where the token does not come back by itself',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN, CKM_AES_ECB);
      await loseSessions(context);
      await interrupt(context);
    },
  },
  {
    ...common,
    id: 'ROB-19',
    title: 'A session that was idle works, or is refused as a session that is gone',
    severity: 'strategy',
    isDestructive: true,
    waitsIdle: true,
    timeLimitMs: 60_000,
    source: 'PKCS#11 v2.40 section 5.6; reports of sessions that network HSMs drop after an hour or two',
    remedy: 'nothing is needed where a region opens lost sessions again by itself',
    run: async (context) => {
      const { idleMinutes } = context.conditions;
      if (idleMinutes === 0) context.skip('give --idle-minutes to leave the token alone for so long');
      context.needMechanism(CKM_AES_KEY_GEN, CKM_AES_ECB);
      const key = await makeKey(context);
      await pause(idleMinutes * MINUTE_MS);
      const error = await tryToken(context, key);
      const what = `a key of a session that was idle for ${idleMinutes} minutes`;
      context.expect(error === null || saysLost(error), {
        what,
        call: error?.call ?? 'C_EncryptInit',
        expected: 'CKR_OK, or an answer that says that the session or the key is gone',
        seen: seenOf(error),
      });
      await expectReturn(context, `after ${idleMinutes} idle minutes`);
    },
  },
];
