import {
  CKA_EC_PARAMS,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKK_AES,
  CKM_RSA_AES_KEY_WRAP,
  CKM_RSA_PKCS_OAEP,
  CKM_RSA_X_509,
} from '../token/cryptoki.js';
import type { Job, ObjectRef, Output, SecretRef } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import type { ObjectHandle } from '../token/object.js';
import type { Template } from '../token/template.js';
import type { HsmCapabilities } from './capability.js';
import { templateOf, type KeyShape } from './key_shape.js';
import { wrappedOctets } from './key_spec.js';
import { oaepMechanism, rsaAesParameter, type ImportPlan } from './import_strategy.js';

/** An elliptic curve, where its private value is read from PKCS#8 outside the token. */
export interface ImportCurve {
  /** DER of the curve's OBJECT IDENTIFIER. */
  readonly parameters: Uint8Array;
  /** Order of the base point, big-endian. */
  readonly order: Uint8Array;
}

/** What is unwrapped, as far as the steps need to know. */
export interface ImportPayload {
  /** Octets that are wrapped: a secret's, or those of PKCS#8. */
  readonly minOctets: number;
  readonly maxOctets: number;
  /** Set for private keys of elliptic curves. */
  readonly curve: ImportCurve | null;
}

/** What a job has after the steps: the material in the token, as often and in such shapes as is asked for. */
export interface UnwrapSteps {
  /** Makes the material an object with this template, which is one for unwrapping. */
  readonly make: (template: Template) => ObjectRef;
  /** Each not 0 where something was wrong outside the token, and a decoy went on in its place. */
  readonly refusals: readonly Output<'rv'>[];
  /** The public point that came with a private key, where it was read outside the token; no octets where none came. */
  readonly publicPoint: Output<'bytes'> | null;
}

const KEY_ENCRYPTION_KEY_OCTETS = 32;
/** The octets that RFC 5649 adds at least, and the fewest that it makes of two blocks or more. */
const KEY_WRAP_OCTETS_MIN = 24;

/** Template of the ephemeral AES key that wraps the material under `RSA_AES_KEY_WRAP`: it unwraps and nothing else. */
const keyEncryptionKeyShape = (keyWrapPad: number): KeyShape => ({
  keyType: CKK_AES,
  lengthOctets: KEY_ENCRYPTION_KEY_OCTETS,
  uses: ['unwrap'],
  label: 'keyferry:import-key-encryption-key',
  id: new Uint8Array(16),
  allowedMechanisms: [keyWrapPad],
});

/** The mechanism that an import key is loaded for. */
export function importKeyUse(plan: ImportPlan): { readonly use: 'unwrap' | 'decrypt'; readonly mechanism: number } {
  if (plan.rung === 'outside-token') return { use: 'decrypt', mechanism: CKM_RSA_X_509 };
  const isOneCall = plan.isKeyWrap && plan.rung === 'one-mechanism';
  return { use: 'unwrap', mechanism: isOneCall ? CKM_RSA_AES_KEY_WRAP : CKM_RSA_PKCS_OAEP };
}

/**
 * Why wrapped material is refused before any token sees it, by its length alone; null where the token may see it.
 *
 * HAZARD: some tokens corrupt their memory on a blob of RFC 5649 that is too short.
 *
 * @param modulusOctets - of the import key
 */
export function refusalOfLength(
  plan: ImportPlan,
  encryptedOctets: number,
  modulusOctets: number,
  payload: ImportPayload,
): string | null {
  if (!plan.isKeyWrap) return encryptedOctets === modulusOctets ? null : 'it is not as long as the modulus';
  const octets = encryptedOctets - modulusOctets;
  if (octets < KEY_WRAP_OCTETS_MIN || octets % 8 !== 0) return 'its second part is no key wrap';
  const isPossible = octets <= wrappedOctets(payload.maxOctets) && octets >= wrappedOctets(payload.minOctets);
  return isPossible ? null : 'its second part is too long or too short for this material';
}

