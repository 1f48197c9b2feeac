import { ImportKeys, type ImportKeyParts, type ImportKeySpec, type StoredImportKey } from './import_key.js';
import { MaterialImport, type ImportedMaterial, type MaterialToImport } from './import_material.js';
import { ImportKeyPool } from './import_pool.js';
import { inTokenHash, type ImportCapabilities, type ImportWrappingAlgorithm } from './import_strategy.js';
import type { KeyStorage } from './key_storage.js';
import type { KeySpec } from './material.js';
import { SigningKeys, type SigningKeyInfo } from './signing_key.js';
import { KEY_LABELS } from './token_keys.js';

/** What a region's HSM does with imported material. */
export class RegionImports {
  readonly #import: MaterialImport;
  readonly #pool: ImportKeyPool;
  readonly #signingKeys: SigningKeys;

  constructor(parts: Omit<ImportKeyParts, 'oaepInToken'>, storage: KeyStorage, plans: ImportCapabilities) {
    const tokens = { ...parts, oaepInToken: inTokenHash(plans) };
    const keys = new ImportKeys(tokens);
    this.#import = new MaterialImport({ tokens, keys, storage, plans });
    this.#pool = new ImportKeyPool((keySpec) => keys.generate(keySpec));
    this.#signingKeys = new SigningKeys(parts.jobs, parts.capabilities, KEY_LABELS.importSigningKey);
  }

  /** Why material of this spec cannot be imported by this algorithm here, naming mechanisms or configuration; undefined where it can. */
  refusalOfImport(keySpec: KeySpec, algorithm: ImportWrappingAlgorithm): string | undefined {
    return this.#import.refusal(keySpec, algorithm);
  }

  /** A fresh RSA pair that unwraps once: one that was made ahead, or one that is made now. */
  generateImportKey(keySpec: ImportKeySpec): Promise<StoredImportKey> {
    return this.#pool.take(keySpec);
  }

  /**
   * Unwraps material, checks in the token that it is what the binding says, and wraps it for storage.
   *
   * @throws `HsmError` `ERR_HSM_UNWRAP` for everything that fails in unwrapping; `ERR_HSM_TYPE` for material of another kind
   */
  importMaterial(given: MaterialToImport): Promise<ImportedMaterial> {
    return this.#import.run(given);
  }

  /** The keys that sign import tokens, the newest first. */
  importSigningKeys(): Promise<readonly SigningKeyInfo[]> {
    return this.#signingKeys.list();
  }

  /** ECDSA P-384 over SHA-384 of the octets, r || s, 96 octets, verified in software before it is returned. */
  signImportToken(kid: string, octets: Uint8Array): Promise<Uint8Array> {
    return this.#signingKeys.sign(kid, octets);
  }

  /** Somebody will import soon: RSA pairs are made ahead from now on, so that nobody waits for them. */
  expectImports(): void {
    this.#pool.warm();
  }

  /** Pairs that are ready now. */
  readyCount(keySpec: ImportKeySpec): number {
    return this.#pool.readyCount(keySpec);
  }

  /** Makes no further pairs ahead, and waits for the one that is being made. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
