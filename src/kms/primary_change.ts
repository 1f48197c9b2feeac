import { randomUUID } from 'node:crypto';
import type { Handover, KeyHandovers } from '../replication/handover.js';
import { isKeyId, type KeyId } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import type { KeyState } from './key_state.js';
import { isComplete } from './material_version.js';
import type { PrimaryChangeStore } from './primary_change_store.js';
import type { KmsRegion } from './region.js';

/** What changes of primary Regions work on. */
export type ChangingRegion = Pick<KmsRegion, 'home' | 'store' | 'materials' | 'clock'>;

/** How a change ended: null where the new primary has taken over, else why it has not. */
type Ended = (code: string | null) => void;

/**
 * Changes of the primary Region of this region's keys. While one is under way the key here is `Updating` and a replica like all
 * others: there are never two primaries, and cryptography goes on.
 *
 * @source AWS KMS Developer Guide, "Change the primary key in a set of multi-Region keys"; docs/PROTOCOL.md section 6.6
 */
export class PrimaryChanges implements KeyHandovers {
  readonly #region: ChangingRegion;
  readonly #changes: PrimaryChangeStore;
  readonly #waiting = new Map<string, Set<Ended>>();

  constructor(region: ChangingRegion, changes: PrimaryChangeStore) {
    this.#region = region;
    this.#changes = changes;
  }

  /** Hand-over certificates since the key's birth, oldest first: compact JWS. */
  handovers(keyId: KeyId): readonly string[] {
    return this.#changes.handovers(keyId);
  }

  /** Replaces them, with those of a transfer. */
  putHandovers(keyId: KeyId, certificates: readonly string[]): void {
    this.#changes.putHandovers(keyId, certificates);
  }

  /** Begins a change; inside the transaction that also asks for its replication. */
  begin(record: KeyRecord, destination: string): void {
    const { store } = this.#region;
    if (record.multiRegion?.type !== 'PRIMARY') throw new Error(`${record.keyId} is no primary key`);
    const primaryGeneration = BigInt(this.#changes.handovers(record.keyId).length + 1);
    this.#changes.putChange({
      keyId: record.keyId,
      destination,
      primaryGeneration,
      certificate: null,
      isReleased: false,
    });
    store.setPlace(record.keyId, { type: 'REPLICA', primaryRegion: record.multiRegion.primaryRegion });
    store.setState(record.keyId, 'Updating', null);
  }

  /**
   * Waits for the end of a change, as long as its caller may be kept waiting.
   *
   * @returns null where the new primary has taken over, the code where it has not, undefined where that is not known yet
   */
  ended(keyId: KeyId, timeoutMs: number): Promise<string | null | undefined> {
    if (this.#changes.change(keyId) === undefined) return Promise.resolve(null);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(keyId) ?? new Set();
      this.#waiting.set(keyId, waiting);
      const settle = (code: string | null | undefined): void => {
        clearTimeout(timer);
        waiting.delete(settle);
        if (waiting.size === 0) this.#waiting.delete(keyId);
        resolve(code);
      };
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      waiting.add(settle);
    });
  }

  #tell(keyId: string, code: string | null): void {
    for (const settle of this.#waiting.get(keyId) ?? []) settle(code);
  }

  underWay(keyId: string): Handover | undefined {
    return isKeyId(keyId) ? this.#changes.change(keyId) : undefined;
  }

  allUnderWay(): readonly Handover[] {
    return this.#changes.changes();
  }

  received(): readonly { readonly keyId: string; readonly replicaRegions: readonly string[] }[] {
    return this.#changes.handedOver().map((keyId) => ({
      keyId,
      replicaRegions: this.#record(keyId)?.multiRegion?.replicaRegions ?? [],
    }));
  }

  put(handover: Handover): void {
    this.#changes.putChange(handover);
  }

  done({ keyId: name, destination, certificate }: Handover): void {
    const record = this.#record(name);
    if (record?.multiRegion == null) return;
    const { home, store } = this.#region;
    const { keyId, multiRegion } = record;
    this.#changes.removeChange(keyId);
    if (certificate !== null) this.#changes.putHandovers(keyId, [...this.#changes.handovers(keyId), certificate]);
    const replicaRegions = multiRegion.replicaRegions.filter((region) => region !== destination);
    store.setPlace(keyId, { type: 'REPLICA', primaryRegion: destination }, [...replicaRegions, home.region]);
    this.#restore(record);
    this.#tell(keyId, null);
  }

  undone(name: string, code: string): void {
    const record = this.#record(name);
    if (record?.multiRegion == null) return;
    const { store } = this.#region;
    this.#changes.removeChange(record.keyId);
    store.setPlace(record.keyId, { type: 'PRIMARY', primaryRegion: record.multiRegion.primaryRegion });
    this.#restore(record);
    this.#tell(record.keyId, code);
  }

  canReceive(name: string): boolean {
    const record = this.#record(name);
    if (record?.multiRegion?.type !== 'REPLICA' || this.underWay(name) !== undefined) return false;
    // Updating: an offer that a newer one replaces.
    return record.state === 'Enabled' || record.state === 'Updating';
  }

  receive(name: string): void {
    const record = this.#record(name);
    if (record?.state === 'Enabled') this.#region.store.setState(record.keyId, 'Updating', null);
  }

  notReceived(name: string): void {
    const record = this.#record(name);
    if (record !== undefined && this.underWay(name) === undefined) this.#restore(record);
  }

  /** A key that was handed over to this region is its primary now; inside the install. */
  takeOver(keyId: KeyId): void {
    const record = this.#record(keyId);
    if (record?.multiRegion == null) return;
    const { home, store, materials, clock } = this.#region;
    store.setPlace(keyId, { type: 'PRIMARY', primaryRegion: home.region });
    this.#restore(record);
    materials.putEvent({
      eventId: randomUUID(),
      atMs: clock.nowMs(),
      name: 'UpdatePrimaryRegion',
      keyArn: record.arn,
      details: {},
      call: { request: { KeyId: record.arn, PrimaryRegion: home.region }, response: null },
    });
  }

  /** The state before `Updating`; imported material may have expired since. */
  #restore({ keyId, state, origin }: KeyRecord): void {
    if (state !== 'Updating') return;
    const { store, materials } = this.#region;
    const misses = origin === 'EXTERNAL' && !isComplete(materials.versions(keyId));
    const restored: KeyState = misses ? 'PendingImport' : 'Enabled';
    store.setState(keyId, restored, null);
  }

  #record(keyId: string): KeyRecord | undefined {
    return isKeyId(keyId) ? this.#region.store.key(keyId) : undefined;
  }
}
