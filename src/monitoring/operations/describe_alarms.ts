import type { Alarm, AlarmState } from '../alarm.js';
import { alarmView, type MetricAlarm } from '../alarm_view.js';
import { invalidCombination } from '../errors.js';
import { pageToken, placeOf } from '../page_token.js';
import { authorize, type MonitoringCall, type MonitoringOperation } from '../region.js';

/** @source Amazon CloudWatch API Reference, DescribeAlarms */
const RECORDS_DEFAULT = 50;
const PAGE = 100;

export interface DescribeAlarmsRequest {
  readonly AlarmNames?: readonly string[];
  readonly AlarmNamePrefix?: string;
  readonly AlarmTypes?: readonly ('CompositeAlarm' | 'LogAlarm' | 'MetricAlarm')[];
  readonly ChildrenOfAlarmName?: string;
  readonly ParentsOfAlarmName?: string;
  readonly StateValue?: AlarmState;
  readonly ActionPrefix?: string;
  readonly MaxRecords?: number;
  readonly NextToken?: string;
}

export interface DescribeAlarmsResponse {
  readonly CompositeAlarms: readonly never[];
  readonly MetricAlarms: readonly MetricAlarm[];
  readonly NextToken?: string;
}

/**
 * Shows alarms, by name. There are no composite alarms.
 *
 * @throws {@link MonitoringError} `InvalidNextToken`, `InvalidParameterCombination`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, DescribeAlarms
 */
export const describeAlarms: MonitoringOperation<DescribeAlarmsRequest, DescribeAlarmsResponse> = async (
  call,
  request,
) => {
  if (request.AlarmNames !== undefined && request.AlarmNamePrefix !== undefined) {
    throw invalidCombination('AlarmNames and AlarmNamePrefix cannot be used together.');
  }
  const after = request.NextToken === undefined ? '' : placeOf(request.NextToken);
  authorize(call, 'DescribeAlarms');
  const { home } = call.region;
  const max = request.MaxRecords ?? RECORDS_DEFAULT;
  const shown: Alarm[] = [];
  if (showsMetricAlarms(request)) {
    for (const alarm of candidates(call, request, after)) {
      if (matches(alarm, request)) shown.push(alarm);
      if (shown.length > max) break;
    }
  }
  const page = shown.slice(0, max);
  const last = page.at(-1);
  return {
    CompositeAlarms: [],
    MetricAlarms: page.map((alarm) => alarmView(home, alarm)),
    ...(shown.length > max && last !== undefined && { NextToken: pageToken(last.name) }),
  };
};

/** Children and parents are composite alarms' business. */
function showsMetricAlarms({ AlarmTypes, ChildrenOfAlarmName, ParentsOfAlarmName }: DescribeAlarmsRequest): boolean {
  const isAsked = AlarmTypes === undefined || AlarmTypes.length === 0 || AlarmTypes.includes('MetricAlarm');
  return isAsked && ChildrenOfAlarmName === undefined && ParentsOfAlarmName === undefined;
}

function* candidates({ region }: MonitoringCall, request: DescribeAlarmsRequest, after: string): Iterable<Alarm> {
  if (request.AlarmNames !== undefined) {
    for (const name of [...new Set(request.AlarmNames)].toSorted()) {
      const alarm = name > after ? region.alarms.alarm(name) : undefined;
      if (alarm !== undefined) yield alarm;
    }
    return;
  }
  for (let place = after; ;) {
    const page = region.alarms.alarms(place, PAGE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    place = last.name;
  }
}

function matches({ name, configuration, standing }: Alarm, request: DescribeAlarmsRequest): boolean {
  const { AlarmNamePrefix, StateValue, ActionPrefix } = request;
  if (AlarmNamePrefix !== undefined && !name.startsWith(AlarmNamePrefix)) return false;
  if (StateValue !== undefined && standing.state !== StateValue) return false;
  if (ActionPrefix === undefined) return true;
  return Object.values(configuration.actions).some((actions) =>
    actions.some((action) => action.startsWith(ActionPrefix)),
  );
}
