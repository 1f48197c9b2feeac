import { MonitoringError } from '../errors.js';
import { authorize, type MonitoringOperation } from '../region.js';

/**
 * Deletes alarms, all or none; their history stays for its time.
 *
 * @throws {@link MonitoringError} `ResourceNotFound`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, DeleteAlarms
 */
export const deleteAlarms: MonitoringOperation<{ readonly AlarmNames: readonly string[] }, object> = async (
  call,
  { AlarmNames },
) => {
  const { alarms, clock } = call.region;
  const names = [...new Set(AlarmNames)];
  for (const name of names) authorize(call, 'DeleteAlarms', name);
  alarms.transaction(() => {
    const missing = names.filter((name) => alarms.alarm(name) === undefined);
    if (missing.length > 0) {
      throw new MonitoringError('ResourceNotFound', `Alarms do not exist: ${missing.join(', ').slice(0, 200)}`);
    }
    for (const name of names) {
      alarms.delete(name);
      alarms.putHistory({
        alarmName: name,
        atMs: clock.nowMs(),
        type: 'ConfigurationUpdate',
        summary: `Alarm "${name}" deleted`.slice(0, 255),
        data: JSON.stringify({ version: '1.0', type: 'Delete' }),
      });
    }
  });
  return {};
};
