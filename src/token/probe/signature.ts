import { verify, type KeyObject } from 'node:crypto';

/** Whether an EC signature (r || s) or an Ed25519 signature verifies in software; `hash` null is Ed25519. */
export function isSignature(
  publicKey: KeyObject,
  hash: string | null,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}
