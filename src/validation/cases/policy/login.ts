import { utf8 } from '../../../bytes.js';
import { CKA_LABEL, CKF_SERIAL_SESSION, CKM_AES_ECB, CKM_AES_KEY_GEN } from '../../../token/cryptoki.js';
import type { RawAnswer } from '../../../token/raw_library.js';
import { CKR } from '../../../token/return_value.js';
import { logIn } from '../../../token/login.js';
import { TokenError } from '../../../token/errors.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { secretTemplate } from '../../key_template.js';
import { destroyLeftovers, VALIDATION_LABEL } from '../../object_watch.js';
import { rawTemplate } from '../../raw_template.js';
import { policyCheck } from './known_wrapping_key.js';

const FOUND_MAX = 1_000;
const ROUNDS = 64;
const labelled = (): { type: number; value: Buffer }[] => [
  { type: CKA_LABEL, value: Buffer.from(utf8(VALIDATION_LABEL)) },
];

/** Handles of the validation's objects that a session sees; as text, so that they can be compared. */
function findLabelled(context: CheckContext, session: Buffer): readonly string[] {
  const { raw } = context;
  const init = raw.call('C_FindObjectsInit', (library) => library.C_FindObjectsInit(session, labelled()));
  if (init.rv !== CKR.CKR_OK) return [];
  const found = raw.call('C_FindObjects', (library) => library.C_FindObjects(session, FOUND_MAX));
  raw.call('C_FindObjectsFinal', (library) => library.C_FindObjectsFinal(session));
  const handles: readonly Buffer[] = Array.isArray(found.value) ? found.value : found.value ? [found.value] : [];
  return handles.map((handle) => handle.toString('hex'));
}

/** Makes a private key of the validation, in the token or in the session; undefined where the token makes none. */
function make(context: CheckContext, session: Buffer, token: boolean): Buffer | undefined {
  const shape = rawTemplate(secretTemplate({ keyType: 'aes', usage: ['encrypt'], token, valueBytes: 32 }));
  const mechanism = { mechanism: CKM_AES_KEY_GEN };
  return context.raw.call('C_GenerateKey', (library) => library.C_GenerateKey(session, mechanism, shape)).value;
}

/** What can be done with a handle: its label read, and something encrypted under it. */
function tryHandle(context: CheckContext, session: Buffer, handle: Buffer): readonly RawAnswer<unknown>[] {
  const { raw } = context;
  const read = raw.call('C_GetAttributeValue', (library) =>
    library.C_GetAttributeValue(session, handle, [{ type: CKA_LABEL }]),
  );
  const init = raw.call('C_EncryptInit', (library) =>
    library.C_EncryptInit(session, { mechanism: CKM_AES_ECB }, handle),
  );
  if (init.rv === CKR.CKR_OK) {
    raw.call('C_Encrypt', (library) => library.C_Encrypt(session, Buffer.alloc(16), Buffer.alloc(32)));
  }
  return [read, init];
}

/** Logs out, does some work without a login, and logs in again, whatever happened; then the keys of the check are removed. */
async function whileLoggedOut(context: CheckContext, work: (session: Buffer) => Promise<void> | void): Promise<void> {
  const { raw, slot, token } = context;
  try {
    await raw.withSession(slot.handle, async (session) => {
      const out = raw.call('C_Logout', (library) => library.C_Logout(session));
      if (out.rv !== CKR.CKR_OK) return context.skip(`C_Logout returned ${out.rvName}`);
      await work(session);
    });
  } finally {
    await token.logInAgain();
  }
}

function expectNone(context: CheckContext, what: string, seen: number): void {
  const text = seen === 1 ? 'one' : `${seen}`;
  context.expect(seen === 0, { what, call: 'C_FindObjects', expected: 'none', seen: seen === 0 ? 'none' : text });
}

