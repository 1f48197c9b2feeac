import type { PublicKeyKind } from '../wire/public_key.js';

/** Numbers of the steps, as `native/src/program.h` has them. */
export const OPCODE = {
  generateKey: 1,
  generateKeyPair: 2,
  deriveKey: 3,
  wrapKey: 4,
  unwrapKey: 5,
  encrypt: 6,
  decrypt: 7,
  decryptToSecret: 8,
  sign: 9,
  verify: 10,
  random: 11,
  randomSecret: 12,
  reveal: 13,
  createObject: 14,
  copyObject: 15,
  getAttributes: 16,
  setAttributes: 17,
  findObjects: 18,
  destroyObject: 19,
  keep: 20,
  readSecret: 21,
  unpadOaep: 22,
  ecPrivateValue: 23,
  readPrivateKey: 24,
} as const;

/** Number of the PKCS#8 that a private key is to be written as, as `native/src/program.h` has it. */
export function privateKeyKind(kind: PublicKeyKind): number {
  if (kind.kind === 'rsa') return 1;
  return kind.curve.name === 'Ed25519' ? 3 : 2;
}
