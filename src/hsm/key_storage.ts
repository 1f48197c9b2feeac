import type { ObjectOperand } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import type { MaterialBinding, StoredMaterial } from './material.js';

/** A backing key that is loaded and cannot go away until it is given back. */
export interface LoadedKey {
  readonly handle: ObjectHandle;
  /** Gives the key back; once. */
  release(): void;
}

/** Where backing keys rest: in the database, wrapped under the domain key, or in the token. */
export interface KeyStorage {
  /** Makes a new backing key in the token; the binding gets its key material id from it. */
  create(binding: Omit<MaterialBinding, 'materialId'>): Promise<StoredMaterial>;
  /**
   * Loads a backing key for the use that its data suite has, after its record was found to be as stored.
   *
   * @throws {@link HsmError} `ERR_HSM_RECORD`, `ERR_HSM_KEY_NOT_FOUND`, `ERR_HSM_TYPE`
   */
  load(material: StoredMaterial): Promise<LoadedKey>;
  /**
   * Wraps a multi-Region backing key under a session's wrapping key.
   *
   * @returns the wrapped octets, AES-256-KWP
   * @throws {@link HsmError} `ERR_HSM_POLICY_REFUSED` for a single-Region key
   */
  exportUnder(wrappingKey: ObjectOperand, material: StoredMaterial): Promise<Uint8Array>;
  /**
   * Takes in material that was wrapped under a session's wrapping key, checks that it is what its binding names, and stores it.
   *
   * @throws {@link HsmError} `ERR_HSM_UNWRAP`, `ERR_HSM_TYPE`, `ERR_HSM_MATERIAL_ID`; nothing is left in the token then
   */
  importUnder(unwrappingKey: ObjectOperand, blob: Uint8Array, binding: MaterialBinding): Promise<StoredMaterial>;
  /** Backing keys that are loaded now. */
  readonly loadedCount: number;
  /** Takes every backing key that nobody is using out of the token. */
  unloadAll(): Promise<void>;
}
