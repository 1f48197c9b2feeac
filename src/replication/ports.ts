import type { StoredMaterial } from '../hsm/material.js';
import type { KeyMetadataContext } from './key_context.js';

/** A multi-Region key that this region may send to another. */
export interface ExportableKey {
  readonly keyId: string;
  /** Birth certificate as issued: compact JWS. */
  readonly birthCertificate: string;
  /** Hand-over certificates since, oldest first; none where the primary is where the key was born. */
  readonly handovers?: readonly string[];
  /** Whether the destination is to make a replica: it has confirmed none, or one that it deleted since. */
  readonly isNewReplica: boolean;
  /** What travels with the material; encoded once and hashed as sent. */
  readonly context: KeyMetadataContext;
  /** All versions, oldest first; none of a key with imported material. */
  readonly materials: readonly StoredMaterial[];
}

/** What a destination learns from M0 before any material has come. */
export interface AnnouncedReplica {
  readonly keyId: string;
  readonly source: string;
  readonly generation: bigint;
  readonly keySpec: string;
  readonly keyUsage: string;
  /** `AWS_KMS` or `EXTERNAL`, as certified at the key's birth. */
  readonly origin: string;
  readonly birthCertificate: string;
  readonly materialIds: readonly string[];
}

/**
 * The keys of a region as the replication floor sees them. Synchronous, and over the same database as {@link Journal}:
 * calls inside `Journal.transaction` commit or roll back with it.
 */
export interface ReplicatedKeys {
  /** Undefined where this region holds no such multi-Region primary with material. `destination` chooses the replica's own members. */
  exportable(keyId: string, destination: string): ExportableKey | undefined;
  /**
   * Whether a replica may be made here. `unknown`: no such key here yet. `replica`: a replica of that source exists
   * (with the ids of its materials, oldest first, and of material that was imported here and waits for a rotation). `conflict`: the id is used by a key that is no replica of that source.
   */
  standing(
    keyId: string,
    source: string,
    /** `isSuccessor`: hand-overs that were verified name the source, whatever primary the replica knows of. */
    options?: { readonly isSuccessor: boolean },
  ): {
    readonly state: 'unknown' | 'replica' | 'conflict';
    readonly materialIds: readonly string[];
    readonly pendingId?: string;
    /** Of `unknown`: a replica was deleted here, and not made anew since. */
    readonly wasDeleted?: boolean;
  };
  /** Makes the replica's record in state `Creating`; does nothing where it exists. */
  announce(replica: AnnouncedReplica): void;
  /** The commit: the replica's metadata and its material, state `Enabled` where it was `Creating`. */
  install(args: {
    readonly source: string;
    readonly generation: bigint;
    readonly birthCertificate: string;
    /** Hand-overs up to the primary that the context names; none where they are left out. */
    readonly handovers?: readonly string[];
    readonly context: KeyMetadataContext;
    readonly materials: readonly StoredMaterial[];
  }): void;
  /** At a primary: the same certificates as those that are kept, signed again by those who made them. */
  renewCertificates?(
    keyId: string,
    certificates: { readonly birthCertificate: string; readonly handovers: readonly string[] },
  ): void;
  /** Removes a record that `announce` made and that never got material. */
  withdraw(keyId: string): void;
  /**
   * At the source: the destination has confirmed.
   *
   * @param sent - the ids of the materials that it has now, and the metadata as it was sent
   * @returns regions that are to be told of it, because the set of replicas has changed
   */
  confirmed(
    keyId: string,
    destination: string,
    generation: bigint,
    sent: { readonly materialIds: readonly string[]; readonly context: Uint8Array },
  ): readonly string[];
  /**
   * At the source: the destination says that it has deleted the replica.
   *
   * @returns regions that are to be told; the destination itself, where the replica is wanted anew
   */
  replicaDeleted?(keyId: string, destination: string): readonly string[];
  /** At the source: a destination says that it has imported the material that waits for a rotation. */
  reported?(keyId: string, destination: string, materialId: string): void;
  /** At the source: the replication failed for good, with the reason that `ReplicateKey`'s caller will be shown. */
  failed(keyId: string, destination: string, reason: string): void;
}

/** Carries opaque messages between regions; trusted for nothing. May lose, repeat, delay and reorder. */
export interface Transport {
  /** Hands one message to the network; resolves when the network has taken it over. */
  send(destination: string, octets: Uint8Array): Promise<void>;
  /** Calls `receive` for each message to this region; a message is gone from the network when the promise has resolved. */
  listen(receive: (octets: Uint8Array) => Promise<void>): void;
  close(): Promise<void>;
}

/** One line of the security audit: every refusal and every change of a session. */
export interface ReplicationAudit {
  record(event: {
    readonly code: string;
    readonly sid: string | null;
    readonly kid: string | null;
    readonly peer: string | null;
    readonly keyId: string | null;
    readonly field: string | null;
    readonly detail: string;
    /** Strategy that ran in the token, where one did. */
    readonly strategy: string | null;
  }): void;
}
