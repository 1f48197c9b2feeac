import type { Clock } from '../clock.js';
import type { CallNote } from '../kms/region.js';
import { LIMITS } from '../limits.js';
import { KMS_NAMESPACE, type Dimension } from './metric.js';
import type { MetricStore, StoredSample } from './metric_store.js';

const MINUTE_MS = 60_000;

/** @source AWS KMS Developer Guide, "Monitor KMS keys with Amazon CloudWatch": cryptographic operations */
const COUNTED: ReadonlySet<string> = new Set([
  'Decrypt',
  'DeriveSharedSecret',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'ReEncrypt',
  'Sign',
  'Verify',
  'VerifyMac',
]);

/** A call as it is counted. */
export interface CountedCall {
  readonly operation: string;
  readonly failure: object | null;
  readonly notes: readonly CallNote[];
}

interface Count {
  readonly atMs: number;
  readonly operation: string;
  readonly keyArns: readonly string[];
  count: number;
}

/**
 * Counts what keys are used for: the metric `SuccessfulRequest`. Counts of the running minute are in memory and go to the store once
 * a minute, so that a request costs one entry of a map.
 */
export class RequestCounts {
  readonly #store: MetricStore;
  readonly #clock: Clock;
  #counts = new Map<string, Count>();

  constructor(store: MetricStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Counts a call that was answered. */
  count({ operation, failure, notes }: CountedCall): void {
    if (failure !== null || !COUNTED.has(operation)) return;
    const keyArns: string[] = [];
    for (const { keyArn } of notes) if (keyArn !== undefined && !keyArns.includes(keyArn)) keyArns.push(keyArn);
    if (keyArns.length === 0) return;
    const atMs = Math.floor(this.#clock.nowMs() / MINUTE_MS) * MINUTE_MS;
    const key = `${atMs} ${operation} ${keyArns.join(' ')}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.#counts.size < LIMITS.monitoringCountsMax) {
      this.#counts.set(key, { atMs, operation, keyArns, count: 1 });
    }
  }

  /** Hands the counts over. */
  flush(): void {
    if (this.#counts.size === 0) return;
    const counts = this.#counts;
    this.#counts = new Map();
    this.#store.put([...counts.values()].map(sampleOf), {
      metricsMax: LIMITS.monitoringMetricsMax,
      durability: 'ordered',
    });
  }
}

function sampleOf({ atMs, operation, keyArns, count }: Count): StoredSample {
  const [first = '', second = first] = keyArns;
  const keys: readonly Dimension[] =
    operation === 'ReEncrypt'
      ? [
          { Name: 'SourceKeyArn', Value: first },
          { Name: 'DestinationKeyArn', Value: second },
        ]
      : [{ Name: 'KeyArn', Value: first }];
  return {
    metric: {
      namespace: KMS_NAMESPACE,
      name: 'SuccessfulRequest',
      dimensions: [...keys, { Name: 'Operation', Value: operation }],
    },
    sample: { atMs, unit: 'Count', sampleCount: count, sum: count, minimum: 1, maximum: 1 },
    keyIds: keyArns.slice(0, 2).flatMap((arn) => arn.split(':key/')[1] ?? []),
  };
}
