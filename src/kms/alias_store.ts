import type { KeyId } from './key_id.js';

/** An alias: a name that stands for one key of this region. */
export interface AliasRecord {
  /** With its prefix `alias/`. */
  readonly name: string;
  readonly keyId: KeyId;
  readonly createdMs: number;
  /** When it last was given another key; its creation where it never was. */
  readonly updatedMs: number;
}

/**
 * Where a region keeps its aliases. Synchronous, as the key store is. An alias is on the path of every encryption that names a key by
 * it: an implementation answers {@link AliasStore.alias} and {@link AliasStore.aliasesOf} from memory.
 */
export interface AliasStore {
  alias(name: string): AliasRecord | undefined;
  /** The aliases of one key in the order of their names. */
  aliasesOf(keyId: KeyId): readonly AliasRecord[];
  /** All aliases in the order of their names, those behind `after` only. */
  aliases(page: { readonly after: string; readonly limit: number }): readonly AliasRecord[];
  /** Records an alias, or gives it another key; durable when it returns. */
  putAlias(alias: AliasRecord): void;
  /** Durable when it returns. */
  removeAlias(name: string): void;
}
