import type { ObjectHandle } from './object.js';
import type { PublicKeyKind } from '../wire/public_key.js';
import type { Mechanism } from './mechanism.js';
import type { Template } from './template.js';
import { JobEncoder } from './job_encoder.js';

/** A place in a job that an earlier step fills with an object handle. */
export interface ObjectRef {
  readonly kind: 'object-ref';
  readonly index: number;
}

/** A place in a job that an earlier step fills with octets in locked native memory; they never reach JavaScript. */
export interface SecretRef {
  readonly kind: 'secret-ref';
  readonly index: number;
}

/** Both halves of a pair that an earlier step makes. */
export interface KeyPairRef {
  readonly publicKey: ObjectRef;
  readonly privateKey: ObjectRef;
}

/** What a step leaves for the caller; read with {@link JobResult}. */
export interface Output<Kind extends 'bytes' | 'object' | 'attributes' | 'handles' | 'rv'> {
  readonly kind: Kind;
  readonly index: number;
}

/** An object: a handle from an earlier job, or the result of an earlier step of this one. */
export type ObjectOperand = ObjectHandle | ObjectRef;
/** Octets: given by the caller, or made by an earlier step in native memory. */
export type BytesOperand = Uint8Array | SecretRef;

/** One attribute as the token told it. */
export interface AttributeValue {
  readonly type: number;
  /** The octets as they are in the token's answer, or why there are none. Secret attributes are never `value`. */
  readonly state: 'value' | 'unavailable' | 'sensitive' | 'readable-secret';
  readonly octets: Uint8Array;
}

/** What a job left behind. */
export interface JobResult {
  bytes(output: Output<'bytes'>): Uint8Array;
  object(output: Output<'object'>): ObjectHandle;
  handles(output: Output<'handles'>): readonly ObjectHandle[];
  attributes(output: Output<'attributes'>): ReadonlyMap<number, AttributeValue>;
  /** The `CKR_` of a step that was allowed to fail. */
  rv(output: Output<'rv'>): number;
}

/**
 * Several PKCS#11 calls that run one after another on one native thread and session, off the event loop.
 *
 * A step that fails ends the job: every object that the job made and did not `keep` is destroyed, also on success.
 * `name` and `strategy` go into errors and metrics.
 *
 * @source docs/decisions/002-jobs-as-programs.md; PKCS#11 v2.40 section 5
 */
export class Job {
  readonly name: string;
  readonly strategy: string;
  readonly encoder: JobEncoder;

  constructor(name: string, strategy: string) {
    this.name = name;
    this.strategy = strategy;
    this.encoder = new JobEncoder();
  }

  /** `C_GenerateKey`. */
  generateKey(mechanism: Mechanism, template: Template): ObjectRef {
    return this.encoder.generateKey(mechanism, template);
  }

  /** `C_GenerateKeyPair`. */
  generateKeyPair(mechanism: Mechanism, publicTemplate: Template, privateTemplate: Template): KeyPairRef {
    return this.encoder.generateKeyPair(mechanism, publicTemplate, privateTemplate);
  }

  /** `C_DeriveKey`. */
  deriveKey(mechanism: Mechanism, base: ObjectOperand, template: Template): ObjectRef {
    return this.encoder.deriveKey(mechanism, base, template);
  }

  /** `C_WrapKey`; the wrapped octets. */
  wrapKey(mechanism: Mechanism, wrappingKey: ObjectOperand, key: ObjectOperand): Output<'bytes'> {
    return this.encoder.wrapKey(mechanism, wrappingKey, key);
  }

  /** `C_UnwrapKey`. */
  unwrapKey(mechanism: Mechanism, unwrappingKey: ObjectOperand, wrapped: BytesOperand, template: Template): ObjectRef {
    return this.encoder.unwrapKey(mechanism, unwrappingKey, wrapped, template);
  }

  /** `C_EncryptInit` and `C_Encrypt`; where the token makes the IV, {@link OWN_IV_OCTETS} of it come before the ciphertext. */
  encrypt(mechanism: Mechanism, key: ObjectOperand, plaintext: BytesOperand): Output<'bytes'> {
    return this.encoder.encrypt(mechanism, key, plaintext);
  }

  /** `C_DecryptInit` and `C_Decrypt`; the plaintext becomes a JavaScript value. */
  decrypt(mechanism: Mechanism, key: ObjectOperand, ciphertext: BytesOperand): Output<'bytes'> {
    return this.encoder.decrypt(mechanism, key, ciphertext);
  }

  /** `C_DecryptInit` and `C_Decrypt`; the plaintext stays in locked native memory. */
  decryptToSecret(mechanism: Mechanism, key: ObjectOperand, ciphertext: BytesOperand): SecretRef {
    return this.encoder.decryptToSecret(mechanism, key, ciphertext);
  }

  /** `C_SignInit` and `C_Sign`: signatures and MACs. */
  sign(mechanism: Mechanism, key: ObjectOperand, data: BytesOperand): Output<'bytes'> {
    return this.encoder.sign(mechanism, key, data);
  }

