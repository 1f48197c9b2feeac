import { constants, publicEncrypt, randomBytes } from 'node:crypto';
import type { ImportWrappingAlgorithm } from '../../src/hsm/import_strategy.js';
import { keyWrapPad } from './software_source.js';

/** The customer's side in software: wraps material under a downloaded public key (DER SubjectPublicKeyInfo). */
export function wrapForImport(
  algorithm: ImportWrappingAlgorithm,
  publicKey: Uint8Array,
  material: Uint8Array,
): Uint8Array {
  if (!algorithm.startsWith('RSA_AES')) return oaepEncrypt(algorithm, publicKey, material);
  const key = randomBytes(32);
  return Buffer.concat([oaepEncrypt(algorithm, publicKey, key), keyWrapPad(key, material)]);
}

/** RSAES-OAEP under a downloaded public key, with the hash that the algorithm names. */
export function oaepEncrypt(algorithm: ImportWrappingAlgorithm, publicKey: Uint8Array, octets: Uint8Array): Uint8Array {
  const key = { key: Buffer.from(publicKey), format: 'der', type: 'spki' } as const;
  const oaepHash = algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256';
  return publicEncrypt({ ...key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, octets);
}