/**
 * Adds the steps that bring wrapped material into the token.
 *
 * @param importKey - loaded for {@link importKeyUse}
 * @param encrypted - of a length that {@link refusalOfLength} lets pass
 */
export function addUnwrapSteps(
  job: Job,
  args: {
    readonly plan: ImportPlan;
    readonly importKey: ObjectHandle;
    readonly encrypted: Uint8Array;
    readonly modulusOctets: number;
    readonly payload: ImportPayload;
    readonly capabilities: HsmCapabilities;
  },
): UnwrapSteps {
  const { plan, importKey, encrypted, modulusOctets, payload, capabilities } = args;
  const inToken = { refusals: [], publicPoint: null };
  if (plan.isKeyWrap) {
    const [encryptedKey, wrapped] = [encrypted.subarray(0, modulusOctets), encrypted.subarray(modulusOctets)];
    if (plan.rung === 'one-mechanism') {
      const mechanism: Mechanism = { type: CKM_RSA_AES_KEY_WRAP, parameter: rsaAesParameter(plan.hash) };
      return { make: (template) => job.unwrapKey(mechanism, importKey, encrypted, template), ...inToken };
    }
    const keyTemplate = templateOf(keyEncryptionKeyShape(capabilities.keyWrapPad), 'unwrap', capabilities);
    const keyWrapPad: Mechanism = { type: capabilities.keyWrapPad, parameter: { kind: 'none' } };
    const unwrapUnder =
      (key: ObjectRef) =>
      (template: Template): ObjectRef =>
        job.unwrapKey(keyWrapPad, key, wrapped, template);
    if (plan.rung === 'two-steps') {
      const key = job.unwrapKey(oaepMechanism(plan.hash), importKey, encryptedKey, keyTemplate);
      return { make: unwrapUnder(key), ...inToken };
    }
    const length = { minOctets: KEY_ENCRYPTION_KEY_OCTETS, maxOctets: KEY_ENCRYPTION_KEY_OCTETS };
    const { message, refusal } = unpad(job, plan, importKey, encryptedKey, length);
    const key = job.createObject(toCreate(keyTemplate), { type: CKA_VALUE, secret: message });
    return { make: unwrapUnder(key), refusals: [refusal], publicPoint: null };
  }
  if (plan.rung !== 'outside-token') {
    const mechanism = oaepMechanism(plan.hash);
    return { make: (template) => job.unwrapKey(mechanism, importKey, encrypted, template), ...inToken };
  }
  const { message, refusal } = unpad(job, plan, importKey, encrypted, payload);
  if (payload.curve === null) {
    return {
      make: (template) => job.createObject(toCreate(template), { type: CKA_VALUE, secret: message }),
      refusals: [refusal],
      publicPoint: null,
    };
  }
  const { parameters, order } = payload.curve;
  const read = job.ecPrivateValue(message, payload.curve, decoy(job, order.length));
  return {
    make: (template) =>
      job.createObject([...toCreate(template), { type: CKA_EC_PARAMS, value: parameters }], {
        type: CKA_VALUE,
        secret: read.value,
      }),
    refusals: [refusal, read.refusal],
    publicPoint: read.publicPoint,
  };
}

/** Raw RSA in the token, the padding taken off in locked memory. */
function unpad(
  job: Job,
  plan: ImportPlan,
  importKey: ObjectHandle,
  encrypted: Uint8Array,
  length: { readonly minOctets: number; readonly maxOctets: number },
): { readonly message: SecretRef; readonly refusal: Output<'rv'> } {
  const encoded = job.decryptToSecret({ type: CKM_RSA_X_509, parameter: { kind: 'none' } }, importKey, encrypted);
  return job.unpadOaep(encoded, { hash: plan.hash, ...length }, decoy(job, length.minOctets));
}

/** Random octets that take the place of material that is not what it should be; the job's other calls stay the same. */
function decoy(job: Job, octets: number): SecretRef {
  return job.randomSecret(octets);
}

/** The template of an object that is made from a value: it has the value's length. */
function toCreate(template: Template): Template {
  return template.filter(({ type }) => type !== CKA_VALUE_LEN);
}
