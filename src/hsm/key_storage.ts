import type { Job, JobResult, ObjectOperand, ObjectRef } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import type { Template } from '../token/template.js';
import type { MaterialBinding, StoredMaterial } from './material.js';

/** A backing key that is loaded and cannot go away until it is given back. */
export interface LoadedKey {
  readonly handle: ObjectHandle;
  /** Gives the key back; once. */
  release(): void;
}

/** What a backing key is bound to before it has an id. */
export type UnidentifiedBinding = Omit<MaterialBinding, 'materialId'>;

/** Where adopted material comes from. */
export interface AdoptedSource {
  /** DER SubjectPublicKeyInfo for a private key; null for a secret. */
  readonly publicKey: Uint8Array | null;
  /**
   * Adds steps that make the key with a template; is asked several times, in one job or more: for a key that signs or encrypts, for one
   * that can be wrapped, for one that stays.
   */
  make(job: Job, template: Template): ObjectRef;
  /** Throws where a job's result shows that what it made is not to be taken in. */
  check?(result: JobResult, job: Job): void;
  /** Throws where the length of the material under RFC 5649 shows that it is not to be taken in. */
  checkWrapped?(octets: number): void;
}

/** Where backing keys rest: in the database, wrapped under the domain key, or in the token. */
export interface KeyStorage {
  /** Makes a new backing key in the token; the binding gets its key material id from it. */
  create(binding: UnidentifiedBinding): Promise<StoredMaterial>;
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
   * Takes in material from anywhere: identifies it in the token and puts it where it rests.
   *
   * @param binding - with the key material id that it must have, where that is known
   * @throws {@link HsmError} `ERR_HSM_UNWRAP`, `ERR_HSM_TYPE`, `ERR_HSM_MATERIAL_ID`; nothing is left in the token then
   */
  adopt(
    binding: UnidentifiedBinding & { readonly materialId?: string },
    name: string,
    source: AdoptedSource,
  ): Promise<StoredMaterial>;
  /** Backing keys that are loaded now. */
  readonly loadedCount: number;
  /** Destroys what the token has of material whose record is gone, once nobody uses it. */
  destroy(material: StoredMaterial): Promise<void>;
  /** Takes every backing key that nobody is using out of the token; what rests in the token stays. */
  unloadAll(): Promise<void>;
}

/** Uses a backing key that is loaded for its one use, and gives it back. */
export async function withLoaded<Result>(
  storage: KeyStorage,
  material: StoredMaterial,
  use: (key: LoadedKey) => Promise<Result>,
): Promise<Result> {
  const key = await storage.load(material);
  try {
    return await use(key);
  } finally {
    key.release();
  }
}
