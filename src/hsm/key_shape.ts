import { equalOctets, utf8 } from '../bytes.js';
import {
  CKA_ALLOWED_MECHANISMS,
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIME_1,
  CKA_PRIVATE,
  CKA_PRIVATE_EXPONENT,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKA_WRAP_WITH_TRUSTED,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
  CKO_PRIVATE_KEY,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import type { AttributeValue, Job, ObjectOperand, Output } from '../token/job.js';
import { attributeName } from '../token/names.js';
import type { Template, TemplateAttribute, TemplateValue } from '../token/template.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';

/** One thing that a key may be used for. */
export type KeyUse = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'wrap' | 'unwrap' | 'derive';

/** The attribute that allows each use. */
export const attributeOfUse: Readonly<Record<KeyUse, number>> = {
  encrypt: CKA_ENCRYPT,
  decrypt: CKA_DECRYPT,
  sign: CKA_SIGN,
  verify: CKA_VERIFY,
  wrap: CKA_WRAP,
  unwrap: CKA_UNWRAP,
  derive: CKA_DERIVE,
};
const secretKeyUses: readonly KeyUse[] = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap', 'derive'];
/** Key types whose keys are private keys here; public halves have no shape. */
const privateKeyTypes: ReadonlySet<number> = new Set([CKK_RSA, CKK_EC, CKK_EC_EDWARDS]);
const privateKeyUses: readonly KeyUse[] = ['decrypt', 'sign', 'unwrap', 'derive'];

/** What a key in the token is, attribute by attribute: its template, and what is compared when it is read back. */
export interface KeyShape {
  /** `CKK_AES` or `CKK_GENERIC_SECRET`; `CKK_RSA`, `CKK_EC` or `CKK_EC_EDWARDS` (a private key). */
  readonly keyType: number;
  /** Octets of a secret key; left out for a private key, and where a secret may have several lengths. */
  readonly lengthOctets?: number;
  /** What the key may be used for; everything else is set to false. */
  readonly uses: readonly KeyUse[];
  readonly label: string;
  /**
   * Left out for a session object that nobody looks for. Its label is for people then, and not read back: a token that keeps the octets of
   * private objects enciphered takes as long for the two as for all other attributes together.
   */
  readonly id?: Uint8Array;
  /** A token object; a session object otherwise. */
  readonly onToken?: boolean;
  /** Whether the key can be wrapped at all. Every key is sensitive. */
  readonly extractable?: boolean;
  /** `CKA_WRAP_WITH_TRUSTED`. */
  readonly wrapWithTrusted?: boolean;
  /**
   * Public point of an EC private key that is unwrapped and wrapped again.
   *
   * HAZARD: NSS 3.87 keeps what it is given in `CKA_NSS_DB` as the public point and wraps it with the key: with anything else there,
   * no other token unwraps what it wrapped.
   */
  readonly publicPoint?: Uint8Array;
  /** `CKA_ALLOWED_MECHANISMS`, where the token enforces it. */
  readonly allowedMechanisms?: readonly number[];
}

/** How an object comes about; decides whether a template may say how long it is. */
export type KeyOrigin = 'generate' | 'derive' | 'unwrap';

/** Attributes of a key that are its secret: none of them may be readable. */
function secretAttributes(keyType: number): readonly number[] {
  return keyType === CKK_RSA ? [CKA_PRIVATE_EXPONENT, CKA_PRIME_1] : [CKA_VALUE];
}

/** What the attributes of a shape are. */
interface Expectations {
  readonly capabilities: HsmCapabilities;
  /** In its template. */
  readonly asked: readonly TemplateAttribute[];
  /** Read back and compared. */
  readonly compared: readonly TemplateAttribute[];
}

/** Of shapes that are in use: each is asked for when an object is made, when it is read back, and when it is compared. */
const expectationsOfShape = new WeakMap<KeyShape, Expectations>();

function expectations(shape: KeyShape, capabilities: HsmCapabilities): Expectations {
  const made = expectationsOfShape.get(shape);
  if (made?.capabilities === capabilities) return made;
  const asked = makeExpectations(shape, capabilities);
  const compared = shape.id === undefined ? asked.filter(({ type }) => type !== CKA_LABEL) : asked;
  const expected = { capabilities, asked, compared };
  expectationsOfShape.set(shape, expected);
  return expected;
}

function makeExpectations(shape: KeyShape, capabilities: HsmCapabilities): readonly TemplateAttribute[] {
  const isPrivateKey = isPrivateKeyShape(shape);
  const attributes: [number, TemplateValue][] = [
    [CKA_CLASS, isPrivateKey ? CKO_PRIVATE_KEY : CKO_SECRET_KEY],
    [CKA_KEY_TYPE, shape.keyType],
    [CKA_TOKEN, shape.onToken ?? false],
    [CKA_PRIVATE, true],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, shape.extractable ?? false],
    [CKA_LABEL, utf8(shape.label)],
  ];
  if (shape.id !== undefined) attributes.push([CKA_ID, shape.id]);
  for (const use of isPrivateKey ? privateKeyUses : secretKeyUses) {
    attributes.push([attributeOfUse[use], shape.uses.includes(use)]);
  }
  if (shape.wrapWithTrusted === true) attributes.push([CKA_WRAP_WITH_TRUSTED, true]);
  if (capabilities.enforcesAllowedMechanisms && shape.allowedMechanisms !== undefined) {
    attributes.push([CKA_ALLOWED_MECHANISMS, shape.allowedMechanisms]);
  }
  return attributes.map(([type, value]) => ({ type, value }));
}

