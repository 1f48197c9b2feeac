import type { Handover } from '../replication/handover.js';
import type { KeyId } from './key_id.js';

/**
 * Where a region keeps how keys came to their primary Regions, and the changes of them that it has begun. Over the same database as
 * the key store, whose transactions its calls join; nothing of it outlives its key.
 */
export interface PrimaryChangeStore {
  /** Hand-over certificates since the key's birth, oldest first: compact JWS. */
  handovers(keyId: KeyId): readonly string[];
  /** Replaces them. */
  putHandovers(keyId: KeyId, certificates: readonly string[]): void;
  /** Keys of which this region is the primary and was not at their birth. */
  handedOver(): readonly KeyId[];
  /** The change that this region has begun as the old primary. */
  change(keyId: KeyId): Handover | undefined;
  /** Records a change, or replaces what was recorded of it. */
  putChange(change: Handover): void;
  removeChange(keyId: KeyId): void;
  /** All that this region has begun. */
  changes(): readonly Handover[];
}
