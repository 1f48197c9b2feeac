import * as ck from './cryptoki.js';
import type { BytesOperand, KeyPairRef, ObjectOperand, ObjectRef, Output, SecretRef } from './job.js';
import type { Mechanism } from './mechanism.js';
import { encodeMechanism, weightOf, type Weight } from './mechanism_encoding.js';
import { OPCODE, privateKeyKind } from './opcode.js';
import type { PublicKeyKind } from '../wire/public_key.js';
import { ProgramBuffer, within } from './program_buffer.js';
import type { Template } from './template.js';
import { encodeTemplate, makesTokenObject } from './template_encoding.js';

const MAGIC = 0x314a464b;
const HEADER_WORDS = 8;
/** Stands for "handles of different epochs": no executor ever has it. */
const MIXED_EPOCHS = 0xffffffff;
const STEPS_MAX = 1024;
const REGISTERS_MAX = 1024;
const HANDLES_MAX = 1 << 20;
/** What one `C_GenerateRandom` gives everywhere: softoken refuses more. */
const RANDOM_BYTES_MAX = 65_536;
/** Longer data makes a job a long one. */
const SHORT_DATA_BYTES_MAX = 65_536;

const handleScratch = new BigUint64Array(1);
const handleWords = new Uint32Array(handleScratch.buffer);

/**
 * Writes a job as the flat program that native threads run: little-endian words, octets padded to a multiple of four.
 *
 * The format is in `native/src/program.h`. Arguments are copied when a step is added.
 */
export class JobEncoder {
  #program: ProgramBuffer | null = ProgramBuffer.take();
  #steps = 0;
  #objects = 0;
  #secrets = 0;
  #outputs = 0;
  #epoch = 0;
  #weight: Weight = 0;
  #attempted = 0;
  #attemptOutput = 0;
  #stepStart = 0;

  constructor() {
    this.#buffer().skip(HEADER_WORDS);
  }

  generateKey(mechanism: Mechanism, template: Template): ObjectRef {
    const program = this.#begin(OPCODE.generateKey);
    this.#mechanism(program, mechanism);
    this.#template(program, template);
    const made = this.#makeObject(program);
    this.#end(program);
    return made;
  }

  generateKeyPair(mechanism: Mechanism, publicTemplate: Template, privateTemplate: Template): KeyPairRef {
    const program = this.#begin(OPCODE.generateKeyPair);
    this.#mechanism(program, mechanism);
    this.#template(program, publicTemplate);
    this.#template(program, privateTemplate);
    const publicKey = this.#makeObject(program);
    const privateKey = this.#makeObject(program);
    this.#weigh(mechanism.type === ck.CKM_RSA_PKCS_KEY_PAIR_GEN ? 2 : 1);
    this.#end(program);
    return { publicKey, privateKey };
  }

  deriveKey(mechanism: Mechanism, base: ObjectOperand, template: Template): ObjectRef {
    const program = this.#begin(OPCODE.deriveKey);
    this.#mechanism(program, mechanism);
    this.#object(program, base);
    this.#template(program, template);
    const made = this.#makeObject(program);
    this.#end(program);
    return made;
  }

  wrapKey(mechanism: Mechanism, wrappingKey: ObjectOperand, key: ObjectOperand): Output<'bytes'> {
    const program = this.#begin(OPCODE.wrapKey);
    this.#mechanism(program, mechanism);
    this.#object(program, wrappingKey);
    this.#object(program, key);
    const output = this.#output(program, 'bytes');
    this.#end(program);
    return output;
  }

  unwrapKey(mechanism: Mechanism, unwrappingKey: ObjectOperand, wrapped: BytesOperand, template: Template): ObjectRef {
    const program = this.#begin(OPCODE.unwrapKey);
    this.#mechanism(program, mechanism);
    this.#object(program, unwrappingKey);
    this.#bytes(program, wrapped);
    this.#template(program, template);
    const made = this.#makeObject(program);
    this.#end(program);
    return made;
  }

  encrypt(mechanism: Mechanism, key: ObjectOperand, plaintext: BytesOperand): Output<'bytes'> {
    return this.#cipher(OPCODE.encrypt, mechanism, key, plaintext);
  }

  decrypt(mechanism: Mechanism, key: ObjectOperand, ciphertext: BytesOperand): Output<'bytes'> {
    return this.#cipher(OPCODE.decrypt, mechanism, key, ciphertext);
  }

  decryptToSecret(mechanism: Mechanism, key: ObjectOperand, ciphertext: BytesOperand): SecretRef {
    const program = this.#begin(OPCODE.decryptToSecret);
    this.#mechanism(program, mechanism);
    this.#object(program, key);
    this.#bytes(program, ciphertext);
    const made = this.#makeSecret(program);
    this.#end(program);
    return made;
  }

  sign(mechanism: Mechanism, key: ObjectOperand, data: BytesOperand): Output<'bytes'> {
    return this.#cipher(OPCODE.sign, mechanism, key, data);
  }

