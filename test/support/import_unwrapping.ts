import { constants, createDecipheriv, privateDecrypt, type KeyObject } from 'node:crypto';
import { wrappingOf, type WrappingAlgorithm } from '../../src/customer/rules.js';

/** What KMS does with wrapped material, in software: the material. */
export function unwrapImported(algorithm: WrappingAlgorithm, privateKey: KeyObject, wrapped: Uint8Array): Uint8Array {
  const { hash: oaepHash, withAesKey } = wrappingOf(algorithm);
  const key = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash };
  if (!withAesKey) return privateDecrypt(key, wrapped);
  const modulusOctets = (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const aesKey = privateDecrypt(key, wrapped.subarray(0, modulusOctets));
  const cipher = createDecipheriv('id-aes256-wrap-pad', aesKey, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([cipher.update(wrapped.subarray(modulusOctets)), cipher.final()]);
}
