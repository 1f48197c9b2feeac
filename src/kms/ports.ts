import type { MaterialBinding, StoredMaterial } from '../hsm/material.js';
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
  /** Decrypts and encrypts again in one job; the plaintext stays in native memory. */
  reEncrypt(
    source: { readonly material: StoredMaterial; readonly context: EncryptionContext; readonly blob: Uint8Array },
    destination: { readonly material: StoredMaterial; readonly context: EncryptionContext },
  ): Promise<Uint8Array>;
  /** A random data key, encrypted; its plaintext only where `reveal` asks for it. */
  generateDataKey(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly octets: number; readonly reveal: boolean },
  ): Promise<{ readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }>;
  /** Octets of the token's random generator. */
  random(octets: number): Promise<Uint8Array>;
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
  /** The data suite that every region of the partition can do, the preferred first. */
  commonDataSuite(): DataSuite | undefined;
  /** A new multi-Region key's identity: self-certifying key id and birth certificate, signed in the token. */
  issueBirth(args: {
    readonly keySpec: string;
    readonly keyUsage: string;
  }): Promise<{ readonly keyId: string; readonly birthCertificate: string }>;
  /** Starts (or, after a failure, starts again) a replication; durable when it returns. Call inside the store's transaction. */
  begin(args: { readonly keyId: string; readonly destination: string }): void;
  /** Wakes the agent after the transaction has committed. */
  wake(): void;
}
