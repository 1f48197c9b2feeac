import type { StoredMaterial } from '../../src/hsm/material.js';
import type { KeyMetadataContext } from '../../src/replication/key_context.js';
import type { AnnouncedReplica, ExportableKey, ReplicatedKeys } from '../../src/replication/ports.js';
import type { MemoryDatabase } from './memory_journal.js';

/** A replica in this region. */
export interface MemoryReplica {
  readonly source: string;
  readonly state: 'Creating' | 'Enabled';
  readonly generation: bigint;
  readonly materials: readonly StoredMaterial[];
  readonly context: KeyMetadataContext | null;
}

/** {@link ReplicatedKeys} in memory, in the transactions of the journal's database. */
export class MemoryKeys implements ReplicatedKeys {
  readonly primaries = new Map<string, ExportableKey>();
  readonly replicas = new Map<string, MemoryReplica>();
  /** Generations that a destination confirmed, by key and destination. */
  readonly confirmations = new Map<string, bigint>();
  readonly failures = new Map<string, string>();
  /** Installations by key and generation. */
  readonly installations = new Map<string, number>();
  readonly #database: MemoryDatabase;
  readonly #region: string;

  constructor(database: MemoryDatabase, region: string) {
    this.#database = database;
    this.#region = region;
  }

  exportable(keyId: string, destination: string): ExportableKey | undefined {
    const key = this.primaries.get(keyId);
    if (key === undefined) return undefined;
    return { ...key, context: { ...key.context, regions: [this.#region, destination] } };
  }

  standing(
    keyId: string,
    source: string,
  ): { readonly state: 'unknown' | 'replica' | 'conflict'; readonly materialIds: readonly string[] } {
    if (this.primaries.has(keyId)) return { state: 'conflict', materialIds: [] };
    const replica = this.replicas.get(keyId);
    if (replica === undefined) return { state: 'unknown', materialIds: [] };
    if (replica.source !== source) return { state: 'conflict', materialIds: [] };
    return { state: 'replica', materialIds: replica.materials.map((material) => material.binding.materialId) };
  }

  announce(replica: AnnouncedReplica): void {
    if (this.replicas.has(replica.keyId)) return;
    const { source, generation } = replica;
    this.#database.set(this.replicas, replica.keyId, {
      source,
      state: 'Creating',
      generation,
      materials: [],
      context: null,
    });
  }

  install(args: Parameters<ReplicatedKeys['install']>[0]): void {
    const { source, generation, context, materials } = args;
    const name = `${context.keyId} ${source} ${generation}`;
    this.#database.set(this.installations, name, (this.installations.get(name) ?? 0) + 1);
    this.#database.set(this.replicas, context.keyId, { source, state: 'Enabled', generation, materials, context });
  }

  withdraw(keyId: string): void {
    if (this.replicas.get(keyId)?.state === 'Creating') this.#database.delete(this.replicas, keyId);
  }

  confirmed(keyId: string, destination: string, generation: bigint): readonly string[] {
    this.#database.set(this.confirmations, `${keyId} ${destination}`, generation);
    return [];
  }

  failed(keyId: string, destination: string, reason: string): void {
    this.#database.set(this.failures, `${keyId} ${destination}`, reason);
  }
}
