import type { ObjectOperand } from '../token/job.js';
import { HsmError } from './errors.js';
import type { AdoptedSource, KeyStorage, LoadedKey, UnidentifiedBinding } from './key_storage.js';
import { tokenObjectIdOf, type KeyStorageKind, type StoredMaterial } from './material.js';
import type { TokenStorage } from './token_storage.js';
import type { WrappedStorage } from './wrapped_storage.js';

/**
 * Both storages of a region: new keys go where the configuration says, and each key that is there is used where it rests. So the
 * configuration may change at any time.
 */
export class RegionStorage implements KeyStorage {
  readonly #wrapped: WrappedStorage;
  readonly #token: TokenStorage | null;
  /** Where new keys go. */
  readonly kind: KeyStorageKind;

  /** @param token - null where nobody writes down which token objects were made */
  constructor(kind: KeyStorageKind, wrapped: WrappedStorage, token: TokenStorage | null) {
    this.kind = kind;
    this.#wrapped = wrapped;
    this.#token = token;
  }

  get loadedCount(): number {
    return this.#wrapped.loadedCount + (this.#token?.loadedCount ?? 0);
  }

  create(binding: UnidentifiedBinding): Promise<StoredMaterial> {
    return this.#forNew().create(binding);
  }

  adopt(
    binding: UnidentifiedBinding & { readonly materialId?: string },
    name: string,
    source: AdoptedSource,
  ): Promise<StoredMaterial> {
    return this.#forNew().adopt(binding, name, source);
  }

  async load(material: StoredMaterial): Promise<LoadedKey> {
    return this.#of(material).load(material);
  }

  async exportUnder(wrappingKey: ObjectOperand, material: StoredMaterial): Promise<Uint8Array> {
    return this.#of(material).exportUnder(wrappingKey, material);
  }

  async destroy(material: StoredMaterial): Promise<void> {
    await this.#of(material).destroy(material);
  }

  async unloadAll(): Promise<void> {
    await Promise.all([this.#wrapped.unloadAll(), this.#token?.unloadAll()]);
  }

  #forNew(): KeyStorage {
    return this.kind === 'wrapped' ? this.#wrapped : this.#inToken();
  }

  #of(material: StoredMaterial): KeyStorage {
    return tokenObjectIdOf(material) === null ? this.#wrapped : this.#inToken();
  }

  #inToken(): TokenStorage {
    if (this.#token !== null) return this.#token;
    throw new HsmError('ERR_HSM_STRATEGY', 'the key rests in the token, and this HSM was opened without its ledger');
  }
}
