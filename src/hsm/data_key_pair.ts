import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKO_PRIVATE_KEY,
} from '../token/cryptoki.js';
import { TokenError } from '../token/errors.js';
import type { Job, JobResult, SecretRef } from '../token/job.js';
import type { FactName } from '../token/profile.js';
import { CKR } from '../token/return_value.js';
import { template } from '../token/template.js';
import type { CurveName } from '../wire/curve.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import { publicTemplate, tellPublicKey } from './key_generation.js';
import { privateKeySpec } from './key_spec.js';
import type { KeySpec } from './material.js';

/** A pair that a job makes to give it away. */
export interface ReadablePair {
  /** The private half, PKCS#8 in locked native memory. */
  readonly pkcs8: SecretRef;
  /** From the job's result: DER SubjectPublicKeyInfo. */
  readonly publicKey: (result: JobResult) => Uint8Array;
}

/** What tells that a token generates pairs of a curve. */
const factOfCurve: Readonly<Record<Exclude<CurveName, 'Ed25519'>, FactName>> = {
  'P-256': 'ecKeyP256',
  'P-384': 'ecKeyP384',
  'P-521': 'ecKeyP521',
  secp256k1: 'ecKeySecp256k1',
};

/** Why a token makes no data key pairs of a spec, naming the mechanisms; undefined where it does. */
export function refusalOfDataKeyPair(capabilities: HsmCapabilities, keySpec: KeySpec): string | undefined {
  const spec = privateKeySpec(keySpec);
  if (spec === null) return `a ${keySpec} key is no pair`;
  if (spec.kind === 'rsa' && spec.modulusBits > capabilities.rsaModulusBitsMax) {
    return `CKM_RSA_PKCS_KEY_PAIR_GEN: the token makes at most ${capabilities.rsaModulusBitsMax} bits`;
  }
  if (spec.kind === 'rsa') return capabilities.refusedFacts.rsaKeyPair2048;
  // The profile tells whether Ed25519 keys can be wrapped too, which nobody does with these.
  if (spec.curve.name !== 'Ed25519') return capabilities.refusedFacts[factOfCurve[spec.curve.name]];
  return capabilities.listsEdwardsGeneration ? undefined : 'the token does not list CKM_EC_EDWARDS_KEY_PAIR_GEN';
}

/**
 * Asserts that a token makes data key pairs of a spec.
 *
 * @throws {@link HsmError} `ERR_HSM_STRATEGY`, naming the mechanism
 */
export function assertDataKeyPair(capabilities: HsmCapabilities, keySpec: KeySpec): void {
  const reason = refusalOfDataKeyPair(capabilities, keySpec);
  if (reason === undefined) return;
  throw new HsmError('ERR_HSM_STRATEGY', `the token makes no ${keySpec} data key pairs: ${reason}`, {
    details: { keySpec, reason },
  });
}

/**
 * Adds to a job the generation of a pair whose private half is told, and the destruction of both objects.
 *
 * The pair is no key of the region: it is made for the caller, who gets the private half encrypted. Therefore the object is not
 * sensitive, and may do nothing in the token. Wrapping it and taking the wrap off again would need a token that decrypts by a
 * mechanism that it wraps by: SoftHSM2 has none.
 *
 * @param keySpec - one that {@link refusalOfDataKeyPair} has nothing against
 */
export function generateReadablePair(job: Job, keySpec: KeySpec, capabilities: HsmCapabilities): ReadablePair {
  const spec = privateKeySpec(keySpec);
  if (spec === null) throw new HsmError('ERR_HSM_TYPE', `a ${keySpec} key is no pair`);
  const privateTemplate = template(
    [CKA_CLASS, CKO_PRIVATE_KEY],
    [CKA_KEY_TYPE, spec.keyType],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_SENSITIVE, false],
    [CKA_EXTRACTABLE, true],
    [CKA_SIGN, false],
    [CKA_DECRYPT, false],
    [CKA_UNWRAP, false],
    [CKA_DERIVE, false],
  );
  const pair = job.generateKeyPair(
    { type: spec.generation, parameter: { kind: 'none' } },
    publicTemplate(spec, capabilities),
    privateTemplate,
  );
  const publicKey = tellPublicKey(job, keySpec, spec, pair.publicKey);
  const pkcs8 = job.readPrivateKey(pair, spec);
  job.destroyObject(pair.privateKey);
  job.destroyObject(pair.publicKey);
  return { pkcs8, publicKey };
}

/** Answers of a token that makes no such pair, or none whose private half is not sensitive, or tells nothing of it. */
const refusesPair: ReadonlySet<number> = new Set([
  CKR.CKR_ATTRIBUTE_SENSITIVE,
  CKR.CKR_ATTRIBUTE_VALUE_INVALID,
  CKR.CKR_TEMPLATE_INCONSISTENT,
  CKR.CKR_MECHANISM_INVALID,
  CKR.CKR_DOMAIN_PARAMS_INVALID,
  CKR.CKR_CURVE_NOT_SUPPORTED,
  CKR.CKR_KEY_SIZE_RANGE,
]);

/** The failure of a job in words of its cause, where that is a token which makes no such pair to be told; else undefined. */
export function unreadablePair(error: unknown, keySpec: KeySpec): HsmError | undefined {
  if (!(error instanceof HsmError) || !(error.cause instanceof TokenError)) return undefined;
  const { call, rv, rvName, mechanism } = error.cause;
  const isAboutThePair = call === 'C_GenerateKeyPair' || call === 'C_GetAttributeValue';
  if (!isAboutThePair || !refusesPair.has(rv)) return undefined;
  const what = mechanism === undefined ? call : `${call} with ${mechanism}`;
  const reason = `${what} for a private key that is not sensitive returned ${rvName}`;
  return new HsmError('ERR_HSM_STRATEGY', `the token makes no ${keySpec} data key pairs: ${reason}`, {
    cause: error,
    details: { keySpec, reason },
  });
}
