import { createCipheriv, createDecipheriv, createHmac, hash } from 'node:crypto';
import { concat, u32be } from '../../bytes.js';

/**
 * Published key of the examples of NIST SP 800-38B, 32 octets: a test key, and nobody's secret.
 *
 * @source NIST SP 800-38B appendix D.3
 */
export const knownKey: Uint8Array = Buffer.from(
  '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
  'hex',
);

/** First message block of the same examples, 16 octets, and its CMAC. */
export const knownBlock: Uint8Array = Buffer.from('6bc1bee22e409f96e93d7e117393172a', 'hex');
export const knownCmac: Uint8Array = Buffer.from('28a7023f452e8f82bd4bf28d8c37c35c', 'hex');

/** 48 octets for everything that needs more than one block, or a secret as long as a P-384 shared secret. */
export const knownOctets48: Uint8Array = Buffer.from(Array.from({ length: 48 }, (_, index) => index));

/** 33 octets: a secret whose length is no multiple of 8. */
export const knownOctets33: Uint8Array = Buffer.from(Array.from({ length: 33 }, (_, index) => 0x40 + index));

/** AES-256-ECB without padding. */
export function aesEcb(key: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return concat(cipher.update(data), cipher.final());
}

/** AES-256-CBC without padding. */
export function aesCbc(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false);
  return concat(cipher.update(data), cipher.final());
}

/** AES key wrap without padding (RFC 3394). */
export function aesKeyWrap(kek: Uint8Array, key: Uint8Array): Uint8Array {
  const cipher = createCipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6));
  return concat(cipher.update(key), cipher.final());
}

/** AES key wrap with padding (RFC 5649). */
export function aesKeyWrapPad(kek: Uint8Array, key: Uint8Array): Uint8Array {
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
  return concat(cipher.update(key), cipher.final());
}

/** What {@link aesKeyWrapPad} wrapped. @throws for octets that do not unwrap */
export function aesKeyUnwrapPad(kek: Uint8Array, wrapped: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
  return concat(decipher.update(wrapped), decipher.final());
}

/** HMAC under a named hash. */
export function hmac(hashName: string, key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac(hashName, key).update(data).digest();
}

/** SHA-384 of the parts, one after another. */
export function sha384(...parts: readonly Uint8Array[]): Uint8Array {
  return hash('sha384', concat(...parts), 'buffer');
}

/** SP 800-108 counter mode with HMAC-SHA-256 and a 32-bit counter, first block: 32 octets. */
export function sp800108HmacSha256(key: Uint8Array, fixedInput: Uint8Array): Uint8Array {
  return hmac('sha256', key, concat(u32be(1), fixedInput));
}

/** The same with HMAC-SHA-384, first block: 48 octets. */
export function sp800108HmacSha384(key: Uint8Array, fixedInput: Uint8Array): Uint8Array {
  return hmac('sha384', key, concat(u32be(1), fixedInput));
}

/** One-step key derivation of SP 800-56C with SHA-384, first block: 48 octets. */
export function oneStepSha384(z: Uint8Array, fixedInfo: Uint8Array): Uint8Array {
  return sha384(u32be(1), z, fixedInfo);
}

/** ANSI X9.63 key derivation with SHA-384, first block: 48 octets. */
export function x963Sha384(z: Uint8Array, sharedInfo: Uint8Array): Uint8Array {
  return sha384(z, u32be(1), sharedInfo);
}
