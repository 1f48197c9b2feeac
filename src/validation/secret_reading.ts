import { CKA_EXTRACTABLE, CKA_SENSITIVE } from '../token/cryptoki.js';
import type { Job, ObjectRef } from '../token/job.js';
import { aesKeyUnwrapPad, knownKey } from '../token/probe/known_key.js';
import { plain } from '../token/probe/probe_context.js';
import { CKR } from '../token/return_value.js';
import type { Template } from '../token/template.js';
import type { Attempt, CheckContext } from './check_context.js';
import { knownSecretTemplate, secretTemplate } from './key_template.js';

const shape = { keyType: 'generic', usage: ['sign'], extractable: true } as const;
const readable = secretTemplate({ ...shape, sensitive: false });
const wrappable = secretTemplate(shape);
const unspoken = wrappable.filter(({ type }) => type !== CKA_SENSITIVE && type !== CKA_EXTRACTABLE);

/**
 * Makes a secret in the token that holds a test vector, and reads it.
 *
 * Tokens that take no secret in clear give none out either: there the secret is made sensitive, and comes out wrapped under a known key.
 *
 * @param make - makes the secret by the template it is given
 * @returns the value; a refusal tells the call that refused
 */
export async function readMadeSecret(
  context: CheckContext,
  name: string,
  make: (job: Job, shape: Template) => ObjectRef,
): Promise<Attempt<Uint8Array>> {
  const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  if (!context.hidesSecrets || pad === null) {
    const read = (template: Template): Promise<Attempt<Uint8Array>> =>
      context.attempt(
        name,
        (job) => job.reveal(job.readSecret(make(job, template))),
        (result, value) => result.bytes(value),
      );
    const first = await read(readable);
    // openCryptoki takes no word about it in an unwrap template, and makes the secret one that can be read.
    return !first.ok && first.rv === CKR.CKR_ATTRIBUTE_READ_ONLY ? read(unspoken) : first;
  }
  return context.attempt(
    name,
    (job) => {
      const secret = make(job, wrappable);
      const kek = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['wrap'] }, knownKey));
      return job.wrapKey(plain(pad), kek, secret);
    },
    (result, wrapped) => aesKeyUnwrapPad(knownKey, result.bytes(wrapped)),
  );
}
