import { randomUUID } from 'node:crypto';
import type { KeyHome } from '../kms/key_id.js';
import { LIMITS } from '../limits.js';
import { actionTarget, type ActionRules, type ActionTarget } from './action_target.js';
import type { Alarm, AlarmStanding, AlarmState } from './alarm.js';
import type { AlarmStore } from './alarm_store.js';
import { notificationOf } from './notification.js';

/** A state that an alarm is to have. */
export interface NewState {
  readonly state: AlarmState;
  readonly reason: string;
  /** JSON text. */
  readonly reasonData: string | null;
  readonly atMs: number;
}

/** What transitions are made with. */
export interface TransitionParts {
  readonly home: KeyHome;
  readonly store: AlarmStore;
  readonly rules: ActionRules;
}

/**
 * Gives an alarm a state. Where it is another one than before, the history tells of it and the actions of the new state are laid by,
 * all in one transaction: none of them is lost, whenever the process ends.
 *
 * @returns the alarm as it is now
 */
export function transition({ home, store, rules }: TransitionParts, alarm: Alarm, next: NewState): Alarm {
  const old = alarm.standing;
  const isChange = old.state !== next.state;
  const standing: AlarmStanding = {
    state: next.state,
    reason: next.reason,
    reasonData: next.reasonData,
    updatedMs: next.atMs,
    transitionedMs: isChange ? next.atMs : old.transitionedMs,
  };
  const changed: Alarm = { ...alarm, standing };
  store.transaction(() => {
    store.setStanding(alarm.name, standing);
    if (!isChange) return;
    store.putHistory({
      alarmName: alarm.name,
      atMs: next.atMs,
      type: 'StateUpdate',
      summary: `Alarm updated from ${old.state} to ${next.state}`,
      data: JSON.stringify({
        version: '1.0',
        type: 'StateUpdate',
        oldState: shownState(old),
        newState: shownState(standing),
      }),
    });
    const { actionsEnabled, actions } = alarm.configuration;
    if (!actionsEnabled) return;
    for (const action of actions[next.state]) {
      const target = actionTarget(action, rules);
      const failure =
        target.kind !== 'url'
          ? whyNotDelivered(target)
          : store.countActions() >= LIMITS.monitoringActionsMax
            ? 'not delivered: too many actions are waiting'
            : null;
      if (failure !== null) {
        putActionResult(store, { alarmName: alarm.name, action, atMs: next.atMs }, failure);
      } else {
        const id = randomUUID();
        const body = notificationOf(home, { alarm: changed, old }, { id, action });
        store.putAction({ id, alarmName: alarm.name, action, atMs: next.atMs, body, attempts: 0 });
      }
    }
  });
  return changed;
}

/** Tells the history what came of an action. @param failure - null where it was delivered */
export function putActionResult(
  store: AlarmStore,
  { alarmName, action, atMs }: { readonly alarmName: string; readonly action: string; readonly atMs: number },
  failure: string | null,
): void {
  const succeeded = failure === null;
  store.putHistory({
    alarmName,
    atMs,
    type: 'Action',
    summary: `${succeeded ? 'Successfully executed' : 'Failed to execute'} action ${action}`.slice(
      0,
      SUMMARY_LENGTH_MAX,
    ),
    data: JSON.stringify({
      actionState: succeeded ? 'Succeeded' : 'Failed',
      notificationResource: action,
      ...(failure !== null && { error: failure }),
    }),
  });
}

/** @source Amazon CloudWatch API Reference, AlarmHistoryItem */
const SUMMARY_LENGTH_MAX = 255;

/** Why an action that leads nowhere was not executed. */
export function whyNotDelivered(target: Exclude<ActionTarget, { readonly kind: 'url' }>): string {
  return target.kind === 'none' ? `not delivered: ${target.why}` : 'not delivered: neither an ARN nor a URL';
}

function shownState({ state, reason, reasonData }: AlarmStanding): object {
  return {
    stateValue: state,
    stateReason: reason,
    ...(reasonData !== null && { stateReasonData: JSON.parse(reasonData) as unknown }),
  };
}
