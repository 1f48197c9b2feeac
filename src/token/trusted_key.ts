import { utf8 } from '../bytes.js';
import {
  CKA_ALLOWED_MECHANISMS,
  CKA_ALWAYS_SENSITIVE,
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_LOCAL,
  CKA_NEVER_EXTRACTABLE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_TRUSTED,
  CKA_UNWRAP,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKK_AES,
  CKM_AES_KEY_GEN,
  CKO_SECRET_KEY,
} from './cryptoki.js';
import { TokenError } from './errors.js';
import { Executor } from './executor.js';
import { Job } from './job.js';
import { logIn } from './login.js';
import { checkCall } from './module_call.js';
import type { TokenModule, TokenSelector } from './module.js';
import { attributeName } from './names.js';
import type { PinSource } from './native.js';
import type { ObjectHandle } from './object.js';
import { OpenToken } from './open_token.js';
import type { Fact } from './profile.js';
import { CKR } from './return_value.js';
import type { Slot } from './slot.js';
import { template, type Template } from './template.js';

/** A trusted wrapping key that is to be made. */
export interface TrustedKeyOrder {
  readonly token: TokenSelector;
  readonly soPin: PinSource;
  readonly userPin: PinSource;
  /** `CKA_LABEL` and `CKA_ID` of the key. */
  readonly label: string;
  readonly id: Uint8Array;
  /** `CKA_ALLOWED_MECHANISMS`, where the token enforces it; all mechanisms otherwise. */
  readonly allowedMechanisms?: readonly number[];
}

const AES_256_BYTES = 32;
/** Label of the security officer's key before it is private; one that is found later was left by an interrupted run. */
const PROVISIONAL_LABEL = 'keyferry: trusted key in the making';
const PROVISIONAL_KEYS_MAX = 64;

/** What the finished key must be, as the token itself tells it. */
const expectedAttributes: readonly (readonly [number, boolean])[] = [
  [CKA_TRUSTED, true],
  [CKA_PRIVATE, true],
  [CKA_TOKEN, true],
  [CKA_SENSITIVE, true],
  [CKA_EXTRACTABLE, false],
  [CKA_ALWAYS_SENSITIVE, true],
  [CKA_NEVER_EXTRACTABLE, true],
  [CKA_LOCAL, true],
  [CKA_WRAP, true],
  [CKA_UNWRAP, true],
  [CKA_ENCRYPT, false],
  [CKA_DECRYPT, false],
];

/**
 * Makes an AES-256 key that wraps and unwraps and that the token trusts: the only one that may wrap keys with `CKA_WRAP_WITH_TRUSTED`.
 *
 * Only the security officer can set `CKA_TRUSTED`, and on SoftHSM2 only on a key that is not private. So the officer generates one,
 * and the user copies it to a private object, which stays trusted, and destroys the original.
 *
 * HAZARD: until the copy is made, SoftHSM2 has the key in clear on the disk and lets it be used without login, and its
 * file is then deleted, not overwritten. Make trusted keys on a disk that is encrypted, and before anybody backs it up.
 *
 * Provisioning only: no token of the module may be open, and nobody logged in.
 *
 * @returns the fact `trustedKeyBySo` for the token's profile; where it does not work, nothing of the key is left
 * @throws {@link TokenError} for PIN failures, and where the module is lost
 * @source PKCS#11 v2.40 section 4.8 (CKA_TRUSTED, CKA_WRAP_WITH_TRUSTED)
 */
export async function generateTrustedKey(module: TokenModule, order: TrustedKeyOrder): Promise<Fact> {
  if (module.isInUse) {
    throw new TokenError('ERR_TOKEN_CALL', {
      call: 'C_Login',
      rv: CKR.CKR_SESSION_EXISTS,
      details: { reason: 'a token of this module is open in this process' },
    });
  }
  const slot = module.findToken(order.token);
  try {
    await generateAsOfficer(module, slot, order);
  } catch (error) {
    await destroyProvisional(module, order);
    return refusedFact(error);
  }
  const token = await OpenToken.open(module, { token: order.token, userPin: order.userPin });
  try {
    return await copyAsUser(token.executor, order);
  } catch (error) {
    await destroyFound(token.executor, provisionalTemplate());
    return refusedFact(error);
  } finally {
    await token.close();
  }
}

function refusedFact(error: unknown): Fact {
  const isAnswer =
    error instanceof TokenError && (error.code === 'ERR_TOKEN_CALL' || error.code === 'ERR_TOKEN_REFERENCE');
  if (!isAnswer) throw error;
  return { works: false, mechanism: CKM_AES_KEY_GEN, answer: `${error.call} returned ${error.rvName}` };
}

