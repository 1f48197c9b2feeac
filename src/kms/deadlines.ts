import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredMaterial } from '../hsm/material.js';
import { LIMITS } from '../limits.js';
import { endMaterial } from './destroyed_material.js';
import type { KeyId } from './key_id.js';
import { afterExpiry, stateWith } from './material_change.js';
import type { DueMaterial } from './material_store.js';
import { isPermanent } from './material_version.js';
import { synchronizeReplicas } from './multi_region_sync.js';
import type { KmsRegion } from './region.js';
import { rotateDueKeys } from './rotation_schedule.js';

/** What deadlines work on. */
export type DeadlineRegion = Pick<
  KmsRegion,
  'store' | 'materials' | 'rotations' | 'hsm' | 'clock' | 'events' | 'replicator'
>;

/**
 * Everything of a region that waits for time: the expiry of imported material, automatic rotation, the end of deletion windows,
 * the end of import parameters, and the service events that tell of them.
 *
 * What is due is done at the start, within a second of the region's clock, and at once when {@link Deadlines.runDue} is called
 * because the clock was moved. Each piece is one transaction that looks again at what it does: a crash leaves it done or not begun,
 * and doing it twice does nothing. What fails is reported and tried again, first at the next look at the clock
 * and then ever less often.
 */
export class Deadlines {
  readonly #region: DeadlineRegion;
  readonly #report: (failure: unknown) => void;
  /** Told of keys that go, inside the transaction in which they go. */
  readonly #deleting: (keyId: KeyId) => void;
  #nextDueMs: number | null = null;
  /** Whether something failed and is to be tried again though nothing else is due. */
  #isUnfinished = false;
  /** Monotonic time before which nothing that failed is tried again. */
  #notBeforeMs = 0;
  #pauseMs: number = LIMITS.kmsDeadlineTickMs;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isQueued = false;

  constructor(
    region: DeadlineRegion,
    options: { readonly report: (failure: unknown) => void; readonly deleting?: (keyId: KeyId) => void },
  ) {
    this.#region = region;
    this.#report = options.report;
    this.#deleting = options.deleting ?? (() => undefined);
  }

  /** Does what fell due while the region was down, and begins to look at the clock. */
  async start(): Promise<void> {
    // The process before this one may have ended between a change and the overwriting of what it removed.
    this.#region.materials.scrub();
    this.#isUnfinished = true;
    this.changed();
    await this.runDue();
    this.#timer = setInterval(() => this.#look(), LIMITS.kmsDeadlineTickMs);
    // A region that only waits may end.
    this.#timer.unref();
  }

  /** What waits has changed: it is read again. Called after the transaction that changed it. */
  changed(): void {
    this.#nextDueMs = this.#readNextDueMs();
    this.#isUnfinished ||= this.#region.materials.events(1).length > 0;
    if (this.#timer !== undefined) this.#look();
  }

  /** Does everything that is due by the region's clock; resolves when it is done. Never rejects. */
  runDue(): Promise<void> {
    if (this.#isQueued) return this.#running;
    this.#isQueued = true;
    this.#running = this.#running.then(async () => {
      this.#isQueued = false;
      await this.#run();
    });
    return this.#running;
  }

