import type { Mechanism } from './mechanism.js';
import type { ProgramBuffer } from './program_buffer.js';

/**
 * How long a job takes: short (symmetric), long (elliptic curves, RSA), slow (RSA key pairs); or 3 where it holds the module's objects
 * alone, for which it waits until no slow job runs.
 */
export type Weight = 0 | 1 | 2 | 3;

/** Numbers of the parameter kinds, as `native/src/mechanism.h` has them. */
const PARAMETER = {
  none: 0,
  octets: 1,
  gcm: 2,
  ecdh1: 3,
  'aes-cbc-encrypt-data': 4,
  'string-data': 5,
  oaep: 6,
  pss: 7,
  hkdf: 8,
  'sp800-108-counter': 9,
  'rsa-aes-key-wrap': 10,
  'gcm-own-iv': 11,
} as const;

/** Numbers of the places of an IV, as `native/src/mechanism.h` has them. */
const IV_PLACE = { 'written-back': 1, prepended: 2 } as const;

const CBC_IV_BYTES = 16;

/**
 * Writes a mechanism and its parameter.
 *
 * @throws RangeError when an IV does not have the length that its C structure has
 */
export function encodeMechanism(program: ProgramBuffer, { type, parameter }: Mechanism): void {
  program.words2(type, PARAMETER[parameter.kind]);
  switch (parameter.kind) {
    case 'none':
      return;
    case 'octets':
    case 'string-data':
      program.putOctets(parameter.octets);
      return;
    case 'gcm':
      program.word(parameter.tagBits);
      program.putOctets(parameter.iv);
      program.putOctets(parameter.aad);
      return;
    case 'gcm-own-iv':
      program.words2(IV_PLACE[parameter.told], parameter.tagBits);
      program.putOctets(parameter.aad);
      return;
    case 'ecdh1':
      program.word(parameter.kdf);
      putOptional(program, parameter.sharedData);
      program.putOctets(parameter.publicData);
      return;
    case 'aes-cbc-encrypt-data':
      if (parameter.iv.length !== CBC_IV_BYTES) {
        throw new RangeError(`the IV of CK_AES_CBC_ENCRYPT_DATA_PARAMS has ${CBC_IV_BYTES} octets`);
      }
      program.putOctets(parameter.iv);
      program.putOctets(parameter.data);
      return;
    case 'oaep':
      program.words2(parameter.hash, parameter.mgf);
      putOptional(program, parameter.label);
      return;
    case 'pss':
      program.words3(parameter.hash, parameter.mgf, parameter.saltBytes);
      return;
    case 'hkdf':
      program.words2((parameter.extract ? 1 : 0) | (parameter.expand ? 2 : 0), parameter.prf);
      putOptional(program, parameter.salt);
      program.putOctets(parameter.info);
      return;
    case 'sp800-108-counter':
      program.word(parameter.prf);
      program.putOctets(parameter.fixedInput);
      return;
    case 'rsa-aes-key-wrap':
      program.words3(parameter.aesKeyBits, parameter.hash, parameter.mgf);
      return;
  }
}

function putOptional(program: ProgramBuffer, octets: Uint8Array | null): void {
  if (octets === null) {
    program.word(0);
    return;
  }
  program.word(1);
  program.putOctets(octets);
}

/**
 * How long a mechanism takes.
 *
 * Numbers below 0x100 are RSA, DSA and Diffie-Hellman, 0x1030 to 0x105f elliptic curves and `CKM_RSA_AES_KEY_WRAP`;
 * a vendor's own mechanism is taken for a long one.
 */
export function weightOf(mechanism: number): Weight {
  if (mechanism < 0x100 || mechanism >= 0x80000000) return 1;
  return mechanism >= 0x1030 && mechanism < 0x1060 ? 1 : 0;
}