function provisionalTemplate(): Template {
  return template([CKA_CLASS, CKO_SECRET_KEY], [CKA_TOKEN, true], [CKA_LABEL, utf8(PROVISIONAL_LABEL)]);
}

async function generateAsOfficer(module: TokenModule, slot: Slot, order: TrustedKeyOrder): Promise<void> {
  const { slotId } = slot;
  const { serial, label } = slot.token();
  const opened = module.native.openSession(slotId, { readWrite: true });
  checkCall(opened);
  let executor: Executor | undefined;
  try {
    await logIn(module, opened.session, { user: 'so', modulePath: module.path, serial, label }, order.soPin);
    executor = await Executor.open({ module: module.native, slotId, threads: 1 });
    await destroyFound(executor, provisionalTemplate());
    const job = new Job('generate trusted key', 'domain-key-trusted');
    job.keep(
      job.generateKey(
        { type: CKM_AES_KEY_GEN, parameter: { kind: 'none' } },
        template(
          [CKA_CLASS, CKO_SECRET_KEY],
          [CKA_KEY_TYPE, CKK_AES],
          [CKA_VALUE_LEN, AES_256_BYTES],
          [CKA_TOKEN, true],
          [CKA_PRIVATE, false],
          [CKA_TRUSTED, true],
          [CKA_LABEL, utf8(PROVISIONAL_LABEL)],
          [CKA_ID, order.id],
          [CKA_SENSITIVE, true],
          [CKA_EXTRACTABLE, false],
          [CKA_WRAP, true],
          [CKA_UNWRAP, true],
          [CKA_ENCRYPT, false],
          [CKA_DECRYPT, false],
          [CKA_SIGN, false],
          [CKA_VERIFY, false],
          [CKA_DERIVE, false],
          ...(order.allowedMechanisms === undefined
            ? []
            : [[CKA_ALLOWED_MECHANISMS, order.allowedMechanisms] as const]),
        ),
      ),
    );
    await executor.run(job);
  } finally {
    await executor?.close();
    // The last session: the officer is logged out with it.
    module.native.closeSession(opened.session);
  }
}

/** Copies the officer's key to a private one, destroys the original, and believes nothing but what the token then tells. */
async function copyAsUser(executor: Executor, order: TrustedKeyOrder): Promise<Fact> {
  const find = new Job('find trusted key', 'domain-key-trusted');
  const found = find.findObjects(provisionalTemplate(), PROVISIONAL_KEYS_MAX);
  const [original] = (await executor.run(find)).handles(found);
  if (original === undefined) {
    return {
      works: false,
      mechanism: CKM_AES_KEY_GEN,
      answer: 'the user does not see the key that the security officer made',
    };
  }
  const job = new Job('copy trusted key', 'domain-key-trusted');
  const copy = job.copyObject(original, template([CKA_PRIVATE, true], [CKA_LABEL, utf8(order.label)]));
  const attributes = job.getAttributes(
    copy,
    expectedAttributes.map(([type]) => type),
  );
  const kept = job.keep(copy);
  const result = await executor.run(job);
  await destroy(executor, original);
  const wrong = expectedAttributes
    .filter(([type, expected]) => (result.attributes(attributes).get(type)?.octets[0] === 1) !== expected)
    .map(([type]) => attributeName(type));
  if (wrong.length === 0)
    return { works: true, mechanism: CKM_AES_KEY_GEN, answer: 'the copied key is trusted and private' };
  await destroy(executor, result.object(kept));
  return { works: false, mechanism: CKM_AES_KEY_GEN, answer: `the copied key has another ${wrong.join(', ')}` };
}

async function destroy(executor: Executor, handle: ObjectHandle): Promise<void> {
  const job = new Job('destroy', 'domain-key-trusted');
  job.destroyObject(handle);
  await executor.run(job);
}

async function destroyFound(executor: Executor, which: Template): Promise<void> {
  const job = new Job('find leftovers', 'domain-key-trusted');
  const found = job.findObjects(which, PROVISIONAL_KEYS_MAX);
  for (const handle of (await executor.run(job)).handles(found)) await destroy(executor, handle);
}

/** After the officer's part failed there may be a key all the same. */
async function destroyProvisional(module: TokenModule, order: TrustedKeyOrder): Promise<void> {
  const token = await OpenToken.open(module, { token: order.token, userPin: order.userPin });
  try {
    await destroyFound(token.executor, provisionalTemplate());
  } finally {
    await token.close();
  }
}
