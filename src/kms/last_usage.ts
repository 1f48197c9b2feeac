import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import { LIMITS } from '../limits.js';
import { isKeyId, type KeyId } from './key_id.js';
import type { KeyStore } from './key_store.js';
import { TRACKED_OPERATIONS, type LastUsage, type LastUsageStore, type TrackedOperation } from './last_usage_store.js';

/** A call that succeeded and was recorded in the audit trail. */
export interface SucceededCall {
  readonly operation: string;
  readonly requestId: string;
  readonly trailEventId: string;
  /** Their ARNs are those of the keys that were used. */
  readonly notes: readonly { readonly keyArn?: string }[];
}

const TRACKED: ReadonlySet<string> = new Set(TRACKED_OPERATIONS);

/**
 * What a region's keys were last used for.
 *
 * Remembered in memory and written every few seconds, so that cryptography never waits for the disk: after the end of a process that
 * was killed, the usages of its last seconds are missing here. They are in the audit trail.
 */
export class LastUsages {
  /** When usage was first remembered in this region, milliseconds since the epoch. */
  readonly startMs: number;
  readonly #store: LastUsageStore;
  readonly #clock: Clock;
  readonly #report: (failure: unknown) => void;
  /** What is not written yet. */
  readonly #pending = new Map<KeyId, LastUsage>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(
    parts: { readonly store: LastUsageStore; readonly keys: Pick<KeyStore, 'onDelete'>; readonly clock: Clock },
    options: { readonly report: (failure: unknown) => void },
  ) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#report = options.report;
    this.startMs = parts.store.trackingStartMs(parts.clock.nowMs());
    parts.keys.onDelete((keyId) => this.#pending.delete(keyId));
  }

  /** Begins to write what is remembered, from time to time. */
  start(): void {
    this.#timer = setInterval(() => void this.write(), LIMITS.kmsLastUsageWriteMs);
    this.#timer.unref();
  }

  /** Writes what is left, and no more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.write();
  }

  /** Remembers a call, if it was cryptography: for every key that it used. */
  record(call: SucceededCall): void {
    const { operation } = call;
    if (!isTracked(operation)) return;
    const usage: LastUsage = {
      operation,
      atMs: this.#clock.nowMs(),
      trailEventId: call.trailEventId,
      requestId: call.requestId,
    };
    for (const { keyArn } of call.notes) {
      if (keyArn === undefined) continue;
      const keyId = keyArn.slice(keyArn.lastIndexOf('/') + 1);
      if (isKeyId(keyId)) this.#pending.set(keyId, usage);
    }
    if (this.#pending.size >= LIMITS.kmsLastUsagePendingMax) void this.write();
  }

  /** What a key was last used for; undefined where it was not, since {@link LastUsages.startMs}. */
  of(keyId: KeyId): LastUsage | undefined {
    return this.#pending.get(keyId) ?? this.#store.lastUsage(keyId);
  }

  /** Writes everything that is remembered now; what cannot be written is reported and stays. Never rejects. */
  write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#pending.size > 0) {
        const batch = [...this.#pending.entries()].slice(0, LIMITS.kmsLastUsageBatchMax);
        this.#store.putLastUsages(batch);
        // Synchronous so far: what was used again meanwhile is not among the written.
        for (const [keyId] of batch) this.#pending.delete(keyId);
        // Requests are answered in between.
        await nextTurn();
      }
    } catch (failure) {
      this.#report(failure);
    }
  }
}

function isTracked(operation: string): operation is TrackedOperation {
  return TRACKED.has(operation);
}