/** Looks for the keys of the check in every other slot, without logging in there. */
function lookElsewhere(context: CheckContext): void {
  const { raw, module, slot } = context;
  for (const other of module.slots()) {
    if (other.slotId === slot.slotId) continue;
    const opened = raw.call('C_OpenSession', (library) => library.C_OpenSession(other.handle, CKF_SERIAL_SESSION));
    const session = opened.value;
    if (session === undefined) continue;
    expectNone(context, `private keys of this token in slot ${other.slotId}`, findLabelled(context, session).length);
    raw.call('C_CloseSession', (library) => library.C_CloseSession(session));
  }
}

/** What the security officer sees of the user's keys. */
async function lookAsSecurityOfficer(
  context: CheckContext,
  session: Buffer,
  handles: readonly Buffer[],
): Promise<void> {
  const { raw, module, slot, soPin } = context;
  if (soPin === null) return context.record('what the security officer sees', 'not tried: no PIN of his was given');
  const { serial, label } = slot.token();
  try {
    await logIn(module, session.readBigUInt64LE(), { modulePath: module.path, serial, label, user: 'so' }, soPin);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    return context.record('what the security officer sees', `${error.call} returned ${error.rvName}`);
  }
  expectNone(
    context,
    'private keys of the user that the security officer finds',
    findLabelled(context, session).length,
  );
  const used = handles.flatMap((handle) => tryHandle(context, session, handle)).filter(({ rv }) => rv === CKR.CKR_OK);
  expectRefused(context, 'private keys of the user, by their handles, as the security officer', used);
  raw.call('C_Logout', (library) => library.C_Logout(session));
}

function expectRefused(context: CheckContext, what: string, done: readonly RawAnswer<unknown>[]): void {
  context.expect(done.length === 0, {
    what,
    call: done[0]?.call ?? 'C_GetAttributeValue',
    expected: 'refused',
    seen: done.length === 0 ? 'refused' : `CKR_OK from ${[...new Set(done.map(({ call }) => call))].join(', ')}`,
  });
}

const destructive = { ...policyCheck, isDestructive: true, timeLimitMs: 60_000 } as const;

/** What is left of a login when it has ended. */
export const loginPolicy: readonly Check[] = [
  {
    ...destructive,
    id: 'POL-22',
    flows: ['operations', 'signing', 'replication'],
    means: {
      operations: 'KMS keys that are loaded can be used without the PIN',
      signing: 'the replication signing key can be used without the PIN',
      replication: 'agreement keys can be used without the PIN',
    },
    title: 'Private keys are seen and used by the user who is logged in, in their token, and by nobody else',
    source: 'PKCS#11 v2.40 sections 4.4 (CKA_PRIVATE), 5.5 and 5.6 (C_OpenSession, C_Logout)',
    attack:
      'whoever can load the module, and has no PIN at all, or that of the security officer or of another partition, finds and uses the keys',
    remedy:
      'keep private objects from sessions that are not the user’s; until then the file permissions of the module and of its device are all that protects the keys',
    run: async (context) => {
      if (!context.slot.token().isLoginRequired) return context.skip('the token asks nobody to log in');
      context.needMechanism(CKM_AES_KEY_GEN, CKM_AES_ECB);
      try {
        await context.raw.withSession(context.slot.handle, async (own) => {
          const handles = [make(context, own, true), make(context, own, false)].filter(
            (handle) => handle !== undefined,
          );
          if (handles.length < 2) return context.skip('the token generates no AES key as a token object');
          const before = findLabelled(context, own).length;
          context.record('private keys that the user finds', `${before}`, { call: 'C_FindObjects' });
          lookElsewhere(context);
          await whileLoggedOut(context, async (session) => {
            expectNone(context, 'private keys that are found without a login', findLabelled(context, session).length);
            for (const [at, kind] of ['token', 'session'].entries()) {
              const used = handles.slice(at, at + 1).flatMap((handle) => tryHandle(context, session, handle));
              const done = used.filter(({ rv }) => rv === CKR.CKR_OK);
              expectRefused(context, `a private ${kind} key, by its handle from before, without a login`, done);
            }
            await lookAsSecurityOfficer(context, session, handles);
          });
        });
      } finally {
        await destroyLeftovers(context.token.executor);
      }
    },
  },
  {
    ...destructive,
    id: 'POL-23',
    flows: ['operations', 'replication'],
    means: {
      operations: 'a stale handle could work on another key; Keyferry drops all handles with their sessions',
      replication: 'a stale handle could wrap another key; Keyferry drops all handles with their sessions',
    },
    title: 'A handle that has lost its object does not come to name another one',
    source: 'PKCS#11 v2.40 sections 4.4 and 5.6: after C_Logout all handles of private objects are invalid',
    attack:
      'a program that holds a handle too long, after an object was destroyed, a session lost or a login ended, encrypts, signs or wraps with a key of somebody else, and nothing tells it so',
    remedy:
      'give handles out once. Keyferry keeps no handle beyond the sessions that it came from, destroys before it forgets, and finds its keys anew by CKA_ID and class, comparing what it reads back',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN, CKM_AES_ECB);
      try {
        await context.raw.withSession(context.slot.handle, (session) => {
          expectFreshHandles(context, session);
        });
        if (!context.slot.token().isLoginRequired) return;
        await context.raw.withSession(context.slot.handle, (own) => expectLoginForgets(context, own));
      } finally {
        await destroyLeftovers(context.token.executor);
      }
    },
  },
];

