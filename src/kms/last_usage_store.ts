import type { KeyId } from './key_id.js';

/** Operations whose success is remembered of a key. @source AWS KMS API Reference, KeyLastUsageData */
export const TRACKED_OPERATIONS = [
  'Decapsulate',
  'Decrypt',
  'DeriveSharedSecret',
  'Encapsulate',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'ReEncrypt',
  'Sign',
  'Verify',
  'VerifyMac',
] as const;
export type TrackedOperation = (typeof TRACKED_OPERATIONS)[number];

/** The last cryptography that a key was used for. */
export interface LastUsage {
  readonly operation: TrackedOperation;
  /** Milliseconds since the epoch, by the region's clock. */
  readonly atMs: number;
  /** UUID of the event in the audit trail. */
  readonly trailEventId: string;
  /** UUID that the caller was given with the answer. */
  readonly requestId: string;
}

/** Where a region keeps when its keys were last used. */
export interface LastUsageStore {
  /** When usage was first remembered here, milliseconds since the epoch: `nowMs` where this is the first time. */
  trackingStartMs(nowMs: number): number;
  lastUsage(keyId: KeyId): LastUsage | undefined;
  /** Records usages in one transaction; a power cut may undo it. Keys that are gone are left out. */
  putLastUsages(usages: readonly (readonly [KeyId, LastUsage])[]): void;
}