/**
 * The template of a key; every use is given explicitly, because defaults differ between tokens.
 *
 * @source PKCS#11 v2.40 sections 4.9 and 4.10
 */
export function templateOf(shape: KeyShape, origin: KeyOrigin, capabilities: HsmCapabilities): Template {
  const attributes = [...expectations(shape, capabilities).asked];
  // An unwrapped key is as long as what was wrapped: some tokens refuse a length here, others cut the key by it.
  if (shape.lengthOctets !== undefined && (origin !== 'unwrap' || capabilities.unwrapLength === 'required')) {
    attributes.push({ type: CKA_VALUE_LEN, value: shape.lengthOctets });
  }
  if (origin === 'unwrap' && shape.keyType === CKK_EC) {
    const value = shape.publicPoint ?? new Uint8Array(1);
    for (const type of capabilities.ecPrivateUnwrapAttributes) attributes.push({ type, value });
  }
  return attributes;
}

/** Whether a shape is that of a private key. */
export function isPrivateKeyShape(shape: KeyShape): boolean {
  return privateKeyTypes.has(shape.keyType);
}

/** Reads back everything that {@link assertShape} compares. */
export function readBack(
  job: Job,
  key: ObjectOperand,
  shape: KeyShape,
  capabilities: HsmCapabilities,
): Output<'attributes'> {
  const types = expectations(shape, capabilities).compared.map((attribute) => attribute.type);
  const length = shape.lengthOctets === undefined ? [] : [CKA_VALUE_LEN];
  return job.getAttributes(key, [...types, ...secretAttributes(shape.keyType), ...length]);
}

/** `CK_ULONG`s as a token of this machine writes them. */
function ulongs(octets: Uint8Array): readonly number[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const values: number[] = [];
  for (let at = 0; at + 8 <= octets.length; at += 8) {
    values.push(view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32);
  }
  return values;
}

function isAsAsked(answer: AttributeValue, asked: TemplateValue): boolean {
  if (answer.state !== 'value') return false;
  if (typeof asked === 'boolean') return answer.octets.length === 1 && (answer.octets[0] !== 0) === asked;
  if (typeof asked === 'number') return answer.octets.length === 8 && ulongs(answer.octets)[0] === asked;
  if (asked instanceof Uint8Array) return equalOctets(answer.octets, asked);
  if (!('template' in asked)) {
    return ulongs(answer.octets).toSorted().join() === asked.toSorted().join();
  }
  return false;
}

/**
 * Compares what a token made with what it was asked for.
 *
 * @throws {@link HsmError} `ERR_HSM_TYPE`, naming the attributes that differ
 */
export function assertShape(
  attributes: ReadonlyMap<number, AttributeValue>,
  shape: KeyShape,
  capabilities: HsmCapabilities,
): void {
  const length = shape.lengthOctets === undefined ? [] : [{ type: CKA_VALUE_LEN, value: shape.lengthOctets }];
  assertAttributes(attributes, [...expectations(shape, capabilities).compared, ...length]);
}

/** Whether a token made what it was asked for. */
export function isShape(
  attributes: ReadonlyMap<number, AttributeValue>,
  shape: KeyShape,
  capabilities: HsmCapabilities,
): boolean {
  return differences(attributes, expectations(shape, capabilities).compared).length === 0;
}

/**
 * Compares attributes with a template. A secret whose `CKA_VALUE` can be read differs in any case.
 *
 * @throws {@link HsmError} `ERR_HSM_TYPE`, naming the attributes that differ
 */
export function assertAttributes(attributes: ReadonlyMap<number, AttributeValue>, asked: Template): void {
  const differing = differences(attributes, asked);
  if (differing.length === 0) return;
  throw new HsmError('ERR_HSM_TYPE', `the token made another key than it was asked for: ${differing.join(', ')}`, {
    details: { attributes: differing },
  });
}

function differences(attributes: ReadonlyMap<number, AttributeValue>, asked: Template): readonly string[] {
  const differing: string[] = [];
  for (const { type, value } of asked) {
    const answer = attributes.get(type);
    // Some tokens tell 0, or nothing, for an unwrapped key; its length then shows in use and in the wrapped octets.
    const isUntoldLength = type === CKA_VALUE_LEN && (answer?.state !== 'value' || ulongs(answer.octets)[0] === 0);
    if (!isUntoldLength && (answer === undefined || !isAsAsked(answer, value))) differing.push(attributeName(type));
  }
  for (const { type, state } of attributes.values()) {
    if (state === 'readable-secret') differing.push(attributeName(type));
  }
  return differing;
}