/** Destroys and makes keys in turn: no new one may have the handle of one that is gone. */
function expectFreshHandles(context: CheckContext, session: Buffer): void {
  const { raw } = context;
  const gone = new Set<string>();
  let reused = 0;
  let undead = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const handle = make(context, session, false);
    if (handle === undefined) return context.skip('the token generates no AES key');
    if (gone.has(handle.toString('hex'))) reused += 1;
    raw.call('C_DestroyObject', (library) => library.C_DestroyObject(session, handle));
    if (tryHandle(context, session, handle).some(({ rv }) => rv === CKR.CKR_OK)) undead += 1;
    gone.add(handle.toString('hex'));
  }
  context.expect(reused === 0, {
    what: `${ROUNDS} keys, each made after the one before was destroyed`,
    call: 'C_GenerateKey',
    expected: 'no handle that named another key before',
    seen: reused === 0 ? 'all handles are new' : `${reused} handles named another key before`,
  });
  context.expect(undead === 0, {
    what: 'handles of keys that were destroyed',
    call: 'C_DestroyObject',
    expected: 'CKR_OBJECT_HANDLE_INVALID or CKR_KEY_HANDLE_INVALID',
    seen: undead === 0 ? 'refused' : `${undead} of ${ROUNDS} still work`,
  });
}

/** What a logout and a login make of handles and of token objects. */
async function expectLoginForgets(context: CheckContext, own: Buffer): Promise<void> {
  const [kept, lost] = [make(context, own, true), make(context, own, false)];
  if (kept === undefined || lost === undefined) return context.record('token objects', 'none is generated');
  await whileLoggedOut(context, () => undefined);
  const worked = tryHandle(context, own, lost).filter(({ rv }) => rv === CKR.CKR_OK);
  expectRefused(context, 'a private session key, by its handle from before a logout, after the next login', worked);
  const found = findLabelled(context, own);
  context.expect(found.length === 1, {
    what: 'keys of this check that are found after a logout and a login: one was in the token, one in the session',
    call: 'C_FindObjects',
    expected: 'the one in the token',
    seen: `${found.length}`,
  });
  context.record(
    'the handle of a token key after a logout and a login',
    found[0] === kept.toString('hex') ? 'the same' : 'another',
    {
      call: 'C_FindObjects',
    },
  );
  const next = make(context, own, false)?.toString('hex');
  const isOld =
    next !== undefined && [lost, kept].some((handle) => handle.toString('hex') === next) && !found.includes(next);
  context.expect(!isOld, {
    what: 'a key made after a logout and a login',
    call: 'C_GenerateKey',
    expected: 'no handle that named another key before',
    seen: isOld ? 'the handle of a key from before' : 'a new handle',
  });
}
