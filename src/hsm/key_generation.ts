import { utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_DERIVE,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ENCRYPT,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_TOKEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKO_PUBLIC_KEY,
} from '../token/cryptoki.js';
import type { Job, JobResult, ObjectRef, Output } from '../token/job.js';
import { curveParameters, pointFromAttribute } from '../token/public_key.js';
import { template, type Template } from '../token/template.js';
import { curvePublicKey, encodePublicKey, rsaPublicKey } from '../wire/public_key.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import { BACKING_KEY_LABEL } from './key_material_id.js';
import { templateOf, type KeyShape } from './key_shape.js';
import { parsePublicHalf, specInToken, type PrivateKeySpec } from './key_spec.js';
import type { KeySpec } from './material.js';

const EXPONENT_65537 = Uint8Array.of(1, 0, 1);

/** A key that a job makes: the object, and what is told of its public half. */
export interface GeneratedKey {
  readonly key: ObjectRef;
  /** From the job's result: DER SubjectPublicKeyInfo of the public half; null for a secret. */
  readonly publicKey: (result: JobResult) => Uint8Array | null;
}

/**
 * Adds the generation of a key or pair to a job.
 *
 * @param shape - of the secret or private key
 * @throws {@link HsmError} `ERR_HSM_TYPE` from `publicKey`, for a public half that is none of the spec
 */
export function generateMaterial(
  job: Job,
  keySpec: KeySpec,
  shape: KeyShape,
  capabilities: HsmCapabilities,
): GeneratedKey {
  const spec = specInToken(keySpec);
  const mechanism = { type: spec.generation, parameter: { kind: 'none' } } as const;
  if (spec.kind === 'aes' || spec.kind === 'hmac') {
    const sized = { ...shape, lengthOctets: spec.secretOctets };
    return { key: job.generateKey(mechanism, templateOf(sized, 'generate', capabilities)), publicKey: () => null };
  }
  const pair = job.generateKeyPair(
    mechanism,
    publicTemplate(spec, capabilities, shape),
    templateOf(shape, 'generate', capabilities),
  );
  const publicKey = tellPublicKey(job, keySpec, spec, pair.publicKey);
  job.destroyObject(pair.publicKey);
  return { key: pair.privateKey, publicKey };
}

/**
 * Adds the reading of a fresh pair's public half to a job.
 *
 * @returns from the job's result: DER SubjectPublicKeyInfo
 */
export function tellPublicKey(
  job: Job,
  keySpec: KeySpec,
  spec: PrivateKeySpec,
  publicKey: ObjectRef,
): (result: JobResult) => Uint8Array {
  const told = job.getAttributes(publicKey, spec.kind === 'rsa' ? [CKA_MODULUS, CKA_PUBLIC_EXPONENT] : [CKA_EC_POINT]);
  return (result) => publicKeyFrom(keySpec, spec, result, told);
}

/**
 * The public half of a pair while it is made: nobody uses it in the token.
 *
 * @param privateHalf - its shape; where it signs, the public half verifies: softoken tries a pair that signs when it makes it
 */
export function publicTemplate(
  spec: PrivateKeySpec,
  capabilities: HsmCapabilities,
  privateHalf?: Pick<KeyShape, 'uses'>,
): Template {
  const size =
    spec.kind === 'rsa'
      ? ([
          [CKA_MODULUS_BITS, spec.modulusBits],
          [CKA_PUBLIC_EXPONENT, EXPONENT_65537],
          [CKA_WRAP, false],
          [CKA_ENCRYPT, false],
        ] as const)
      : ([
          [CKA_EC_PARAMS, curveParameters(spec.curve, capabilities.ed25519Parameters)],
          [CKA_DERIVE, false],
        ] as const);
  return template(
    [CKA_CLASS, CKO_PUBLIC_KEY],
    [CKA_KEY_TYPE, spec.keyType],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, false],
    [CKA_LABEL, utf8(BACKING_KEY_LABEL)],
    [CKA_VERIFY, privateHalf?.uses.includes('sign') ?? false],
    ...size,
  );
}

function publicKeyFrom(
  keySpec: KeySpec,
  spec: PrivateKeySpec,
  result: JobResult,
  told: Output<'attributes'>,
): Uint8Array {
  const attributes = result.attributes(told);
  const octetsOf = (type: number): Uint8Array => attributes.get(type)?.octets ?? new Uint8Array();
  try {
    const key =
      spec.kind === 'rsa'
        ? rsaPublicKey({ modulus: octetsOf(CKA_MODULUS), exponent: octetsOf(CKA_PUBLIC_EXPONENT) })
        : curvePublicKey(spec.curve, pointFromAttribute(spec.curve, attributes.get(CKA_EC_POINT)) ?? new Uint8Array());
    const publicKey = encodePublicKey(key);
    if (parsePublicHalf(keySpec, publicKey) !== null) return publicKey;
  } catch (cause) {
    throw new HsmError('ERR_HSM_TYPE', `the token told no public half of the ${keySpec} key that it made`, { cause });
  }
  throw new HsmError('ERR_HSM_TYPE', `the token made another key than the ${keySpec} that it was asked for`);
}
