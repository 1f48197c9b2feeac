import {
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA224,
  CKG_MGF1_SHA256,
  CKG_MGF1_SHA384,
  CKG_MGF1_SHA512,
  CKM_RSA_PKCS_OAEP,
  CKM_SHA224,
  CKM_SHA256,
  CKM_SHA384,
  CKM_SHA512,
  CKM_SHA_1,
} from '../token/cryptoki.js';
import type { Mechanism } from '../token/mechanism.js';
import type { HashName } from './software_kdf.js';

/** The numbers of each hash function in the parameters of RSA-OAEP. */
export const oaepNumbers: Readonly<Record<HashName, { readonly hash: number; readonly mgf: number }>> = {
  sha1: { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1 },
  sha224: { hash: CKM_SHA224, mgf: CKG_MGF1_SHA224 },
  sha256: { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256 },
  sha384: { hash: CKM_SHA384, mgf: CKG_MGF1_SHA384 },
  sha512: { hash: CKM_SHA512, mgf: CKG_MGF1_SHA512 },
};

/** Every hash function that RSA-OAEP is tried with. */
export const oaepHashes = Object.keys(oaepNumbers) as readonly HashName[];

/** `CKM_RSA_PKCS_OAEP`. */
export function oaep(hash: HashName, mgf: HashName = hash, label: Uint8Array | null = null): Mechanism {
  return {
    type: CKM_RSA_PKCS_OAEP,
    parameter: { kind: 'oaep', hash: oaepNumbers[hash].hash, mgf: oaepNumbers[mgf].mgf, label },
  };
}
