import type { HistoryType } from '../alarm.js';
import { numberedPlaceOf, pageToken } from '../page_token.js';
import { authorize, type MonitoringOperation } from '../region.js';

/** @source Amazon CloudWatch API Reference, DescribeAlarmHistory */
const RECORDS_DEFAULT = 100;

export interface DescribeAlarmHistoryRequest {
  readonly AlarmName?: string;
  /** Of an alarm on a query; there are none. */
  readonly AlarmContributorId?: string;
  readonly AlarmTypes?: readonly ('CompositeAlarm' | 'LogAlarm' | 'MetricAlarm')[];
  readonly HistoryItemType?: HistoryType;
  readonly StartDate?: Date;
  readonly EndDate?: Date;
  readonly MaxRecords?: number;
  readonly NextToken?: string;
  readonly ScanBy?: 'TimestampDescending' | 'TimestampAscending';
}

/** One entry of the history as the API shows it. */
export interface AlarmHistoryItem {
  readonly AlarmName: string;
  readonly AlarmType: 'MetricAlarm';
  readonly Timestamp: Date;
  readonly HistoryItemType: HistoryType;
  readonly HistorySummary: string;
  readonly HistoryData: string;
}

/**
 * Shows the history of one alarm or of all, also of alarms that were deleted.
 *
 * @throws {@link MonitoringError} `InvalidNextToken`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, DescribeAlarmHistory
 */
export const describeAlarmHistory: MonitoringOperation<
  DescribeAlarmHistoryRequest,
  { readonly AlarmHistoryItems: readonly AlarmHistoryItem[]; readonly NextToken?: string }
> = async (call, request) => {
  const after = request.NextToken === undefined ? null : numberedPlaceOf(request.NextToken);
  authorize(call, 'DescribeAlarmHistory', request.AlarmName);
  if (
    request.AlarmTypes !== undefined &&
    request.AlarmTypes.length > 0 &&
    !request.AlarmTypes.includes('MetricAlarm')
  ) {
    return { AlarmHistoryItems: [] };
  }
  const max = request.MaxRecords ?? RECORDS_DEFAULT;
  const found = call.region.alarms.history({
    alarmName: request.AlarmName ?? null,
    type: request.HistoryItemType ?? null,
    fromMs: request.StartDate?.getTime() ?? 0,
    toMs: request.EndDate?.getTime() ?? Number.MAX_SAFE_INTEGER,
    order: request.ScanBy === 'TimestampAscending' ? 'oldest-first' : 'newest-first',
    after,
    limit: max + 1,
  });
  const page = found.slice(0, max);
  const last = page.at(-1);
  return {
    AlarmHistoryItems: page.map(({ alarmName, atMs, type, summary, data }) => ({
      AlarmName: alarmName,
      AlarmType: 'MetricAlarm',
      Timestamp: new Date(atMs),
      HistoryItemType: type,
      HistorySummary: summary,
      HistoryData: data,
    })),
    ...(found.length > max && last !== undefined && { NextToken: pageToken(String(last.number)) }),
  };
};
