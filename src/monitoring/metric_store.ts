import type { MetricIdentity } from './metric.js';
import type { Sample } from './statistic.js';

/** Samples to be kept. Those of one metric, instant and unit are added up. */
export interface StoredSample {
  readonly metric: MetricIdentity;
  readonly sample: Sample;
  /** The keys that the metric is about, at most two: it goes with each of them. */
  readonly keyIds?: readonly string[];
}

/** A metric, and when its newest sample is from. */
export interface StoredMetric {
  readonly metric: MetricIdentity;
  readonly lastMs: number;
}

/** Samples that somebody has put, or that the region has counted. */
export interface MetricStore {
  /**
   * Adds samples; durable when it returns unless they are `counted`, where a power cut may lose the newest.
   *
   * @returns how many were left out: metrics beyond `metricsMax`, and of keys that are gone
   */
  put(
    samples: readonly StoredSample[],
    options: { readonly metricsMax: number; readonly durability: 'durable' | 'ordered' },
  ): number;
  /** Samples of one metric from `fromMs` to before `toMs`, the oldest first. */
  samples(
    metric: MetricIdentity,
    range: { readonly fromMs: number; readonly toMs: number; readonly limit: number },
  ): readonly Sample[];
  /** Metrics with samples at `sinceMs` or later. */
  metrics(sinceMs: number): readonly StoredMetric[];
  /** Removes samples from before `beforeMs`, the oldest ones beyond `samplesMax`, and what is later than `afterMs`. */
  prune(bounds: { readonly beforeMs: number; readonly afterMs: number; readonly samplesMax: number }): void;
}
