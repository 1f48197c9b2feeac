import type { Clock } from '../clock.js';
import type { KeyHome } from '../kms/key_id.js';
import { LIMITS } from '../limits.js';
import type { WebhookTransport } from '../webhook_transport.js';
import { ActionDelivery } from './action_delivery.js';
import type { ActionRules } from './action_target.js';
import type { AlarmStore } from './alarm_store.js';
import { AlarmWatch } from './alarm_watch.js';
import { ExpiryPublisher, type ExpiryPublisherParts } from './expiry_publisher.js';
import type { ExpiryStore } from './expiry_store.js';
import type { MetricStore } from './metric_store.js';
import { Metrics } from './metrics.js';
import type { MonitoringPermissions, MonitoringRegion } from './region.js';
import { RequestCounts, type CountedCall } from './request_counts.js';

const MINUTE_MS = 60_000;

/** What monitoring is built from. */
export interface MonitoringParts {
  readonly home: KeyHome;
  readonly clock: Clock;
  readonly materials: ExpiryPublisherParts['materials'];
  readonly alarms: AlarmStore;
  readonly metrics: MetricStore;
  readonly expiry: ExpiryStore;
  readonly transport: WebhookTransport;
  readonly actionRules: ActionRules;
  readonly permissions: MonitoringPermissions;
  /** Told of actions that were given up, and of what should not fail. */
  readonly report: (failure: unknown) => void;
}

/** A region's metrics and alarms, and what keeps them going. */
export class Monitoring {
  /** What operations work on. */
  readonly region: MonitoringRegion;
  readonly #parts: MonitoringParts;
  readonly #publisher: ExpiryPublisher;
  readonly #counts: RequestCounts;
  readonly #watch: AlarmWatch;
  readonly #delivery: ActionDelivery;
  #timer: NodeJS.Timeout | undefined;
  /** Number of the minute of the region's clock that was looked at last. */
  #minute = -1;
  #prunedMs = -Infinity;

  constructor(parts: MonitoringParts) {
    const { home, clock, alarms, actionRules, report } = parts;
    this.#parts = parts;
    this.#publisher = new ExpiryPublisher({ store: parts.expiry, materials: parts.materials, clock });
    this.#counts = new RequestCounts(parts.metrics, clock);
    const metrics = new Metrics(this.#publisher, parts.metrics);
    this.#watch = new AlarmWatch({ home, store: alarms, rules: actionRules, metrics, clock, report });
    this.#delivery = new ActionDelivery({
      store: alarms,
      rules: actionRules,
      transport: parts.transport,
      clock,
      report,
    });
    this.region = {
      home,
      clock,
      metrics,
      metricStore: parts.metrics,
      alarms,
      actionRules,
      permissions: parts.permissions,
      watch: {
        evaluate: (name) => this.#watch.evaluate(name),
        deliver: () => this.#delivery.wake(),
      },
    };
  }

  /** Evaluates the alarms over the time in which the region was down, and begins to look at the clock. */
  async start(): Promise<void> {
    await this.runDue();
    this.#timer = setInterval(() => this.#look(), LIMITS.monitoringTickMs);
    // A region that only waits may end.
    this.#timer.unref();
  }

  /** Imported material has come, changed or gone. */
  changed(): void {
    this.#publisher.changed();
  }

  /** The clock was moved; resolves when the alarms are evaluated. */
  async moved(): Promise<void> {
    try {
      this.#publisher.moved();
    } catch (error) {
      this.#parts.report(error);
    }
    await this.runDue();
  }

  /** A trail that counts each call after it was recorded. */
  counting<Recorded extends CountedCall, Kept>(trail: {
    recordCall(call: Recorded): Promise<Kept>;
  }): { recordCall(call: Recorded): Promise<Kept> } {
    return {
      recordCall: async (call) => {
        const kept = await trail.recordCall(call);
        this.#counts.count(call);
        return kept;
      },
    };
  }

  /** Publishes, evaluates and removes what is due; resolves when it is done. Never rejects. */
  async runDue(): Promise<void> {
    this.#minute = this.#currentMinute();
    try {
      this.#counts.flush();
      // Whoever changes material says so; a minute is the longest that one who forgets is not noticed.
      this.#publisher.changed();
      this.#publisher.publish();
    } catch (error) {
      this.#parts.report(error);
    }
    await this.#watch.runDue();
    try {
      this.#prune();
      this.#delivery.wake();
    } catch (error) {
      this.#parts.report(error);
    }
  }

  /** Looks no more. Notifications that were not delivered wait for the next start. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#delivery.stop();
    await this.#watch.stop();
    this.#counts.flush();
  }

  #look(): void {
    if (this.#currentMinute() !== this.#minute) {
      void this.runDue();
      return;
    }
    try {
      this.#publisher.publish();
    } catch (error) {
      this.#parts.report(error);
    }
  }

  #currentMinute(): number {
    return Math.floor(this.#parts.clock.nowMs() / MINUTE_MS);
  }

  #prune(): void {
    const { clock, metrics, alarms } = this.#parts;
    const nowMs = clock.nowMs();
    if (Math.abs(nowMs - this.#prunedMs) < LIMITS.monitoringPruneMs) return;
    this.#prunedMs = nowMs;
    this.#publisher.prune();
    metrics.prune({
      beforeMs: nowMs - LIMITS.monitoringRetentionMs,
      afterMs: nowMs + LIMITS.monitoringFutureMs,
      samplesMax: LIMITS.monitoringSamplesMax,
    });
    alarms.pruneHistory({
      beforeMs: nowMs - LIMITS.monitoringHistoryMs,
      itemsMax: LIMITS.monitoringHistoryMax,
    });
  }
}
