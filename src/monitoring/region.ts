import type { Clock } from '../clock.js';
import type { KeyHome } from '../kms/key_id.js';
import type { Caller } from '../kms/region.js';
import type { ActionRules } from './action_target.js';
import { alarmArn } from './alarm.js';
import type { AlarmStore } from './alarm_store.js';
import { MonitoringError } from './errors.js';
import type { MetricStore } from './metric_store.js';
import type { Metrics } from './metrics.js';

/** Decides what principals may do; they may do nothing that it does not allow. */
export interface MonitoringPermissions {
  /** @param action - for example `cloudwatch:PutMetricAlarm` @param resource - an ARN, or `*` */
  allows(caller: Caller, action: string, resource: string): boolean;
}

/** One region's monitoring: everything that its operations work on. */
export interface MonitoringRegion {
  readonly home: KeyHome;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly metricStore: MetricStore;
  readonly alarms: AlarmStore;
  readonly actionRules: ActionRules;
  readonly permissions: MonitoringPermissions;
  readonly watch: {
    /** Evaluates an alarm at once; joins a transaction that is open. */
    evaluate(name: string): void;
    /** Actions of an alarm may wait to be delivered; called when what made them is durable. */
    deliver(): void;
  };
}

/** One call of an operation. */
export interface MonitoringCall {
  readonly region: MonitoringRegion;
  readonly caller: Caller;
}

/** An operation of the CloudWatch API, after its request was decoded and before its answer is encoded. */
export type MonitoringOperation<Request, Response> = (call: MonitoringCall, request: Request) => Promise<Response>;

/**
 * Checks that the caller may do something.
 *
 * @param operation - name of the operation, which is that of the permission behind `cloudwatch:`
 * @param alarmName - the alarm that it is about; absent where the operation knows no resources
 * @throws {@link MonitoringError} `AccessDenied`
 * @source Service Authorization Reference, actions of Amazon CloudWatch
 */
export function authorize({ region, caller }: MonitoringCall, operation: string, alarmName?: string): void {
  const resource = alarmName === undefined ? '*' : alarmArn(region.home, alarmName);
  const action = `cloudwatch:${operation}`;
  if (region.permissions.allows(caller, action, resource)) return;
  throw new MonitoringError(
    'AccessDenied',
    `User: ${caller.principal} is not authorized to perform: ${action}` +
      `${resource === '*' ? '' : ` on resource: ${resource}`} because no identity-based policy allows the ${action} action`,
  );
}
