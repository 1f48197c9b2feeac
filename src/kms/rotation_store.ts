import type { KeyId } from './key_id.js';
import type { DueMaterial } from './material_store.js';

/** The automatic rotation of a key. A key without it has none. */
export interface RotationSetting {
  /** 90–2560. */
  readonly periodDays: number;
  /** When the next rotation is due, milliseconds since the epoch; it may have passed while the key could not be rotated. */
  readonly nextMs: number;
}

/**
 * Where a region keeps what it knows of rotations that are to come. Over the same database as the key store, whose transactions
 * its calls join. What a replica has here is its primary's, and nothing is ever due of it.
 */
export interface RotationStore {
  setting(keyId: KeyId): RotationSetting | undefined;
  /** Records a setting, or replaces it. */
  putSetting(keyId: KeyId, setting: RotationSetting): void;
  /** Does nothing where there is none. */
  removeSetting(keyId: KeyId): void;

  /**
   * Keys whose rotation was due at `nowMs` at the latest and may be done: enabled, no replica, no rotation in progress, and a
   * multi-Region key only while a transfer holds one more version. The earliest first.
   */
  dueKeys(nowMs: number, limit: number): readonly KeyId[];
  /** The same for one key. */
  isDue(keyId: KeyId, nowMs: number): boolean;
  /** On primaries: material of every rotation in progress. */
  rotationsInProgress(): readonly DueMaterial[];
  /** Material of rotations in progress that every replica has by now. */
  deliveredRotations(limit: number): readonly DueMaterial[];
  /** When the next of these is due; 0 for something that is due at any time. Null where nothing waits. */
  nextDueMs(): number | null;
}
