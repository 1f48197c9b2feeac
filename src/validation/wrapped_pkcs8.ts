import { createDecipheriv, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { concat, equalOctets } from '../bytes.js';
import { knownKey } from '../token/probe/known_key.js';
import { DER, readDer } from '../wire/der.js';
import { encodePublicKey } from '../wire/public_key.js';
import { paddedInitial } from './software_wrap.js';

/** The AlgorithmIdentifier of a PKCS#8 structure of version 0, with what follows the structure; null where it is none. */
function readPkcs8(octets: Uint8Array): { readonly algorithm: Uint8Array; readonly rest: Uint8Array } | null {
  const whole = readDer(octets, DER.sequence);
  if (whole === null || !equalOctets(whole.content.subarray(0, 3), Uint8Array.of(DER.integer, 1, 0))) return null;
  const algorithm = readDer(whole.content.subarray(3), DER.sequence);
  return algorithm === null ? null : { algorithm: algorithm.content, rest: whole.rest };
}

function unwrapInSoftware(blob: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('id-aes256-wrap-pad', knownKey, paddedInitial(0).subarray(0, 4));
  return Uint8Array.from(concat(decipher.update(blob), decipher.final()));
}

/** Octets of the PKCS#8 structure in a blob, without what follows it; 1 where there is none. */
export function pkcs8Octets(blob: Uint8Array): number {
  try {
    const octets = unwrapInSoftware(blob);
    return octets.length - (readPkcs8(octets)?.rest.length ?? octets.length - 1);
  } catch {
    return 1;
  }
}

/** What is in a blob that the token wrapped, in words; a private key is read only after its algorithm has been compared. */
export function describeWrapped(blob: Uint8Array, publicKey: KeyObject, reference: KeyObject): string {
  const expected = readPkcs8(Uint8Array.from(reference.export({ type: 'pkcs8', format: 'der' })));
  try {
    const octets = unwrapInSoftware(blob);
    const pkcs8 = readPkcs8(octets);
    if (pkcs8 === null || expected === null) return 'no PKCS#8 in DER';
    if (!equalOctets(pkcs8.algorithm, expected.algorithm)) return 'PKCS#8 with another AlgorithmIdentifier';
    const der = Buffer.from(octets.subarray(0, octets.length - pkcs8.rest.length));
    const found = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    if (!equalOctets(encodePublicKey(found), encodePublicKey(publicKey))) return 'PKCS#8 of another key';
    if (pkcs8.rest.length === 0) return 'PKCS#8 of the key';
    return pkcs8.rest.some((octet) => octet !== 0)
      ? 'PKCS#8 of the key, with octets behind it'
      : 'PKCS#8 of the key, filled up with zeros';
  } catch {
    return 'octets that software does not unwrap';
  }
}
