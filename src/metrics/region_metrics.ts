import type { Clock } from '../clock.js';
import { gaugeBy, single, writeExposition, type MetricFamily } from './exposition.js';
import { processMetrics } from './process_metrics.js';
import { RequestMetrics, type MeasuredRequest } from './request_metrics.js';

/** What is counted in a region's database; reading it takes milliseconds whatever the number of keys. */
export interface RegionCounts {
  /** Number of keys by state. */
  keys(): ReadonlyMap<string, number>;
  /** Replications that are not over, by state, and keys that are frozen. */
  replications(): ReadonlyMap<string, number>;
  /** When imported material expires, milliseconds since the epoch, by key; those that expire first, at most `max`. */
  expiries(max: number): ReadonlyMap<string, number>;
}

/** What a token has done since it was opened. */
export interface TokenWork {
  readonly byStrategy: readonly {
    /** What the job was for. */
    readonly name: string;
    readonly strategy: string;
    readonly jobs: number;
    /** Those of the jobs that failed. */
    readonly failures: number;
    /** Microseconds from the first call of a job to its last, of all jobs together. */
    readonly tokenMicroseconds: number;
  }[];
  /** Sessions that are open. */
  readonly sessions: number;
  /** Jobs that wait or run. */
  readonly pending: number;
  readonly epoch: number;
}

/** What a region's metrics are made of. */
export interface RegionMetricsParts {
  readonly region: string;
  readonly clock: Clock;
  readonly clockOffsetMs: () => number;
  /** What the token's jobs have cost; absent where there is no token to ask. */
  readonly jobs?: (() => TokenWork) | undefined;
  readonly counts: RegionCounts;
  /** How long what was counted is shown again, milliseconds. */
  readonly countsAgeMs: number;
  /** Keys whose time until expiry is shown. */
  readonly expiriesMax: number;
}

/** How a session of replication goes. */
export interface SessionStep {
  readonly role: 'source' | 'destination';
  /** Identifies the session in its role. */
  readonly intent: string;
  readonly state: string;
}

/** States in which a session is over for this region. */
const ENDED: ReadonlySet<string> = new Set(['ABORTED', 'DONE', 'INSTALLED']);
/** Sessions that are remembered as counted: an end is told again when the other side has heard of it. */
const COUNTED_SESSIONS_MAX = 1000;

/** The metrics of a region, as text for Prometheus. */
export class RegionMetrics {
  readonly requests = new RequestMetrics();
  readonly #parts: RegionMetricsParts;
  readonly #sessions = new Map<string, { readonly ended: SessionStep; count: number }>();
  readonly #countedSessions = new Set<string>();
  #counted: { readonly atMs: number; readonly families: readonly MetricFamily[] } | undefined;

  constructor(parts: RegionMetricsParts) {
    this.#parts = parts;
  }

  /** Takes one request that was answered. */
  observe(request: MeasuredRequest): void {
    this.requests.observe(request);
  }

  /** Takes a step of a session of replication; ends are counted. */
  observeSession(step: SessionStep): void {
    const { role, intent, state } = step;
    if (!ENDED.has(state) || this.#countedSessions.has(`${role} ${intent}`)) return;
    if (this.#countedSessions.size >= COUNTED_SESSIONS_MAX) this.#countedSessions.clear();
    this.#countedSessions.add(`${role} ${intent}`);
    const known = this.#sessions.get(`${role} ${state}`);
    if (known !== undefined) known.count += 1;
    else this.#sessions.set(`${role} ${state}`, { ended: step, count: 1 });
  }

  /** @returns text format 0.0.4 */
  text(): string {
    const { region, clockOffsetMs, jobs } = this.#parts;
    return writeExposition([
      {
        name: 'keyferry_region_info',
        help: 'The region that these metrics are of.',
        type: 'gauge',
        samples: [{ labels: { region }, value: 1 }],
      },
      ...this.requests.families(),
      ...(jobs === undefined ? [] : tokenFamilies(jobs())),
      ...this.#counts(),
      {
        name: 'keyferry_replication_sessions_total',
        help: 'Sessions of replication that ended since the start, by role of this region and end.',
        type: 'counter',
        samples: [...this.#sessions.values()].map(({ ended: { role, state }, count }) => ({
          labels: { role, state },
          value: count,
        })),
      },
      single(
        'keyferry_clock_offset_seconds',
        'gauge',
        'How far the clock of the region is moved.',
        clockOffsetMs() / 1000,
      ),
      ...processMetrics(),
    ]);
  }

  /** What is read from the database, or was a moment ago: a scraper that asks all the time costs no more than one that does not. */
  #counts(): readonly MetricFamily[] {
    const { clock, counts, countsAgeMs, expiriesMax } = this.#parts;
    const atMs = clock.monotonicMs();
    if (this.#counted !== undefined && atMs - this.#counted.atMs < countsAgeMs) return this.#counted.families;
    const nowMs = clock.nowMs();
    const families = [
      gaugeBy('state', { name: 'keyferry_keys', help: 'Keys, by key state.' }, counts.keys()),
      gaugeBy(
        'state',
        {
          name: 'keyferry_replications',
          help: 'Replications under way, by state: WAITING, INTENT and SENT go out, OFFERED and UNWRAPPING come in; FROZEN keys are in dispute.',
        },
        counts.replications(),
      ),
      gaugeBy(
        'key_id',
        {
          name: 'keyferry_seconds_until_expiry',
          help: `Time until imported key material expires, of the ${expiriesMax} keys where it is soonest.`,
        },
        [...counts.expiries(expiriesMax)].map(([keyId, ms]) => [keyId, Math.max(0, (ms - nowMs) / 1000)]),
      ),
    ];
    this.#counted = { atMs, families };
    return families;
  }
}

function tokenFamilies({ byStrategy, sessions, pending, epoch }: TokenWork): readonly MetricFamily[] {
  return [
    {
      name: 'keyferry_token_jobs_total',
      help: 'Jobs of the token, by job, strategy and outcome.',
      type: 'counter',
      samples: byStrategy.flatMap(({ name: job, strategy, jobs, failures }) => [
        { labels: { job, strategy, outcome: 'success' }, value: jobs - failures },
        ...(failures === 0 ? [] : [{ labels: { job, strategy, outcome: 'failure' }, value: failures }]),
      ]),
    },
    {
      name: 'keyferry_token_seconds_total',
      help: 'Time of the token, from the first call of a job to its last, by job and strategy.',
      type: 'counter',
      samples: byStrategy.map(({ name: job, strategy, tokenMicroseconds }) => ({
        labels: { job, strategy },
        value: tokenMicroseconds / 1e6,
      })),
    },
    single('keyferry_token_sessions', 'gauge', 'Open sessions of the token.', sessions),
    single('keyferry_token_jobs_pending', 'gauge', 'Jobs that wait for the token or are run by it.', pending),
    single('keyferry_token_epoch', 'gauge', 'Grows when sessions are lost and opened anew.', epoch),
  ];
}
