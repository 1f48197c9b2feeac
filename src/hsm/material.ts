import type { DataSuite } from '../wire/ciphertext_blob.js';

/** Key specs of AWS KMS that Keyferry can make. */
export type KeySpec = 'SYMMETRIC_DEFAULT';
/** What a KMS key is for. */
export type KeyUsage = 'ENCRYPT_DECRYPT';

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
  /** How message keys are made from this material, in every region that holds it. */
  readonly dataSuite: DataSuite;
  /** Key material id, 64 lower-case hex digits (docs/CIPHERTEXT.md). */
  readonly materialId: string;
}

/** A backing key as it rests in the database; storage "wrapped". */
export interface StoredMaterial {
  readonly binding: MaterialBinding;
  /** Exported key token: the backing key wrapped under the domain key. */
  readonly exportedKeyToken: Uint8Array;
  /** `CKA_ID` of that domain key, hex. */
  readonly domainKeyId: string;
  /** The record key's MAC over the binding, the domain key's id and the exported key token. */
  readonly recordMac: Uint8Array;
}

/** Material on its way to another region, wrapped under an RWK. */
export interface WrappedMaterial {
  readonly materialId: string;
  /** `CKO_` class by name. */
  readonly class: 'CKO_SECRET_KEY';
  /** `CKK_` type by name. */
  readonly keyType: 'CKK_AES';
  /** Length of the material, octets. */
  readonly lengthOctets: number;
  readonly blob: Uint8Array;
}
