import type { Clock } from '../clock.js';
import { EXPIRATION_METRIC } from '../kms/expiration_metric.js';
import { LIMITS } from '../limits.js';
import { expirySamples, turningPoints } from './expiry_samples.js';
import type { ExpiryStore } from './expiry_store.js';
import { KMS_NAMESPACE, type MetricIdentity } from './metric.js';
import type { Sample } from './statistic.js';

/** Both names under which the service's documentation speaks of the metric; one has the values of the other. */
export const EXPIRATION_METRICS: readonly string[] = [EXPIRATION_METRIC, 'SecondsUntilKeyMaterialExpires'];

const KEY_DIMENSION = 'KeyId';

/** The key that an expiration metric is about; undefined for any other metric. */
export function expiringKeyOf({ namespace, name, dimensions }: MetricIdentity): string | undefined {
  if (namespace !== KMS_NAMESPACE || !EXPIRATION_METRICS.includes(name)) return undefined;
  const [only, ...others] = dimensions;
  return only?.Name === KEY_DIMENSION && others.length === 0 ? only.Value : undefined;
}

/** What the publisher works on. */
export interface ExpiryPublisherParts {
  readonly store: ExpiryStore;
  /** Keys with imported material that expires, with the earliest date of each. */
  readonly materials: {
    expiringKeys(): readonly { readonly keyId: string; readonly validToMs: number }[];
  };
  readonly clock: Clock;
}

/**
 * Publishes the seconds that are left to each key whose imported material expires, the earliest-expiring of its materials.
 *
 * @source AWS KMS Developer Guide, "Monitor KMS keys with Amazon CloudWatch"
 */
export class ExpiryPublisher {
  readonly #parts: ExpiryPublisherParts;
  /** When materials changed that were not read since; null where there are none. */
  #staleSinceMs: number | null;

  constructor(parts: ExpiryPublisherParts) {
    this.#parts = parts;
    this.#staleSinceMs = parts.clock.nowMs();
  }

  /** Materials have changed: they are read again before anybody is answered. */
  changed(): void {
    this.#staleSinceMs ??= this.#parts.clock.nowMs();
  }

  /** Remembers to which instant the clock was moved. */
  moved(): void {
    const { store, clock } = this.#parts;
    // What changed before is from before.
    this.publish();
    // The clock may have gone back; what is too old is still asked for by the alarms.
    store.prune({ beforeMs: 0, nowMs: clock.nowMs() });
    store.putMove(clock.nowMs());
    this.changed();
  }

  /** Begins and ends intervals as the materials are now, as of the moment in which they changed. */
  publish(): void {
    const sinceMs = this.#staleSinceMs;
    if (sinceMs === null) return;
    const { store, materials } = this.#parts;
    const current = new Map(
      materials.expiringKeys().flatMap(({ keyId, validToMs }) => (validToMs > sinceMs ? [[keyId, validToMs]] : [])),
    );
    const ended: { keyId: string; untilMs: number }[] = [];
    for (const { keyId, fromMs, validToMs } of store.open()) {
      if (current.get(keyId) === validToMs) current.delete(keyId);
      else ended.push({ keyId, untilMs: Math.max(fromMs, Math.min(sinceMs, validToMs)) });
    }
    const begun = [...current].map(([keyId, validToMs]) => ({ keyId, fromMs: sinceMs, validToMs }));
    if (ended.length > 0 || begun.length > 0) store.change({ ended, begun });
    this.#staleSinceMs = null;
  }

  /** Removes what is too old to be asked for. */
  prune(): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#parts.store.prune({ beforeMs: nowMs - LIMITS.monitoringRetentionMs, nowMs });
  }

  /** Metrics with samples at `sinceMs` or later. */
  metrics(sinceMs: number): readonly MetricIdentity[] {
    this.publish();
    return this.#parts.store.keysSince(sinceMs).flatMap((keyId) =>
      EXPIRATION_METRICS.map((name) => ({
        namespace: KMS_NAMESPACE,
        name,
        dimensions: [{ Name: KEY_DIMENSION, Value: keyId }],
      })),
    );
  }

  /** Samples of a key from `fromMs` to before `toMs`, the oldest first. @param nowMs - nothing is sampled later */
  samples(
    keyId: string,
    range: { readonly fromMs: number; readonly toMs: number; readonly nowMs: number },
  ): readonly Sample[] {
    this.publish();
    const { store } = this.#parts;
    return expirySamples(store.of(keyId), range, store.moves(range));
  }

  /** Instants between `fromMs` and `toMs` at which a key's samples begin, pass a threshold or end. */
  turningPoints(
    keyId: string,
    range: { readonly fromMs: number; readonly toMs: number; readonly thresholdSeconds: number },
  ): readonly number[] {
    this.publish();
    return this.#parts.store
      .of(keyId)
      .flatMap((interval) => turningPoints(interval, range.thresholdSeconds))
      .filter((atMs) => atMs > range.fromMs && atMs <= range.toMs);
  }
}
