import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import { LIMITS } from '../limits.js';
import { metricOf, type Alarm } from './alarm.js';
import { evaluateAlarm, evaluationRange } from './alarm_evaluation.js';
import { reasonOf } from './alarm_reason.js';
import { evaluationTimes } from './alarm_times.js';
import { transition, type TransitionParts } from './alarm_transition.js';
import type { Metrics } from './metrics.js';

/** What alarms are watched with. */
export interface AlarmWatchParts extends TransitionParts {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly report: (failure: unknown) => void;
}

/**
 * Evaluates the alarms of a region, each minute of its clock and at once when the clock was moved.
 *
 * Time that was passed over, because the clock was moved or the region was down, is not skipped: every alarm is evaluated at the
 * instants of it at which its state can have changed ({@link evaluationTimes}), in their order.
 */
export class AlarmWatch {
  readonly #parts: AlarmWatchParts;
  #running: Promise<void> = Promise.resolve();
  #isQueued = false;

  constructor(parts: AlarmWatchParts) {
    this.#parts = parts;
  }

  /** Evaluates what is due; resolves when it is done. Never rejects. */
  runDue(): Promise<void> {
    if (this.#isQueued) return this.#running;
    this.#isQueued = true;
    this.#running = this.#running.then(async () => {
      this.#isQueued = false;
      await this.#evaluateAll().catch((error: unknown) => this.#parts.report(error));
    });
    return this.#running;
  }

  /** Waits for the evaluation that is going on. */
  async stop(): Promise<void> {
    await this.#running;
  }

  /** Evaluates one alarm as of now; does nothing where there is none. */
  evaluate(name: string): void {
    const alarm = this.#parts.store.alarm(name);
    if (alarm !== undefined) this.#evaluateAt(alarm, this.#parts.clock.nowMs());
  }

  async #evaluateAll(): Promise<void> {
    const { store, clock } = this.#parts;
    const toMs = clock.nowMs();
    const fromMs = Math.min(store.evaluatedMs() ?? toMs, toMs);
    for (let after = ''; ;) {
      const page = store.alarms(after, LIMITS.monitoringAlarmBatchMax);
      this.#evaluatePage(page, { fromMs, toMs });
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.name;
      // Requests are answered in between.
      await nextTurn();
    }
    store.setEvaluatedMs(toMs);
  }

  /** Evaluates some alarms in one visit to the disk. One that cannot be evaluated is no reason to leave out the others. */
  #evaluatePage(page: readonly Alarm[], range: { readonly fromMs: number; readonly toMs: number }): void {
    const { store, report } = this.#parts;
    try {
      store.transaction(() => {
        for (const alarm of page) this.#evaluateOver(alarm, range);
      });
      return;
    } catch (error) {
      report(error);
    }
    for (const alarm of page) {
      try {
        this.#evaluateOver(alarm, range);
      } catch (error) {
        report(error);
      }
    }
  }

  #evaluateOver(alarm: Alarm, range: { readonly fromMs: number; readonly toMs: number }): void {
    const { metrics } = this.#parts;
    const { configuration } = alarm;
    const turns = metrics.turningPoints(metricOf(configuration), {
      ...range,
      thresholdSeconds: configuration.threshold,
    });
    let current = alarm;
    for (const atMs of evaluationTimes(configuration, range, turns)) current = this.#evaluateAt(current, atMs);
  }

  #evaluateAt(alarm: Alarm, atMs: number): Alarm {
    const { configuration, standing } = alarm;
    const range = evaluationRange(configuration, atMs);
    const samples = this.#parts.metrics.samples(metricOf(configuration), { ...range, nowMs: atMs });
    const evaluation = evaluateAlarm(configuration, range, samples);
    const { state } = evaluation;
    const isFirst = standing.reasonData === null && standing.reason === UNCHECKED;
    if (state === null || (state === standing.state && !isFirst)) return alarm;
    const { text, data } = reasonOf(configuration, evaluation, state, atMs);
    return transition(this.#parts, alarm, { state, reason: text, reasonData: data, atMs });
  }
}

/** Why a new alarm is in its first state. */
export const UNCHECKED = 'Unchecked: Initial alarm creation';