  verify(mechanism: Mechanism, key: ObjectOperand, data: BytesOperand, signature: Uint8Array): void {
    const program = this.#begin(OPCODE.verify);
    this.#mechanism(program, mechanism);
    this.#object(program, key);
    this.#bytes(program, data);
    program.putOctets(signature);
    this.#end(program);
  }

  random(octets: number): Output<'bytes'> {
    const program = this.#begin(OPCODE.random);
    program.word(within(octets, RANDOM_BYTES_MAX, 'octets of randomness'));
    const output = this.#output(program, 'bytes');
    this.#end(program);
    return output;
  }

  randomSecret(octets: number): SecretRef {
    const program = this.#begin(OPCODE.randomSecret);
    program.word(within(octets, RANDOM_BYTES_MAX, 'octets of randomness'));
    const made = this.#makeSecret(program);
    this.#end(program);
    return made;
  }

  reveal(secret: SecretRef): Output<'bytes'> {
    const program = this.#begin(OPCODE.reveal);
    program.word(this.#known(secret));
    const output = this.#output(program, 'bytes');
    this.#end(program);
    return output;
  }

  createObject(template: Template, value?: { readonly type: number; readonly secret: SecretRef }): ObjectRef {
    const program = this.#begin(OPCODE.createObject);
    this.#template(program, template);
    if (value === undefined) {
      program.word(0);
    } else {
      program.words3(1, value.type, this.#known(value.secret));
    }
    const made = this.#makeObject(program);
    this.#end(program);
    return made;
  }

  copyObject(object: ObjectOperand, template: Template): ObjectRef {
    const program = this.#begin(OPCODE.copyObject);
    this.#weigh(3);
    this.#object(program, object);
    this.#template(program, template);
    const made = this.#makeObject(program);
    this.#end(program);
    return made;
  }

  getAttributes(object: ObjectOperand, types: readonly number[]): Output<'attributes'> {
    const program = this.#begin(OPCODE.getAttributes);
    this.#object(program, object);
    program.word(within(types.length, 128, 'attributes'));
    for (const type of types) program.word(type);
    const output = this.#output(program, 'attributes');
    this.#end(program);
    return output;
  }

  setAttributes(object: ObjectOperand, template: Template): void {
    const program = this.#begin(OPCODE.setAttributes);
    this.#weigh(3);
    this.#object(program, object);
    this.#template(program, template);
    this.#end(program);
  }

  findObjects(template: Template, handlesMax: number): Output<'handles'> {
    const program = this.#begin(OPCODE.findObjects);
    program.word(within(handlesMax, HANDLES_MAX, 'handles'));
    this.#template(program, template);
    const output = this.#output(program, 'handles');
    this.#weigh(3);
    this.#end(program);
    return output;
  }

  destroyObject(object: ObjectOperand): void {
    const program = this.#begin(OPCODE.destroyObject);
    this.#object(program, object);
    this.#end(program);
  }

  keep(object: ObjectRef): Output<'object'> {
    const program = this.#begin(OPCODE.keep);
    if (object.index >= this.#objects) throw new RangeError('an object of another job cannot be kept');
    program.word(object.index);
    const output = this.#output(program, 'object');
    this.#end(program);
    return output;
  }

  readSecret(object: ObjectRef): SecretRef {
    const program = this.#begin(OPCODE.readSecret);
    this.#object(program, object);
    const made = this.#makeSecret(program);
    this.#end(program);
    return made;
  }

  readPrivateKey(pair: KeyPairRef, kind: PublicKeyKind): SecretRef {
    const program = this.#begin(OPCODE.readPrivateKey);
    const curve = kind.kind === 'curve' ? kind.curve : null;
    program.word(privateKeyKind(kind));
    this.#object(program, pair.privateKey);
    this.#object(program, pair.publicKey);
    program.putOctets(curve?.oid ?? new Uint8Array());
    program.word(curve?.coordinateOctets ?? 0);
    const made = this.#makeSecret(program);
    this.#end(program);
    return made;
  }

  unpadOaep(
    encoded: SecretRef,
    expected: { readonly hash: 'sha1' | 'sha256'; readonly minOctets: number; readonly maxOctets: number },
    decoy: SecretRef,
  ): { readonly message: SecretRef; readonly refusal: Output<'rv'> } {
    const program = this.#begin(OPCODE.unpadOaep);
    program.words3(expected.hash === 'sha1' ? 1 : 2, expected.minOctets, expected.maxOctets);
    program.words2(this.#known(encoded), this.#known(decoy));
    const message = this.#makeSecret(program);
    const refusal = this.#output(program, 'rv');
    this.#end(program);
    return { message, refusal };
  }

  ecPrivateValue(
    pkcs8: SecretRef,
    curve: { readonly parameters: Uint8Array; readonly order: Uint8Array },
    decoy: SecretRef,
  ): { readonly value: SecretRef; readonly refusal: Output<'rv'>; readonly publicPoint: Output<'bytes'> } {
    const program = this.#begin(OPCODE.ecPrivateValue);
    program.words2(this.#known(pkcs8), this.#known(decoy));
    program.putOctets(curve.parameters);
    program.putOctets(curve.order);
    const value = this.#makeSecret(program);
    const refusal = this.#output(program, 'rv');
    const publicPoint = this.#output(program, 'bytes');
    this.#end(program);
    return { value, refusal, publicPoint };
  }

  attempt(): Output<'rv'> {
    if (this.#attempted === 1) throw new RangeError('attempt() was called twice before one step');
    this.#attempted = 1;
    this.#attemptOutput = this.#outputs;
    this.#outputs += 1;
    return { kind: 'rv', index: this.#attemptOutput };
  }

  /**
   * Completes the program; more steps may be added afterwards.
   *
   * @throws RangeError when the job is empty of the step that an attempt is for, or has run with success before
   */
  program(): ProgramBuffer {
    const program = this.#buffer();
    if (this.#attempted === 1) throw new RangeError('attempt() is not followed by a step');
    program.setWord(0, MAGIC);
    program.setWord(1, program.length * 4);
    program.setWord(2, this.#weight);
    program.setWord(3, this.#epoch);
    program.setWord(4, this.#steps);
    program.setWord(5, this.#objects);
    program.setWord(6, this.#secrets);
    program.setWord(7, this.#outputs);
    return program;
  }

  /** Wipes the program once it has run and nobody will run it again. */
  release(): void {
    this.#program?.release();
    this.#program = null;
  }

  #buffer(): ProgramBuffer {
    if (this.#program === null) throw new RangeError('the job has already run');
    return this.#program;
  }

  #begin(opcode: number): ProgramBuffer {
    const program = this.#buffer();
    if (this.#steps === STEPS_MAX) throw new RangeError(`a job has at most ${STEPS_MAX} steps`);
    this.#steps += 1;
    this.#stepStart = program.length;
    program.words3(opcode, this.#attempted, 0);
    if (this.#attempted === 1) program.word(this.#attemptOutput);
    this.#attempted = 0;
    return program;
  }

  #end(program: ProgramBuffer): void {
    program.setWord(this.#stepStart + 2, (program.length - this.#stepStart) * 4);
  }

  #cipher(opcode: number, mechanism: Mechanism, key: ObjectOperand, data: BytesOperand): Output<'bytes'> {
    const program = this.#begin(opcode);
    this.#mechanism(program, mechanism);
    this.#object(program, key);
    this.#bytes(program, data);
    const output = this.#output(program, 'bytes');
    this.#end(program);
    return output;
  }

  #mechanism(program: ProgramBuffer, mechanism: Mechanism): void {
    encodeMechanism(program, mechanism);
    this.#weigh(weightOf(mechanism.type));
  }

  #template(program: ProgramBuffer, template: Template): void {
    encodeTemplate(program, template);
    if (makesTokenObject(template)) this.#weigh(3);
  }

  #object(program: ProgramBuffer, object: ObjectOperand): void {
    if (object.kind === 'object-ref') {
      if (object.index >= this.#objects) throw new RangeError('a step refers to an object of another job');
      program.words3(1, object.index, 0);
      return;
    }
    if (this.#epoch === 0) this.#epoch = object.epoch;
    else if (this.#epoch !== object.epoch) this.#epoch = MIXED_EPOCHS;
    handleScratch[0] = object.value;
    program.words3(0, handleWords[0] as number, handleWords[1] as number);
  }

  #bytes(program: ProgramBuffer, bytes: BytesOperand): void {
    if ('kind' in bytes) {
      program.words2(1, this.#known(bytes));
      return;
    }
    program.word(0);
    program.putOctets(bytes);
    if (bytes.length > SHORT_DATA_BYTES_MAX) this.#weigh(1);
  }

  #known(secret: SecretRef): number {
    if (secret.index >= this.#secrets) throw new RangeError('a step refers to a secret of another job');
    return secret.index;
  }

  #makeObject(program: ProgramBuffer): ObjectRef {
    const index = within(this.#objects, REGISTERS_MAX - 1, 'objects');
    program.word(index);
    this.#objects += 1;
    return { kind: 'object-ref', index };
  }

  #makeSecret(program: ProgramBuffer): SecretRef {
    const index = within(this.#secrets, REGISTERS_MAX - 1, 'secrets');
    program.word(index);
    this.#secrets += 1;
    return { kind: 'secret-ref', index };
  }

  #output<Kind extends 'bytes' | 'object' | 'attributes' | 'handles' | 'rv'>(
    program: ProgramBuffer,
    kind: Kind,
  ): Output<Kind> {
    const index = this.#outputs;
    program.word(index);
    this.#outputs += 1;
    return { kind, index };
  }

  #weigh(weight: Weight): void {
    if (weight > this.#weight) this.#weight = weight;
  }
}
