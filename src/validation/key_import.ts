import { constants, createPublicKey, publicEncrypt, type KeyObject } from 'node:crypto';
import { utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_PUBLIC_EXPONENT,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA256,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_OAEP,
  CKM_SHA256,
  CKM_SHA_1,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import type { Executor } from '../token/executor.js';
import { Job, type ObjectRef, type SecretRef } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import type { ObjectHandle } from '../token/object.js';
import { plain } from '../token/probe/probe_context.js';
import type { TokenProfile } from '../token/profile.js';
import type { Template } from '../token/template.js';
import { rsaPairTemplates } from './key_template.js';

/** Not that of the checks' objects: it stays while they come and go. */
const IMPORT_LABEL = 'keyferry validation import';
const MODULUS_BITS = 2048;

const hashes = {
  sha1: { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1, hashBytes: 20 },
  sha256: { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, hashBytes: 32 },
} as const;

/**
 * How a secret with a known value comes into a token that takes none in clear: NSS softoken in FIPS mode refuses `C_CreateObject`
 * of a secret key, and takes the same key from under an RSA key.
 */
export interface KeyImport {
  /** Epoch of the executor in which it was made; it is good for no other. */
  readonly epoch: number;
  readonly secretBytesMax: number;
  unwrap(job: Job, value: Uint8Array, template: Template): ObjectRef;
}

/**
 * Makes an RSA pair for bringing in known secrets. It lasts as long as the process's sessions.
 *
 * @returns null where `C_CreateObject` takes secrets, and where RSA-OAEP brings none in either
 * @throws {@link TokenError}
 */
export async function prepareKeyImport(executor: Executor, profile: TokenProfile): Promise<KeyImport | null> {
  const { createSecretKey, rsaOaepSha256Unwrap, rsaOaepSha1Unwrap } = profile.facts;
  if (createSecretKey.works || (!rsaOaepSha256Unwrap.works && !rsaOaepSha1Unwrap.works)) return null;
  const oaepHash = rsaOaepSha256Unwrap.works ? 'sha256' : 'sha1';
  const { hash, mgf, hashBytes } = hashes[oaepHash];
  const mechanism: Mechanism = { type: CKM_RSA_PKCS_OAEP, parameter: { kind: 'oaep', hash, mgf, label: null } };
  const { privateKey, publicKey } = await generatePair(executor);
  const withoutLength = profile.rules.unwrapValueLength === 'refused';
  return {
    epoch: executor.epoch,
    secretBytesMax: MODULUS_BITS / 8 - 2 * hashBytes - 2,
    unwrap: (job, value, template) => {
      const wrapped = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, value);
      const shape = template.filter(({ type }) => type !== CKA_VALUE && (type !== CKA_VALUE_LEN || !withoutLength));
      return job.unwrapKey(mechanism, privateKey, wrapped, shape);
    },
  };
}

async function generatePair(
  executor: Executor,
): Promise<{ readonly privateKey: ObjectHandle; readonly publicKey: KeyObject }> {
  const [publicTemplate, privateTemplate] = rsaPairTemplates({ usage: ['unwrap'] }, MODULUS_BITS);
  const labelled = (template: Template): Template =>
    template.map((attribute) =>
      attribute.type === CKA_LABEL ? { ...attribute, value: utf8(IMPORT_LABEL) } : attribute,
    );
  const job = new Job('validation', 'import pair');
  const pair = job.generateKeyPair(
    plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
    labelled(publicTemplate),
    labelled(privateTemplate),
  );
  const read = job.getAttributes(pair.publicKey, [CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
  const kept = job.keep(pair.privateKey);
  const result = await executor.run(job);
  const number = (type: number): string =>
    Buffer.from(result.attributes(read).get(type)?.octets ?? []).toString('base64url');
  const jwk = { kty: 'RSA', n: number(CKA_MODULUS), e: number(CKA_PUBLIC_EXPONENT) };
  return { privateKey: result.object(kept), publicKey: createPublicKey({ format: 'jwk', key: jwk }) };
}

/** A job of a check: what `C_CreateObject` would have to make of a known secret comes in as the token takes it. */
export class CheckJob extends Job {
  readonly #keyImport: KeyImport | null;

  constructor(name: string, keyImport: KeyImport | null) {
    super('validation', name);
    this.#keyImport = keyImport;
  }

  override createObject(template: Template, value?: { readonly type: number; readonly secret: SecretRef }): ObjectRef {
    const isSecretKey = template.some(({ type, value: member }) => type === CKA_CLASS && member === CKO_SECRET_KEY);
    const known = template.find(({ type }) => type === CKA_VALUE)?.value;
    const keyImport = this.#keyImport;
    if (
      keyImport === null ||
      !isSecretKey ||
      !(known instanceof Uint8Array) ||
      known.length > keyImport.secretBytesMax
    ) {
      return super.createObject(template, value);
    }
    return keyImport.unwrap(this, known, template);
  }
}
