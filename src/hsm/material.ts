import type { DataSuite } from '../wire/ciphertext_blob.js';

/** Key specs of AWS KMS that Keyferry can make, where the token can. */
export const KEY_SPECS = [
  'SYMMETRIC_DEFAULT',
  'HMAC_224',
  'HMAC_256',
  'HMAC_384',
  'HMAC_512',
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'ECC_NIST_EDWARDS25519',
] as const;
export type KeySpec = (typeof KEY_SPECS)[number];
/** What a KMS key is for. */
export const KEY_USAGES = ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT'] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/**
 * What a backing key is bound to: the record key's MAC covers all of it together with the exported key token,
 * so that a database row cannot be turned into another key.
 */
export interface MaterialBinding {
  /** Key id without ARN: a UUID, or `mrk-` and 32 hex digits. */
  readonly keyId: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  /** Only material of a multi-Region key can be wrapped for another region. */
  readonly multiRegion: boolean;
  /** How message keys are made from this material, in every region that holds it; null for all specs but SYMMETRIC_DEFAULT. */
  readonly dataSuite: DataSuite | null;
  /** Key material id, 64 lower-case hex digits (docs/CIPHERTEXT.md). */
  readonly materialId: string;
}

/** Where a key can rest: in the database, wrapped under the domain key, or in the token, as a token object. */
export const KEY_STORAGES = ['wrapped', 'token'] as const;
export type KeyStorageKind = (typeof KEY_STORAGES)[number];

/** A backing key as its record has it. */
export interface StoredMaterial {
  readonly binding: MaterialBinding;
  /** Exported key token: the backing key wrapped under the domain key; no octets where it rests in the token. */
  readonly exportedKeyToken: Uint8Array;
  /** `CKA_ID` of that domain key, hex; or `object:` and the `CKA_ID` of the token object that the backing key is, hex. */
  readonly domainKeyId: string;
  /** Public half of an asymmetric key, DER SubjectPublicKeyInfo; null for symmetric and HMAC keys. */
  readonly publicKey: Uint8Array | null;
  /** The record key's MAC over the binding, the domain key's id, the public half and the exported key token. */
  readonly recordMac: Uint8Array;
}

/** Material on its way to another region, wrapped under an RWK. */
export interface WrappedMaterial {
  readonly materialId: string;
  /** `CKO_` class by name. */
  readonly class: 'CKO_SECRET_KEY' | 'CKO_PRIVATE_KEY';
  /** `CKK_` type by name. */
  readonly keyType: 'CKK_AES' | 'CKK_GENERIC_SECRET' | 'CKK_RSA' | 'CKK_EC' | 'CKK_EC_EDWARDS';
  /** Length of a secret, octets: exact, also where the token pads it; 0 for private keys. */
  readonly lengthOctets: number;
  /** Public half of a private key, DER SubjectPublicKeyInfo; null for secrets. */
  readonly publicKey: Uint8Array | null;
  readonly blob: Uint8Array;
}

const OBJECT_PREFIX = 'object:';

/** What stands in `domainKeyId` of a key that rests in the token. */
export function domainKeyIdOfObject(objectId: string): string {
  return `${OBJECT_PREFIX}${objectId}`;
}

/** `CKA_ID` of the token object that a key is, hex; null for one that rests wrapped in the database. */
export function tokenObjectIdOf({ domainKeyId }: { readonly domainKeyId: string }): string | null {
  return domainKeyId.startsWith(OBJECT_PREFIX) ? domainKeyId.slice(OBJECT_PREFIX.length) : null;
}