  /** Looks no more, and waits for what is being done. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #look(): void {
    if (this.#region.clock.monotonicMs() < this.#notBeforeMs) return;
    this.#nextDueMs = this.#readNextDueMs();
    // Replication keeps events too.
    this.#isUnfinished ||= this.#region.materials.events(1).length > 0;
    const isDue = this.#nextDueMs !== null && this.#nextDueMs <= this.#region.clock.nowMs();
    if (isDue || this.#isUnfinished) void this.runDue();
  }

  #readNextDueMs(): number | null {
    const { materials, rotations } = this.#region;
    const dueMs = [materials.nextDueMs(), rotations.nextDueMs()].filter((ms) => ms !== null);
    return dueMs.length === 0 ? null : Math.min(...dueMs);
  }

  async #run(): Promise<void> {
    this.#isUnfinished = false;
    try {
      const { materials } = this.#region;
      const { kmsDueBatchMax: max } = LIMITS;
      await this.#each(
        (nowMs) => materials.expiredMaterials(nowMs, max),
        (due, nowMs) => this.#expire(due, nowMs),
      );
      await this.#each(
        (nowMs) => materials.deletableKeys(nowMs, max),
        (keyId, nowMs) => this.#deleteKey(keyId, nowMs),
      );
      await rotateDueKeys(this.#region, (failure) => this.#fail(failure));
      if (materials.removeParametersUntil(this.#region.clock.nowMs()) > 0) materials.scrub();
      await this.#deliver();
      this.#nextDueMs = this.#readNextDueMs();
      if (!this.#isUnfinished) this.#pauseMs = LIMITS.kmsDeadlineTickMs;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Does a kind of work as long as there is some, and stops where a piece of it fails. */
  async #each<Piece>(
    find: (nowMs: number) => readonly Piece[],
    work: (piece: Piece, nowMs: number) => readonly StoredMaterial[],
  ): Promise<void> {
    for (;;) {
      const nowMs = this.#region.clock.nowMs();
      const pieces = find(nowMs);
      const ended: StoredMaterial[] = [];
      let failed = false;
      for (const piece of pieces) {
        try {
          ended.push(...work(piece, nowMs));
        } catch (error) {
          failed = true;
          this.#fail(error);
        }
        // Requests are answered in between.
        await nextTurn();
      }
      if (pieces.length > 0) this.#region.replicator.wake();
      if (pieces.length > 0) await endMaterial(this.#region, ended).catch((error: unknown) => this.#report(error));
      if (failed || pieces.length < LIMITS.kmsDueBatchMax) return;
    }
  }

  #expire({ keyId, materialId }: DueMaterial, nowMs: number): readonly StoredMaterial[] {
    const { store, materials } = this.#region;
    return store.transaction(() => {
      const record = store.key(keyId);
      const version = materials.versions(keyId).find((candidate) => candidate.materialId === materialId);
      if (record === undefined || version === undefined || version.material === null) return [];
      if (version.validToMs === null || version.validToMs > nowMs) return [];
      if (isPermanent(version)) materials.putVersion(keyId, afterExpiry(version));
      else if (record.multiRegion?.type === 'REPLICA') materials.putVersion(keyId, afterExpiry(version));
      else {
        materials.removeVersion(keyId, materialId);
        synchronizeReplicas(this.#region, record);
      }
      store.setState(keyId, stateWith(record.state, materials.versions(keyId)), record.deletion);
      const details = { keyId, ...(record.keySpec === 'SYMMETRIC_DEFAULT' && { keyMaterialId: materialId }) };
      materials.putEvent({
        eventId: randomUUID(),
        atMs: nowMs,
        name: 'DeleteExpiredKeyMaterial',
        keyArn: record.arn,
        details,
      });
      return [version.material];
    });
  }

  #deleteKey(keyId: KeyId, nowMs: number): readonly StoredMaterial[] {
    const { store, materials } = this.#region;
    return store.transaction(() => {
      const record = store.key(keyId);
      const dateMs = record?.deletion?.dateMs ?? null;
      if (record?.state !== 'PendingDeletion' || dateMs === null || dateMs > nowMs) return [];
      const ended = materials.versions(keyId).flatMap((version) => version.material ?? []);
      this.#deleting(keyId);
      if (record.multiRegion?.type === 'REPLICA') materials.putDeletedReplica(keyId);
      store.deleteKey(keyId);
      materials.putEvent({
        eventId: randomUUID(),
        atMs: nowMs,
        name: 'DeleteKey',
        keyArn: record.arn,
        details: { keyId },
      });
      return ended;
    });
  }

  /** Hands over the events that are kept, oldest first; each is forgotten when the audit has it. */
  async #deliver(): Promise<void> {
    const { materials, events } = this.#region;
    for (;;) {
      const waiting = materials.events(LIMITS.kmsDueBatchMax);
      if (waiting.length === 0) return;
      for (const event of waiting) {
        await events.record(event);
        materials.removeEvent(event.eventId);
      }
      // The last that names a deleted key.
      materials.scrub();
    }
  }

  #fail(error: unknown): void {
    this.#isUnfinished = true;
    this.#notBeforeMs = this.#region.clock.monotonicMs() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LIMITS.kmsDeadlinePauseMsMax);
    this.#report(error);
  }
}
