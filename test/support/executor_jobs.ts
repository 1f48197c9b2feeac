import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_EC_PARAMS,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKK_AES,
  CKK_GENERIC_SECRET,
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_AES_GCM,
  CKM_AES_KEY_GEN,
  CKM_EC_KEY_PAIR_GEN,
  CKO_DATA,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import type { Executor } from '../../src/token/executor.js';
import { Job, type ObjectOperand, type ObjectRef, type Output } from '../../src/token/job.js';
import type { Mechanism } from '../../src/token/mechanism.js';
import type { ObjectHandle } from '../../src/token/object.js';
import { template, type Template, type TemplateAttribute } from '../../src/token/template.js';

/** `CKA_EC_PARAMS` of P-384. */
export const p384 = Buffer.from('06052b81040022', 'hex');

export function plain(type: number): Mechanism {
  return { type, parameter: { kind: 'none' } };
}

export function gcm(iv: Uint8Array, aad: Uint8Array = Buffer.alloc(0)): Mechanism {
  return { type: CKM_AES_GCM, parameter: { kind: 'gcm', iv, aad, tagBits: 128 } };
}

/** A session AES-256 key that stays in the token, with what it is for. */
export function aesTemplate(...usages: readonly number[]): Template {
  return template(
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, false],
    [CKA_VALUE_LEN, 32],
    ...usages.map((usage) => [usage, true] as const),
  );
}

/** A secret key of known class and type, for derivation, unwrapping and creation. */
export function secretTemplate(keyType: number, ...more: readonly (readonly [number, boolean | number])[]): Template {
  return template(
    [CKA_CLASS, CKO_SECRET_KEY],
    [CKA_KEY_TYPE, keyType],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, false],
    ...more,
  );
}

export const messageKeyTemplate = secretTemplate(
  CKK_AES,
  [CKA_VALUE_LEN, 32],
  [CKA_ENCRYPT, true],
  [CKA_DECRYPT, true],
);
export const macKeyTemplate = secretTemplate(CKK_GENERIC_SECRET, [CKA_SIGN, true], [CKA_VERIFY, true]);
export const ecPublicTemplate: Template = template([CKA_EC_PARAMS, p384], [CKA_TOKEN, false], [CKA_VERIFY, true]);
export const ecPrivateTemplate: Template = template(
  [CKA_TOKEN, false],
  [CKA_PRIVATE, true],
  [CKA_SENSITIVE, true],
  [CKA_EXTRACTABLE, false],
  [CKA_SIGN, true],
  [CKA_DERIVE, true],
);

/** A data object, the only kind whose value is not a key's. */
export function dataTemplate(label: string, ...more: readonly TemplateAttribute[]): Template {
  return [
    ...template([CKA_CLASS, CKO_DATA], [CKA_TOKEN, false], [CKA_PRIVATE, false], [CKA_LABEL, Buffer.from(label)]),
    ...more,
  ];
}

/** Makes a session AES-256 key and keeps it. */
export async function makeAesKey(executor: Executor, ...usages: readonly number[]): Promise<ObjectHandle> {
  const job = new Job('make key', 'test');
  const kept = job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), aesTemplate(...usages)));
  return (await executor.run(job)).object(kept);
}

/** Makes an AES-256 key that stays on the token. */
export async function makeTokenKey(executor: Executor, ...more: readonly TemplateAttribute[]): Promise<ObjectHandle> {
  const job = new Job('make token key', 'test');
  const shape = aesTemplate(CKA_ENCRYPT).filter(({ type }) => type !== CKA_TOKEN);
  const onToken = template([CKA_TOKEN, true]);
  const kept = job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), [...shape, ...onToken, ...more]));
  return (await executor.run(job)).object(kept);
}

/** Adds the derivation of a message key from a base key. */
export function deriveMessageKey(job: Job, base: ObjectOperand, nonce: Uint8Array = Buffer.alloc(16, 1)): ObjectRef {
  const mechanism: Mechanism = {
    type: CKM_AES_CBC_ENCRYPT_DATA,
    parameter: { kind: 'aes-cbc-encrypt-data', iv: nonce, data: Buffer.alloc(32, 2) },
  };
  return job.deriveKey(mechanism, base, messageKeyTemplate);
}

/** A job that derives a message key, encrypts with it and lets it go. */
export function messageJob(base: ObjectHandle, text: Uint8Array): { job: Job; ciphertext: Output<'bytes'> } {
  const job = new Job('encrypt message', 'test');
  const key = deriveMessageKey(job, base);
  return { job, ciphertext: job.encrypt(gcm(Buffer.alloc(12, 3)), key, text) };
}

/** Adds a P-384 key pair. */
export function p384Pair(job: Job): { readonly publicKey: ObjectRef; readonly privateKey: ObjectRef } {
  return job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ecPublicTemplate, ecPrivateTemplate);
}

/** How many objects the user sees in the token. */
export async function countObjects(executor: Executor): Promise<number> {
  const job = new Job('count objects', 'test');
  const found = job.findObjects([], 10_000);
  return (await executor.run(job)).handles(found).length;
}
