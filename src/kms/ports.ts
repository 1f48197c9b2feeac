import type { KeySpec, KeyUsage, MaterialBinding, StoredMaterial } from '../hsm/material.js';
import type { ImportError } from '../import/errors.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';

/** Encryption context of a request: any order; authenticated, not secret. */
export type EncryptionContext = Readonly<Record<string, string>>;

/**
 * What the key manager asks of a region's HSM. Every failure to decrypt is one error (`HsmError` `ERR_HSM_CIPHERTEXT`),
 * whatever failed.
 */
export interface KeyHsm {
  /** Data suites of this token, the preferred first. */
  readonly dataSuites: readonly DataSuite[];
  /** Makes a backing key in the token and returns it wrapped under the domain key. */
  createMaterial(binding: Omit<MaterialBinding, 'materialId'>): Promise<StoredMaterial>;
  /** Encrypts 1–4,096 octets; the ciphertext blob, at most 6,144 octets. */
  encrypt(material: StoredMaterial, context: EncryptionContext, plaintext: Uint8Array): Promise<Uint8Array>;
  /** Decrypts a blob that names this material. */
  decrypt(material: StoredMaterial, context: EncryptionContext, blob: Uint8Array): Promise<Uint8Array>;
  /**
   * Decrypts and encrypts again in one job; the plaintext stays in native memory. Either side may be RSA: its algorithm says so,
   * and its context is empty then.
   */
  reEncrypt(
    source: {
      readonly material: StoredMaterial;
      readonly algorithm: string;
      readonly context: EncryptionContext;
      readonly blob: Uint8Array;
    },
    destination: { readonly material: StoredMaterial; readonly algorithm: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array>;
  /** A random data key, encrypted; its plaintext only where `reveal` asks for it. */
  generateDataKey(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly octets: number; readonly reveal: boolean },
  ): Promise<{ readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }>;
  /**
   * A key pair of the caller's, made in the token: the public half as DER SubjectPublicKeyInfo, the private half as DER PKCS#8, encrypted;
   * in clear only where `reveal` asks for it.
   */
  generateDataKeyPair(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly keySpec: KeySpec; readonly reveal: boolean },
  ): Promise<{ readonly publicKey: Uint8Array; readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }>;
  /** Why this token makes no data key pairs of a spec, naming the mechanisms; undefined where it does. */
  refusalOfDataKeyPair(keySpec: KeySpec): string | undefined;
  /** Octets of the token's random generator. */
  random(octets: number): Promise<Uint8Array>;
  /** Destroys what of this material is loaded in the token, once nobody uses it; does nothing where it is not loaded. */
  unload(material: StoredMaterial): Promise<void>;
  /** Why this token cannot hold and use such a key, naming the mechanisms; undefined where it can. */
  refusalOfSpec(keySpec: KeySpec, keyUsage: KeyUsage): string | undefined;
  /** Why this token can never wrap keys of a spec for another region, naming the mechanisms; undefined where it may. */
  refusalOfExport(keySpec: KeySpec): string | undefined;
  /** Signs in the token; RSA: the raw signature, ECDSA: DER (RFC 3279), Ed25519: 64 octets. */
  sign(material: StoredMaterial, algorithm: string, input: SigningInput): Promise<Uint8Array>;
  /** Whether the signature is one of this key; verified in the token. */
  verify(material: StoredMaterial, algorithm: string, input: SigningInput, signature: Uint8Array): Promise<boolean>;
  /** HMAC of the whole message, made in the token. */
  generateMac(material: StoredMaterial, algorithm: string, message: Uint8Array): Promise<Uint8Array>;
  /** RSAES-OAEP under the public half, in the token. */
  encryptRsa(material: StoredMaterial, algorithm: string, plaintext: Uint8Array): Promise<Uint8Array>;
  /** RSAES-OAEP; `ERR_HSM_CIPHERTEXT` for everything that fails. */
  decryptRsa(material: StoredMaterial, algorithm: string, ciphertext: Uint8Array): Promise<Uint8Array>;
  /** ECDH with the peer's public key (DER SubjectPublicKeyInfo, checked by the caller to be on the key's curve): the x coordinate. */
  deriveSharedSecret(material: StoredMaterial, peerPublicKey: Uint8Array): Promise<Uint8Array>;
}

/** What is signed: the message, hashed by the HSM, or a digest that the caller made, of the algorithm's length. */
export interface SigningInput {
  readonly kind: 'message' | 'digest';
  readonly octets: Uint8Array;
}

/** The four ways in which material may be wrapped for import. */
export type ImportWrappingAlgorithm =
  'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256' | 'RSA_AES_KEY_WRAP_SHA_1' | 'RSA_AES_KEY_WRAP_SHA_256';

/** An RSA pair of one download of import parameters: its private half wrapped for storage, like a backing key. */
export interface StoredImportKey {
  readonly id: string;
  readonly keySpec: 'RSA_2048' | 'RSA_3072' | 'RSA_4096';
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly exportedKeyToken: Uint8Array;
  readonly domainKeyId: string;
  readonly recordMac: Uint8Array;
}

