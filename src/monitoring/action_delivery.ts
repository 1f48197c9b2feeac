import type { Clock } from '../clock.js';
import { LIMITS } from '../limits.js';
import type { WebhookTransport } from '../webhook_transport.js';
import { actionTarget, type ActionRules } from './action_target.js';
import { putActionResult, whyNotDelivered } from './alarm_transition.js';
import type { AlarmStore, PendingAction } from './alarm_store.js';

/** What actions are delivered with. */
export interface ActionDeliveryParts {
  readonly store: AlarmStore;
  readonly rules: ActionRules;
  readonly transport: WebhookTransport;
  readonly clock: Clock;
  readonly report: (failure: unknown) => void;
}

/** An answer that is no success. */
class RefusedNotification extends Error {
  readonly status: number;

  constructor(url: string, status: number) {
    super(`${new URL(url).origin} answered ${status}`);
    this.name = 'RefusedNotification';
    this.status = status;
  }
}

/**
 * Delivers the notifications of alarms. They are in the store until somebody took them or refused for good, so that the end of the
 * process loses none; one that was taken in the moment of the end is delivered twice, with the same id.
 */
export class ActionDelivery {
  readonly #parts: ActionDeliveryParts;
  readonly #inFlight = new Set<string>();
  /** Monotonic time before which an action that failed is not tried again, by id. */
  readonly #notBefore = new Map<string, number>();
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ActionDeliveryParts) {
    this.#parts = parts;
  }

  /** Sends what waits and may be sent. */
  wake(): void {
    if (this.#ended.signal.aborted) return;
    clearTimeout(this.#timer);
    const { store, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    let nextMs = Infinity;
    for (const action of store.actions(LIMITS.monitoringActionsMax)) {
      if (this.#inFlight.has(action.id)) continue;
      const notBeforeMs = this.#notBefore.get(action.id) ?? 0;
      if (notBeforeMs > nowMs) nextMs = Math.min(nextMs, notBeforeMs);
      else if (this.#inFlight.size < LIMITS.monitoringDeliveriesMax) void this.#deliver(action);
    }
    if (nextMs === Infinity) return;
    this.#timer = setTimeout(() => this.wake(), nextMs - nowMs);
    this.#timer.unref();
  }

  /** Sends nothing more; what was not delivered waits for the next start. */
  stop(): void {
    this.#ended.abort();
    clearTimeout(this.#timer);
  }

  async #deliver(action: PendingAction): Promise<void> {
    const { store, rules, clock, report } = this.#parts;
    this.#inFlight.add(action.id);
    try {
      const failure = await this.#attempt(action, rules);
      if (this.#ended.signal.aborted) return;
      if (failure !== null && failure.isPassing && action.attempts + 1 < LIMITS.monitoringAttemptsMax) {
        store.failAction(action.id);
        this.#notBefore.set(action.id, clock.monotonicMs() + LIMITS.monitoringRetryMs * 2 ** action.attempts);
        return;
      }
      store.transaction(() => {
        putActionResult(store, action, failure?.text ?? null);
        store.removeAction(action.id);
      });
      this.#notBefore.delete(action.id);
      if (failure !== null) report(new Error(`alarm ${action.alarmName}: ${failure.text}`));
    } catch (error) {
      // The store is at fault: the action waits in it.
      this.#notBefore.set(action.id, clock.monotonicMs() + LIMITS.monitoringRetryMs);
      report(error);
    } finally {
      this.#inFlight.delete(action.id);
      this.wake();
    }
  }

  /** Null where the notification was taken. */
  async #attempt(
    { id, action, body }: PendingAction,
    rules: ActionRules,
  ): Promise<{ readonly text: string; readonly isPassing: boolean } | null> {
    const target = actionTarget(action, rules);
    if (target.kind !== 'url') return { text: whyNotDelivered(target), isPassing: false };
    try {
      const status = await this.#parts.transport.post(target.url, {
        headers: {
          'content-type': 'text/plain; charset=UTF-8',
          'x-amz-sns-message-type': 'Notification',
          'x-amz-sns-message-id': id,
          ...(action.startsWith('arn:') && { 'x-amz-sns-topic-arn': action }),
        },
        body,
        signal: AbortSignal.any([this.#ended.signal, AbortSignal.timeout(LIMITS.monitoringPostTimeoutMs)]),
      });
      if (status < 200 || status > 299) throw new RefusedNotification(target.url, status);
      return null;
    } catch (error) {
      const status = error instanceof RefusedNotification ? error.status : 0;
      const text = error instanceof Error ? error.message : String(error);
      return { text, isPassing: status < 300 || status >= 500 || status === 408 || status === 429 };
    }
  }
}
