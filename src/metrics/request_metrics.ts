import { LIMITS } from '../limits.js';
import type { MetricFamily, Sample } from './exposition.js';

/** A request that was answered. */
export interface MeasuredRequest {
  /** Signing name of the service; null where nobody was believed to call. */
  readonly service: string | null;
  /** Null for operations that there are not. */
  readonly operation: string | null;
  /** Name of the failure; null for success. */
  readonly exception: string | null;
  readonly elapsedMs: number;
}

/** Upper bounds of the histogram, seconds: a software token answers within a millisecond, an HSM across a network within tens. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** What is in no list: operations that there are not, and callers that nobody is. */
const UNKNOWN = 'unknown';
const SUCCESS = 'success';

interface Measured {
  readonly service: string;
  readonly operation: string;
  /** By outcome. */
  readonly counts: Map<string, number>;
  /** Requests within each bucket's bounds, not those of the smaller ones. */
  readonly buckets: number[];
  count: number;
  seconds: number;
}

/** Counts requests and how long they took, by operation. Its labels come from tables, never from a caller. */
export class RequestMetrics {
  readonly #measured = new Map<string, Map<string, Measured>>();
  #series = 0;

  /** Takes one request: it runs for each of them. */
  observe({ service, operation, exception, elapsedMs }: MeasuredRequest): void {
    const measured = this.#of(service ?? UNKNOWN, operation ?? UNKNOWN);
    const outcome = exception ?? SUCCESS;
    measured.counts.set(outcome, (measured.counts.get(outcome) ?? 0) + 1);
    measured.count += 1;
    const seconds = elapsedMs / 1000;
    measured.seconds += seconds;
    let index = 0;
    while (index < BUCKETS.length && seconds > (BUCKETS[index] ?? Infinity)) index += 1;
    measured.buckets[index] = (measured.buckets[index] ?? 0) + 1;
  }

  families(): readonly MetricFamily[] {
    const all = [...this.#measured.values()].flatMap((operations) => [...operations.values()]);
    return [
      {
        name: 'keyferry_requests_total',
        help: 'Requests that were answered, by service, operation and outcome: success, or the name of the failure.',
        type: 'counter',
        samples: all.flatMap(({ service, operation, counts }) =>
          [...counts].map(([outcome, value]) => ({ labels: { service, operation, outcome }, value })),
        ),
      },
      {
        name: 'keyferry_request_seconds',
        help: 'Time from the end of the headers of a request to its answer.',
        type: 'histogram',
        samples: all.flatMap(histogramOf),
      },
    ];
  }

  #of(service: string, operation: string): Measured {
    const known = this.#measured.get(service)?.get(operation);
    if (known !== undefined) return known;
    // A table that grew without end would be a mistake of ours, and is not to cost the region its memory.
    if (this.#series >= LIMITS.metricsOperationsMax && operation !== UNKNOWN) return this.#of(UNKNOWN, UNKNOWN);
    this.#series += 1;
    const buckets = Array.from({ length: BUCKETS.length + 1 }, () => 0);
    const measured: Measured = { service, operation, counts: new Map(), buckets, count: 0, seconds: 0 };
    const operations = this.#measured.get(service);
    if (operations === undefined) this.#measured.set(service, new Map([[operation, measured]]));
    else operations.set(operation, measured);
    return measured;
  }
}

function histogramOf({ service, operation, buckets, count, seconds }: Measured): readonly Sample[] {
  const labels = { service, operation };
  const samples: Sample[] = [];
  let within = 0;
  for (const [index, bound] of BUCKETS.entries()) {
    within += buckets[index] ?? 0;
    samples.push({ suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: within });
  }
  samples.push(
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
    { suffix: '_sum', labels, value: seconds },
    { suffix: '_count', labels, value: count },
  );
  return samples;
}
