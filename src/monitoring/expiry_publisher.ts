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
  #isStale = true;

  constructor(parts: ExpiryPublisherParts) {
    this.#parts = parts;
  }

  /** Materials have changed: they are read again before anybody is answered. */
  changed(): void {
    this.#isStale = true;
  }

  /** Remembers to which instant the clock was moved. */
  moved(): void {
    const { store, clock } = this.#parts;
    const nowMs = clock.nowMs();
    store.prune({ beforeMs: nowMs - LIMITS.monitoringRetentionMs, nowMs });
    store.putMove(nowMs);
    this.#isStale = true;
  }

  /** Begins and ends intervals as the materials are now. */
  publish(): void {
    if (!this.#isStale) return;
    const { store, materials, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const current = new Map(
      materials.expiringKeys().flatMap(({ keyId, validToMs }) => (validToMs > nowMs ? [[keyId, validToMs]] : [])),
    );
    const ended: { keyId: string; untilMs: number }[] = [];
    for (const { keyId, fromMs, validToMs } of store.open()) {
      if (current.get(keyId) === validToMs) current.delete(keyId);
      else ended.push({ keyId, untilMs: Math.max(fromMs, Math.min(nowMs, validToMs)) });
    }
    const begun = [...current].map(([keyId, validToMs]) => ({ keyId, fromMs: nowMs, validToMs }));
    if (ended.length > 0 || begun.length > 0) store.change({ ended, begun });
    this.#isStale = false;
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
