/** How a token tells the IV that it has made for AES-GCM: in `pIv`, or before the ciphertext. */
export type OwnIvPlace = 'written-back' | 'prepended';

/** Octets of an IV that a token makes. @source NIST SP 800-38D section 8.2 */
export const OWN_IV_OCTETS = 12;

/** Parameter of a mechanism; the addon packs the C structure, whose pointers JavaScript cannot express. */
export type MechanismParameter =
  | { readonly kind: 'none' }
  /** The octets as they are: an IV. */
  | { readonly kind: 'octets'; readonly octets: Uint8Array }
  /** `CK_GCM_PARAMS`, always with `ulIvBits` (48 octets), the layout that SoftHSM2 and NSS both read. */
  | { readonly kind: 'gcm'; readonly iv: Uint8Array; readonly aad: Uint8Array; readonly tagBits: number }
  /** `CK_GCM_PARAMS` with no IV of the caller's: for encryption alone, whose output is then the IV that the token made before the rest. */
  | { readonly kind: 'gcm-own-iv'; readonly told: OwnIvPlace; readonly aad: Uint8Array; readonly tagBits: number }
  /** `CK_ECDH1_DERIVE_PARAMS`. `publicData` is the raw uncompressed point. */
  | {
      readonly kind: 'ecdh1';
      readonly kdf: number;
      readonly sharedData: Uint8Array | null;
      readonly publicData: Uint8Array;
    }
  /** `CK_AES_CBC_ENCRYPT_DATA_PARAMS`; `iv` 16 octets. */
  | { readonly kind: 'aes-cbc-encrypt-data'; readonly iv: Uint8Array; readonly data: Uint8Array }
  /** `CK_KEY_DERIVATION_STRING_DATA`. */
  | { readonly kind: 'string-data'; readonly octets: Uint8Array }
  /** `CK_RSA_PKCS_OAEP_PARAMS`, `source` is `CKZ_DATA_SPECIFIED`. */
  | { readonly kind: 'oaep'; readonly hash: number; readonly mgf: number; readonly label: Uint8Array | null }
  /** `CK_RSA_PKCS_PSS_PARAMS`. */
  | { readonly kind: 'pss'; readonly hash: number; readonly mgf: number; readonly saltBytes: number }
  /** `CK_HKDF_PARAMS` (PKCS#11 v3.0) with a salt given as data; `salt` null is `CKF_HKDF_SALT_NULL`. */
  | {
      readonly kind: 'hkdf';
      readonly extract: boolean;
      readonly expand: boolean;
      readonly prf: number;
      readonly salt: Uint8Array | null;
      readonly info: Uint8Array;
    }
  /** `CK_SP800_108_KDF_PARAMS` in counter mode: a 32-bit big-endian counter before `fixedInput`. */
  | { readonly kind: 'sp800-108-counter'; readonly prf: number; readonly fixedInput: Uint8Array }
  /** `CK_RSA_AES_KEY_WRAP_PARAMS` with OAEP parameters inside. */
  | { readonly kind: 'rsa-aes-key-wrap'; readonly aesKeyBits: number; readonly hash: number; readonly mgf: number };

/** A mechanism with its parameter, as `CK_MECHANISM`. */
export interface Mechanism {
  readonly type: number;
  readonly parameter: MechanismParameter;
}
