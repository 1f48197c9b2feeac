import type { KeySpec, KeyUsage } from '../hsm/material.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';

/** What the regions of a key with imported material know of material that each of them imports by itself. */
export interface ImportedIdentity {
  /** One for each of `materials`, in their order. */
  readonly versions: readonly {
    readonly description: string | null;
    /** When a rotation made it current, milliseconds since the epoch. */
    readonly rotatedMs: number | null;
  }[];
  /** Material that the primary has imported and that waits for the replicas and for a rotation. */
  readonly pending: {
    readonly materialId: string;
    readonly description: string | null;
    readonly createdMs: number;
  } | null;
}

/** What the regions of a key of origin AWS_KMS know of its rotations. */
export interface RotationContext {
  /** Automatic rotation; null where there is none. */
  readonly setting: {
    readonly periodDays: number;
    /** When the next rotation is due, milliseconds since the epoch. */
    readonly nextMs: number;
  } | null;
  /** One for each of `materials`, in their order. */
  readonly versions: readonly {
    /** Null for material that was not made by a rotation. */
    readonly type: 'AUTOMATIC' | 'ON_DEMAND' | null;
    /** When it became current; null while its rotation is in progress, and nobody may encrypt with it. */
    readonly rotatedMs: number | null;
  }[];
}

/**
 * Metadata of a multi-Region key that travels with its material (`ctx` of M2): carried as opaque octets, hashed as sent, and
 * bound into the derivation of RWK. Shared members are the primary's; `replica` holds what the caller of `ReplicateKey` chose.
 */
export interface KeyMetadataContext {
  readonly keyId: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: 'AWS_KMS' | 'EXTERNAL';
  /** Null for all specs but SYMMETRIC_DEFAULT. */
  readonly dataSuite: DataSuite | null;
  readonly account: string;
  readonly primaryRegion: string;
  /** All regions that hold the key, the primary first, this replica included. */
  readonly regions: readonly string[];
  readonly materials: readonly {
    readonly materialId: string;
    /** Rotation index, 0 for the first. */
    readonly index: number;
    readonly state: 'CURRENT' | 'NON_CURRENT';
    /** Milliseconds since the epoch at which the material was made. */
    readonly createdMs: number;
  }[];
  /** Of keys of origin EXTERNAL only, and always of those: their material does not travel, its identity does. */
  readonly imported?: ImportedIdentity;
  /** Of symmetric keys of origin AWS_KMS that are or were rotated. */
  readonly rotation?: RotationContext;
  /**
   * In a session that hands the key over: the certificate by which its primary names this replica, compact JWS. `primaryRegion` is
   * the replica's region then.
   */
  readonly handover?: string;
  readonly replica: {
    readonly description: string;
    /** Key policy as JSON text. */
    readonly policy: string;
    readonly tags: readonly { readonly TagKey: string; readonly TagValue: string }[];
  };
}
