import type { StoredMaterial } from '../hsm/material.js';
import type { KeyId } from '../kms/key_id.js';
import type { KeyRecord } from '../kms/key_record.js';
import { LIMITS } from '../limits.js';

/** A material's key, and the material where it is here. */
export interface KnownMaterial {
  readonly keyId: KeyId;
  readonly material: StoredMaterial | null;
}

/**
 * Keys and materials that were read lately, the least recently used forgotten first. Its owner drops what has changed, and
 * everything where a transaction is rolled back.
 */
export class RememberedKeys {
  readonly #records = new Map<KeyId, KeyRecord>();
  readonly #materials = new Map<string, KnownMaterial>();
  /** Remembered material ids of each key that has some. */
  readonly #materialsOfKey = new Map<KeyId, Set<string>>();
  readonly #countMax: number;

  /** @param countMax - records, and materials, that are remembered at most */
  constructor(countMax: number = LIMITS.kmsCachedKeysMax) {
    this.#countMax = countMax;
  }

  /** Records that are remembered. */
  get count(): number {
    return this.#records.size;
  }

  record(keyId: KeyId): KeyRecord | undefined {
    return renewed(this.#records, keyId);
  }

  material(materialId: string): KnownMaterial | undefined {
    return renewed(this.#materials, materialId);
  }

  putRecord(record: KeyRecord): void {
    makeRoom(this.#records, this.#countMax);
    this.#records.set(record.keyId, record);
  }

  putMaterial(materialId: string, known: KnownMaterial): void {
    const oldest = makeRoom(this.#materials, this.#countMax);
    if (oldest !== undefined) this.#unlink(oldest[1].keyId, oldest[0]);
    this.#materials.set(materialId, known);
    const ids = this.#materialsOfKey.get(known.keyId);
    if (ids === undefined) this.#materialsOfKey.set(known.keyId, new Set([materialId]));
    else ids.add(materialId);
  }

  forgetRecord(keyId: KeyId): void {
    this.#records.delete(keyId);
  }

  /** Forgets a key and its materials. */
  forget(keyId: KeyId): void {
    this.#records.delete(keyId);
    for (const materialId of this.#materialsOfKey.get(keyId) ?? []) this.#materials.delete(materialId);
    this.#materialsOfKey.delete(keyId);
  }

  forgetAll(): void {
    this.#records.clear();
    this.#materials.clear();
    this.#materialsOfKey.clear();
  }

  #unlink(keyId: KeyId, materialId: string): void {
    const ids = this.#materialsOfKey.get(keyId);
    ids?.delete(materialId);
    if (ids?.size === 0) this.#materialsOfKey.delete(keyId);
  }
}

/** Reads an entry and makes it the newest. */
function renewed<Key, Value>(entries: Map<Key, Value>, key: Key): Value | undefined {
  const value = entries.get(key);
  if (value === undefined) return undefined;
  entries.delete(key);
  entries.set(key, value);
  return value;
}

/** Takes the oldest entry out where there is no room for another one. */
function makeRoom<Key, Value>(entries: Map<Key, Value>, countMax: number): [Key, Value] | undefined {
  if (entries.size < countMax) return undefined;
  const oldest = entries.entries().next();
  if (oldest.done === true) return undefined;
  entries.delete(oldest.value[0]);
  return oldest.value;
}
