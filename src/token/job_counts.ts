import type { Job } from './job.js';

/** What jobs of one name, or all, have cost. */
export interface JobStats {
  readonly jobs: number;
  readonly failures: number;
  readonly calls: number;
  /** Microseconds from a job's first PKCS#11 call to its last, what lies between them included. */
  readonly tokenMicroseconds: number;
}

/** The same for all jobs, by their names, and by the ways in which they were done. */
export interface AllJobStats extends JobStats {
  readonly byName: ReadonlyMap<string, JobStats>;
  readonly byStrategy: readonly (JobStats & { readonly name: string; readonly strategy: string })[];
}

interface Counters {
  jobs: number;
  failures: number;
  calls: number;
  tokenNs: number;
}

/** Adds up what jobs cost. */
export class JobCounts {
  readonly #total: Counters = { jobs: 0, failures: 0, calls: 0, tokenNs: 0 };
  /** By name, and then by strategy. */
  readonly #byName = new Map<string, Map<string, Counters>>();

  add({ name, strategy }: Job, ok: boolean, calls: number, tokenNs: number): void {
    let strategies = this.#byName.get(name);
    if (strategies === undefined) {
      strategies = new Map();
      this.#byName.set(name, strategies);
    }
    let counters = strategies.get(strategy);
    if (counters === undefined) {
      counters = { jobs: 0, failures: 0, calls: 0, tokenNs: 0 };
      strategies.set(strategy, counters);
    }
    addTo(this.#total, ok, calls, tokenNs);
    addTo(counters, ok, calls, tokenNs);
  }

  stats(): AllJobStats {
    return {
      ...snapshot(this.#total),
      byName: new Map([...this.#byName].map(([name, strategies]) => [name, snapshot(sum(strategies.values()))])),
      byStrategy: [...this.#byName].flatMap(([name, strategies]) =>
        [...strategies].map(([strategy, counters]) => ({ name, strategy, ...snapshot(counters) })),
      ),
    };
  }
}

function addTo(counters: Counters, ok: boolean, calls: number, tokenNs: number): void {
  counters.jobs += 1;
  if (!ok) counters.failures += 1;
  counters.calls += calls;
  counters.tokenNs += tokenNs;
}

function sum(all: Iterable<Counters>): Counters {
  const total = { jobs: 0, failures: 0, calls: 0, tokenNs: 0 };
  for (const { jobs, failures, calls, tokenNs } of all) {
    total.jobs += jobs;
    total.failures += failures;
    total.calls += calls;
    total.tokenNs += tokenNs;
  }
  return total;
}

function snapshot({ jobs, failures, calls, tokenNs }: Counters): JobStats {
  return { jobs, failures, calls, tokenMicroseconds: tokenNs / 1000 };
}
