import { LIMITS } from '../limits.js';
import { expiringKeyOf, type ExpiryPublisher } from './expiry_publisher.js';
import { metricKey, type MetricIdentity } from './metric.js';
import type { MetricStore } from './metric_store.js';
import type { Sample } from './statistic.js';

/** All metrics of a region: those of expiring material, which are computed, and those that were put or counted. */
export class Metrics {
  readonly #expiry: ExpiryPublisher;
  readonly #store: MetricStore;

  constructor(expiry: ExpiryPublisher, store: MetricStore) {
    this.#expiry = expiry;
    this.#store = store;
  }

  /** Metrics with samples at `sinceMs` or later, in the order of {@link metricKey}. */
  list(sinceMs: number): readonly { readonly key: string; readonly metric: MetricIdentity }[] {
    return [...this.#expiry.metrics(sinceMs), ...this.#store.metrics(sinceMs).map(({ metric }) => metric)]
      .map((metric) => ({ key: metricKey(metric), metric }))
      .toSorted((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0));
  }

  /**
   * Samples of one metric, the oldest first.
   *
   * @param range - from `fromMs` to before `toMs`, at most two weeks before `nowMs`; computed samples are not later than `nowMs`
   */
  samples(
    metric: MetricIdentity,
    range: { readonly fromMs: number; readonly toMs: number; readonly nowMs: number },
  ): readonly Sample[] {
    const fromMs = Math.max(range.fromMs, range.nowMs - LIMITS.monitoringRetentionMs);
    if (fromMs >= range.toMs) return [];
    const keyId = expiringKeyOf(metric);
    if (keyId !== undefined) return this.#expiry.samples(keyId, { ...range, fromMs });
    return this.#store.samples(metric, { fromMs, toMs: range.toMs, limit: LIMITS.monitoringSamplesReadMax });
  }

  /** Instants at which computed samples of a metric begin, pass a threshold or end; none for other metrics. */
  turningPoints(
    metric: MetricIdentity,
    range: { readonly fromMs: number; readonly toMs: number; readonly thresholdSeconds: number },
  ): readonly number[] {
    const keyId = expiringKeyOf(metric);
    return keyId === undefined ? [] : this.#expiry.turningPoints(keyId, range);
  }
}