  /** `C_VerifyInit` and `C_Verify`. */
  verify(mechanism: Mechanism, key: ObjectOperand, data: BytesOperand, signature: Uint8Array): void {
    this.encoder.verify(mechanism, key, data, signature);
  }

  /** `C_GenerateRandom`; public randomness, such as nonces. */
  random(octets: number): Output<'bytes'> {
    return this.encoder.random(octets);
  }

  /** `C_GenerateRandom` into locked native memory. */
  randomSecret(octets: number): SecretRef {
    return this.encoder.randomSecret(octets);
  }

  /** Copies a secret out of the job, because the API itself returns it (a data key's plaintext). */
  reveal(secret: SecretRef): Output<'bytes'> {
    return this.encoder.reveal(secret);
  }

  /**
   * Reads `CKA_VALUE` of an object that this job has made, into locked native memory: a shared secret that the API itself returns.
   * Fails for an object that is sensitive; {@link getAttributes} never tells a secret.
   */
  readSecret(object: ObjectRef): SecretRef {
    return this.encoder.readSecret(object);
  }

  /**
   * Reads the private key of a pair that this job has made, attribute by attribute, into locked native memory and puts it together
   * there as PKCS#8: what the API itself gives away. Fails for a key that is sensitive.
   *
   * @source RFC 5208; RFC 8017 appendix A.1.2, RFC 5915 (with the public point, the curve by name), RFC 8410
   */
  readPrivateKey(pair: KeyPairRef, kind: PublicKeyKind): SecretRef {
    return this.encoder.readPrivateKey(pair, kind);
  }

  /** `C_CreateObject`. Template values must be public; a secret `CKA_VALUE` comes as a {@link SecretRef}. */
  createObject(template: Template, value?: { readonly type: number; readonly secret: SecretRef }): ObjectRef {
    return this.encoder.createObject(template, value);
  }

  /** `C_CopyObject`. */
  copyObject(object: ObjectOperand, template: Template): ObjectRef {
    return this.encoder.copyObject(object, template);
  }

  /** `C_GetAttributeValue`, in few calls; one attribute that is missing does not hide the others. */
  getAttributes(object: ObjectOperand, types: readonly number[]): Output<'attributes'> {
    return this.encoder.getAttributes(object, types);
  }

  /** `C_SetAttributeValue`. */
  setAttributes(object: ObjectOperand, template: Template): void {
    this.encoder.setAttributes(object, template);
  }

  /** `C_FindObjectsInit`, `C_FindObjects`, `C_FindObjectsFinal`. */
  findObjects(template: Template, handlesMax: number): Output<'handles'> {
    return this.encoder.findObjects(template, handlesMax);
  }

  /** `C_DestroyObject`, then `C_GetAttributeValue(CKA_CLASS)`, which must fail: otherwise `ERR_TOKEN_NOT_DESTROYED`. */
  destroyObject(object: ObjectOperand): void {
    this.encoder.destroyObject(object);
  }

  /** Keeps an object beyond the end of the job. */
  keep(object: ObjectRef): Output<'object'> {
    return this.encoder.keep(object);
  }

  /**
   * Takes the padding of RSAES-OAEP (empty label, MGF1 with the same hash) off a raw decryption, in locked memory and in constant time.
   *
   * @param expected - length of the message, octets
   * @param decoy - what the job goes on with where padding or length are wrong; its length decides no time that tells anything
   * @returns the message or the decoy; `refusal` is not 0 where it is the decoy
   * @source RFC 8017 section 7.1.2
   */
  unpadOaep(
    encoded: SecretRef,
    expected: { readonly hash: 'sha1' | 'sha256'; readonly minOctets: number; readonly maxOctets: number },
    decoy: SecretRef,
  ): { readonly message: SecretRef; readonly refusal: Output<'rv'> } {
    return this.encoder.unpadOaep(encoded, expected, decoy);
  }

  /**
   * Reads the private value out of the PKCS#8 of an elliptic-curve key, in locked memory: this curve by name, in DER or BER.
   *
   * @param curve - `parameters` DER of its OBJECT IDENTIFIER; `order` of the base point, big-endian, which gives the value its length
   * @param decoy - as long as the order; what the job goes on with where the octets are anything else
   * @returns the value or the decoy; `refusal` is not 0 where it is the decoy; the public point that came with the key, or no octets
   * @source RFC 5208, RFC 5915
   */
  ecPrivateValue(
    pkcs8: SecretRef,
    curve: { readonly parameters: Uint8Array; readonly order: Uint8Array },
    decoy: SecretRef,
  ): { readonly value: SecretRef; readonly refusal: Output<'rv'>; readonly publicPoint: Output<'bytes'> } {
    return this.encoder.ecPrivateValue(pkcs8, curve, decoy);
  }

  /**
   * Lets the step that comes next fail without ending the job, and tells its `CKR_` (0 where it succeeded).
   * Steps that refer to what a failed step would have made fail with `ERR_TOKEN_REFERENCE`.
   */
  attempt(): Output<'rv'> {
    return this.encoder.attempt();
  }
}
