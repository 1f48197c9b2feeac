import type { AlarmState } from '../alarm.js';
import { transition } from '../alarm_transition.js';
import { MonitoringError } from '../errors.js';
import { authorize, type MonitoringOperation } from '../region.js';

export interface SetAlarmStateRequest {
  readonly AlarmName: string;
  readonly StateValue: AlarmState;
  readonly StateReason: string;
  readonly StateReasonData?: string;
}

/**
 * Gives an alarm a state for the time until it is evaluated again, with the actions of that state.
 *
 * @throws {@link MonitoringError} `ResourceNotFound`, `InvalidFormat`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, SetAlarmState
 */
export const setAlarmState: MonitoringOperation<SetAlarmStateRequest, object> = async (call, request) => {
  const { region } = call;
  const { StateReasonData } = request;
  if (StateReasonData !== undefined) requireJson(StateReasonData);
  authorize(call, 'SetAlarmState', request.AlarmName);
  const alarm = region.alarms.alarm(request.AlarmName);
  if (alarm === undefined) throw new MonitoringError('ResourceNotFound', 'The named resource does not exist.');
  transition({ home: region.home, store: region.alarms, rules: region.actionRules }, alarm, {
    state: request.StateValue,
    reason: request.StateReason,
    reasonData: StateReasonData ?? null,
    atMs: region.clock.nowMs(),
  });
  region.watch.deliver();
  return {};
};

function requireJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new MonitoringError('InvalidFormat', 'StateReasonData is not valid JSON.');
  }
}
