import { createHmac, constants, createPublicKey, verify } from 'node:crypto';
import type { KeySpec, KeyUsage, StoredMaterial } from '../../src/hsm/material.js';

/** One key spec with a usage, and the algorithms that AWS KMS gives it. */
export interface SpecUsage {
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly algorithms: readonly string[];
}

const rsaSigning = ['PKCS1_V1_5', 'PSS'].flatMap((scheme) =>
  ['256', '384', '512'].map((bits) => `RSASSA_${scheme}_SHA_${bits}`),
);
const oaep = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'];

/** Every combination but SYMMETRIC_DEFAULT, the larger RSA keys once. */
export const specUsages: readonly SpecUsage[] = [
  ...['224', '256', '384', '512'].map((bits) => ({
    keySpec: `HMAC_${bits}` as KeySpec,
    keyUsage: 'GENERATE_VERIFY_MAC' as const,
    algorithms: [`HMAC_SHA_${bits}`],
  })),
  { keySpec: 'RSA_2048', keyUsage: 'SIGN_VERIFY', algorithms: rsaSigning },
  { keySpec: 'RSA_3072', keyUsage: 'SIGN_VERIFY', algorithms: rsaSigning },
  { keySpec: 'RSA_4096', keyUsage: 'SIGN_VERIFY', algorithms: rsaSigning },
  { keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT', algorithms: oaep },
  { keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_256'] },
  { keySpec: 'ECC_NIST_P384', keyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_384'] },
  { keySpec: 'ECC_NIST_P521', keyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_512'] },
  { keySpec: 'ECC_SECG_P256K1', keyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_256'] },
  { keySpec: 'ECC_NIST_EDWARDS25519', keyUsage: 'SIGN_VERIFY', algorithms: ['ED25519_SHA_512'] },
  { keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT', algorithms: ['ECDH'] },
  { keySpec: 'ECC_NIST_P384', keyUsage: 'KEY_AGREEMENT', algorithms: ['ECDH'] },
  { keySpec: 'ECC_NIST_P521', keyUsage: 'KEY_AGREEMENT', algorithms: ['ECDH'] },
];

/** Whether somebody who has the public half only takes a signature for good: OpenSSL's answer, in the encodings of AWS KMS. */
export function verifiesOutside(
  material: StoredMaterial,
  algorithm: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = createPublicKey({ key: Buffer.from(material.publicKey ?? []), format: 'der', type: 'spki' });
  if (algorithm.startsWith('ED25519')) return verify(null, message, key, signature);
  const hash = `sha${algorithm.slice(-3)}`;
  if (!algorithm.startsWith('RSASSA_PSS')) return verify(hash, message, { key, dsaEncoding: 'der' }, signature);
  const saltLength = Number(algorithm.slice(-3)) / 8;
  return verify(hash, message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature);
}

/** The MAC of a known key by OpenSSL. */
export function macOutside(algorithm: string, key: Uint8Array, message: Uint8Array): Uint8Array {
  return createHmac(`sha${algorithm.slice(-3)}`, key)
    .update(message)
    .digest();
}
