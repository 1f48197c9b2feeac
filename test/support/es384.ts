import { createPublicKey, verify } from 'node:crypto';

/** Whether r || s is an ECDSA P-384 signature over SHA-384 of the octets. */
export function verifyEs384(
  jwk: { readonly kty: string; readonly crv: string; readonly x: string; readonly y: string },
  octets: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  return verify('sha384', octets, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
