import { createHash, ECDH, randomBytes, type KeyObject } from 'node:crypto';
import { concat, equalOctets, utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_MODULUS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKD_NULL,
  CKK_GENERIC_SECRET,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_RSA_PKCS,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import type { AttributeValue, Job, JobResult, ObjectRef } from '../token/job.js';
import { pointFromAttribute } from '../token/public_key.js';
import { template } from '../token/template.js';
import type { Curve, CurveName } from '../wire/curve.js';
import { curvePublicKey, encodePublicKey, rsaPublicKey } from '../wire/public_key.js';
import { HsmError } from './errors.js';
import { BACKING_KEY_LABEL } from './key_material_id.js';
import type { KeyShape } from './key_shape.js';
import { parsePublicHalf, type PrivateKeySpec } from './key_spec.js';
import type { KeySpec } from './material.js';
import { isSignatureOf } from './signature.js';

/** Steps that make the imported key in a job, and what runs such jobs. */
export interface ImportedKeySource {
  /** Begins a job in which the key can be made; `check` throws for what the job's result shows to be no key. */
  begin(): {
    readonly job: Job;
    readonly make: (shape: KeyShape) => ObjectRef;
    readonly check: (result: JobResult) => void;
    /** The public point that came with the key, where it was seen outside the token. */
    readonly publicPoint: (result: JobResult) => Uint8Array;
  };
  /** Runs a job; what fails in unwrapping is one error. */
  run(job: Job): Promise<JobResult>;
  /** Destroys what a token kept of an unwrapping that it refused, by its `CKA_ID`. */
  forget(id: Uint8Array): Promise<void>;
  /** Vendor attributes in which some tokens keep the public point of a private key. */
  readonly pointAttributes: readonly number[];
}

const TEST_MESSAGE = utf8('keyferry public half');
const opensslNames: Readonly<Partial<Record<CurveName, string>>> = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
  secp256k1: 'secp256k1',
};

/**
 * The public half of an imported private key, from the private half in the token: customers wrap private keys, and what a key says of
 * its own public half is not believed.
 *
 * @returns DER SubjectPublicKeyInfo
 * @throws {@link HsmError} `ERR_HSM_UNWRAP`; `ERR_HSM_TYPE` for another kind of key, size or curve, and for two halves that do not fit
 * @source docs/IMPORT.md
 */
export async function importedPublicHalf(
  source: ImportedKeySource,
  keySpec: KeySpec,
  spec: PrivateKeySpec,
): Promise<Uint8Array> {
  // By its own id whatever a token left behind is found again.
  const id = randomBytes(16);
  try {
    return await (spec.kind === 'rsa'
      ? rsaPublicHalf(source, keySpec, spec, id)
      : curvePublicHalf(source, keySpec, spec, id));
  } catch (error) {
    await source.forget(id);
    throw error;
  }
}

