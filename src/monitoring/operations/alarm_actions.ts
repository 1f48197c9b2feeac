import { authorize, type MonitoringOperation } from '../region.js';

type AlarmActionsOperation = MonitoringOperation<{ readonly AlarmNames: readonly string[] }, object>;

function switching(operation: string, actionsEnabled: boolean): AlarmActionsOperation {
  return async (call, { AlarmNames }) => {
    const { alarms, clock } = call.region;
    for (const name of AlarmNames) authorize(call, operation, name);
    alarms.transaction(() => {
      for (const name of new Set(AlarmNames)) {
        const alarm = alarms.alarm(name);
        if (alarm === undefined || alarm.configuration.actionsEnabled === actionsEnabled) continue;
        const configuredMs = clock.nowMs();
        alarms.put({ ...alarm, configuration: { ...alarm.configuration, actionsEnabled }, configuredMs });
        alarms.putHistory({
          alarmName: name,
          atMs: configuredMs,
          type: 'ConfigurationUpdate',
          summary: `Alarm "${name}" updated`.slice(0, 255),
          data: JSON.stringify({ version: '1.0', type: 'Update', actionsEnabled }),
        });
      }
    });
    return {};
  };
}

/**
 * Lets alarms act; names without alarm are passed over.
 *
 * @throws {@link MonitoringError} `AccessDenied`
 * @source Amazon CloudWatch API Reference, EnableAlarmActions
 */
export const enableAlarmActions: AlarmActionsOperation = switching('EnableAlarmActions', true);

/**
 * Keeps alarms from acting, though their states change; names without alarm are passed over.
 *
 * @throws {@link MonitoringError} `AccessDenied`
 * @source Amazon CloudWatch API Reference, DisableAlarmActions
 */
export const disableAlarmActions: AlarmActionsOperation = switching('DisableAlarmActions', false);