/** What the key manager asks of a region's HSM for imported material. */
export interface ImportHsm {
  /** Why material of this spec cannot be imported by this algorithm here, naming mechanisms or configuration; undefined where it can. */
  refusalOfImport(keySpec: KeySpec, algorithm: ImportWrappingAlgorithm): string | undefined;
  /** Somebody will import soon: what takes long is made ahead from now on. */
  expectImports(): void;
  /** A fresh RSA pair that unwraps once. */
  generateImportKey(keySpec: StoredImportKey['keySpec']): Promise<StoredImportKey>;
  /**
   * Unwraps material, checks in the token that it is what the binding says (type, length, curve, modulus, two primes), and wraps it for storage.
   *
   * @returns the material, and the strategy that ran, for the audit
   * @throws `HsmError` `ERR_HSM_UNWRAP` for everything that fails in unwrapping; `ERR_HSM_TYPE` for material of another kind
   */
  importMaterial(args: {
    readonly importKey: StoredImportKey;
    readonly algorithm: ImportWrappingAlgorithm;
    readonly encrypted: Uint8Array;
    readonly binding: Omit<MaterialBinding, 'materialId'>;
  }): Promise<{ readonly material: StoredMaterial; readonly strategy: string; readonly outsideToken: boolean }>;
}

/** What an import token says; it is signed in the region's token. */
export interface ImportTokenClaims {
  /** Key id without ARN. */
  readonly keyId: string;
  readonly importKeyId: string;
  /** SHA-256 of the wrapping key's SubjectPublicKeyInfo, 64 lower-case hex digits. */
  readonly publicKeyHash: string;
  readonly wrappingKeySpec: StoredImportKey['keySpec'];
  readonly algorithm: ImportWrappingAlgorithm;
  /** Milliseconds since the epoch, by the region's clock. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** Import tokens of this region. */
export interface ImportTokens {
  /** At most 6,144 octets, opaque to callers. */
  issue(claims: ImportTokenClaims): Promise<Uint8Array>;
  /**
   * Checks form and signature; whether it is still valid is the caller's to judge. An error that is not thrown, for the audit alone, where
   * this region did not issue it.
   */
  open(token: Uint8Array): Promise<ImportTokenClaims | ImportError>;
}

/** Something that a region did to a key without anybody's call, as the audit trail shows it. */
export interface ServiceEvent {
  readonly name:
    | 'CreateKey'
    | 'DeleteExpiredKeyMaterial'
    | 'DeleteKey'
    | 'RotateKey'
    | 'SynchronizeMultiRegionKey'
    | 'UpdatePrimaryRegion';
  readonly keyArn: string;
  /** `serviceEventDetails`: names in camelCase. Never material, tokens or plaintext. */
  readonly details: Readonly<Record<string, string>>;
  /** Where the trail shows it as a call that the service made: its members by the API's names. */
  readonly call?: { readonly request: object | null; readonly response: object | null };
  /** UUID, the same however often the event is recorded. */
  readonly eventId: string;
  /** When it happened, milliseconds since the epoch. */
  readonly atMs: number;
}

/** Where a region reports what it did without anybody's call. */
export interface ServiceEvents {
  /**
   * Records an event; durable when the promise has resolved. Events are kept with the change that they tell of until they were
   * recorded: after a crash in between one is recorded again with the same id, and none is ever missing.
   */
  record(event: ServiceEvent): Promise<void>;
}

/** What the key manager asks of replication. */
export interface Replicator {
  /** Regions of this partition that the roster knows, this one included. */
  regions(): readonly string[];
  /**
   * Why a key cannot be replicated there (no common suite: the mechanisms that are missing; unknown region), or undefined.
   * Asked before anything is recorded.
   */
  refusal(destination: string): string | undefined;
  /** Why a key's primary Region cannot be changed; undefined where it can. Absent where it never is refused. */
  refusalOfHandover?(keyId: string): string | undefined;
  /** The data suite that every region of the partition can do, the preferred first. */
  commonDataSuite(): DataSuite | undefined;
  /** A new multi-Region key's identity: self-certifying key id and birth certificate, signed in the token. */
  issueBirth(args: {
    readonly keySpec: string;
    readonly keyUsage: string;
    readonly origin: string;
  }): Promise<{ readonly keyId: string; readonly birthCertificate: string }>;
  /** Why a chosen key id cannot be one of a multi-Region key that is born here, for people; undefined where the authority certifies it. */
  refusalOfBirth(chosen: {
    readonly keyId: string;
    readonly keySpec: string;
    readonly keyUsage: string;
    readonly origin: string;
    readonly birthCertificate: string;
  }): Promise<string | undefined>;
  /** Starts (or, after a failure, starts again) a replication; durable when it returns. Call inside the store's transaction. */
  begin(args: { readonly keyId: string; readonly destination: string }): void;
  /** Wakes the agent after the transaction has committed. */
  wake(): void;
}