async function rsaPublicHalf(
  { begin, run }: ImportedKeySource,
  keySpec: KeySpec,
  { keyType }: PrivateKeySpec,
  id: Uint8Array,
): Promise<Uint8Array> {
  const { job, make, check } = begin();
  const told = job.getAttributes(make(shapeFor(keyType, id, 'sign', CKM_RSA_PKCS)), [CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
  const result = await run(job);
  check(result);
  const attributes = result.attributes(told);
  const [modulus, exponent] = [octetsOf(attributes, CKA_MODULUS), octetsOf(attributes, CKA_PUBLIC_EXPONENT)];
  const publicKey = encoded(() => rsaPublicKey({ modulus, exponent }));
  const key = parsePublicHalf(keySpec, publicKey);
  const publicExponent = key?.asymmetricKeyDetails?.publicExponent ?? 0n;
  //= RFC 8017 section 3.1: the public exponent is an odd integer of at least 3.
  if (publicKey === null || publicExponent < 3n || publicExponent % 2n === 0n) throw otherKind(keySpec);
  return publicKey;
}

async function curvePublicHalf(
  source: ImportedKeySource,
  keySpec: KeySpec,
  { keyType, curve }: Extract<PrivateKeySpec, { kind: 'curve' }>,
  id: Uint8Array,
): Promise<Uint8Array> {
  const signing = source.begin();
  const key = signing.make(shapeFor(keyType, id, 'sign', CKM_ECDSA));
  const pointAttributes = [CKA_EC_POINT, ...source.pointAttributes];
  const told = signing.job.getAttributes(key, [CKA_EC_PARAMS, ...pointAttributes]);
  const attempt = signing.job.attempt();
  const digest = createHash('sha256').update(TEST_MESSAGE).digest();
  const signature = signing.job.sign({ type: CKM_ECDSA, parameter: { kind: 'none' } }, key, digest);
  const result = await source.run(signing.job);
  signing.check(result);
  const attributes = result.attributes(told);
  if (!equalOctets(octetsOf(attributes, CKA_EC_PARAMS), curve.oid) || result.rv(attempt) !== 0)
    throw otherKind(keySpec);
  const abscissa = await multiplyBasePoint(source, curve, { keyType, id });
  for (const candidate of pointsAt(curve, abscissa)) {
    const publicKey = curvePublicKey(curve, candidate);
    if (!(await isSigner(publicKey, result.bytes(signature)))) continue;
    const claims = [
      signing.publicPoint(result),
      ...pointAttributes.map((type) => pointFromAttribute(curve, attributes.get(type)) ?? new Uint8Array()),
    ];
    if (claims.some((claim) => claim.length > 0 && !isSamePoint(curve, claim, candidate))) throw halvesDiffer();
    return encodePublicKey(publicKey);
  }
  throw halvesDiffer();
}

/** The x coordinate of the private value times the base point: an ECDH whose result is the public half, and no secret. */
async function multiplyBasePoint(
  source: ImportedKeySource,
  curve: Curve,
  { keyType, id }: { readonly keyType: number; readonly id: Uint8Array },
): Promise<Uint8Array> {
  if (curve.basePoint === null) throw new TypeError('a curve without key agreement');
  const { job, make, check } = source.begin();
  const derived = job.deriveKey(
    {
      type: CKM_ECDH1_DERIVE,
      parameter: { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData: curve.basePoint },
    },
    make(shapeFor(keyType, id, 'derive', CKM_ECDH1_DERIVE)),
    template(
      [CKA_CLASS, CKO_SECRET_KEY],
      [CKA_KEY_TYPE, CKK_GENERIC_SECRET],
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_SENSITIVE, false],
      [CKA_EXTRACTABLE, true],
      [CKA_VALUE_LEN, curve.coordinateOctets],
    ),
  );
  const abscissa = job.reveal(job.readSecret(derived));
  const result = await source.run(job);
  check(result);
  return result.bytes(abscissa);
}

/** The two points of a curve at an x coordinate, uncompressed; none where there are none. */
function pointsAt(curve: Curve, abscissa: Uint8Array): readonly Uint8Array[] {
  return [2, 3].flatMap((sign) => uncompressed(curve, concat(Uint8Array.of(sign), abscissa)) ?? []);
}

function uncompressed(curve: Curve, point: Uint8Array): Uint8Array | null {
  const name = opensslNames[curve.name];
  if (name === undefined) return null;
  try {
    return Uint8Array.from(ECDH.convertKey(point, name, undefined, undefined, 'uncompressed') as Buffer);
  } catch {
    return null;
  }
}

function isSamePoint(curve: Curve, claim: Uint8Array, point: Uint8Array): boolean {
  const claimed = uncompressed(curve, claim);
  return claimed !== null && equalOctets(claimed, point);
}

function isSigner(key: KeyObject, signature: Uint8Array): Promise<boolean> {
  return isSignatureOf(key, { scheme: 'ecdsa', hash: 'sha256' }, TEST_MESSAGE, signature);
}

function shapeFor(keyType: number, id: Uint8Array, use: 'sign' | 'derive', mechanism: number): KeyShape {
  return { keyType, uses: [use], label: BACKING_KEY_LABEL, id, allowedMechanisms: [mechanism] };
}

function octetsOf(attributes: ReadonlyMap<number, AttributeValue>, type: number): Uint8Array {
  return attributes.get(type)?.octets ?? new Uint8Array();
}

function encoded(make: () => KeyObject): Uint8Array | null {
  try {
    return encodePublicKey(make());
  } catch {
    return null;
  }
}

function otherKind(keySpec: KeySpec): HsmError {
  return new HsmError('ERR_HSM_TYPE', `the unwrapped material is no ${keySpec} key; it was destroyed`);
}

function halvesDiffer(): HsmError {
  return new HsmError('ERR_HSM_TYPE', 'the two halves of the unwrapped key do not fit; it was destroyed');
}
