import { SqliteAlarmStore } from './adapters/alarm_store_sqlite.js';
import type { Database } from './adapters/database.js';
import { SqliteExpiryStore } from './adapters/expiry_store_sqlite.js';
import { SqliteMetricStore } from './adapters/metric_store_sqlite.js';
import { HttpWebhookTransport } from './adapters/webhook_http.js';
import type { Clock } from './clock.js';
import type { KeyHome } from './kms/key_id.js';
import type { MaterialStore } from './kms/material_store.js';
import { LOOPBACK_ONLY, type ActionRules } from './monitoring/action_target.js';
import { Monitoring } from './monitoring/monitoring.js';
import { policyPermissions } from './monitoring/permissions.js';
import type { AwsService } from './surfaces/aws/service.js';
import { cloudWatchService } from './surfaces/cloudwatch/service.js';

/** A region's metrics and alarms, and the service that shows them. */
export interface ComposedMonitoring {
  readonly monitoring: Monitoring;
  readonly service: AwsService;
}

/**
 * Builds a region's monitoring over its database; it has to be started.
 *
 * @param parts.actionRules - where alarms may send notifications; the loopback addresses where it is absent
 * @param parts.report - told of what failed and is not told to a caller
 */
export function composeMonitoring(parts: {
  readonly home: KeyHome;
  readonly clock: Clock;
  /** With the tables of the key store. */
  readonly database: Database;
  readonly materials: Pick<MaterialStore, 'expiringKeys'>;
  readonly actionRules?: ActionRules | undefined;
  readonly report: (failure: unknown) => void;
}): ComposedMonitoring {
  const { home, clock, database, materials, report } = parts;
  const monitoring = new Monitoring({
    home,
    clock,
    materials,
    alarms: new SqliteAlarmStore(database),
    metrics: new SqliteMetricStore(database),
    expiry: new SqliteExpiryStore(database),
    transport: new HttpWebhookTransport(),
    actionRules: parts.actionRules ?? LOOPBACK_ONLY,
    permissions: policyPermissions(home, clock),
    report,
  });
  const service = cloudWatchService(monitoring.region, (failure, requestId) =>
    report(new Error(`CloudWatch request ${requestId} failed`, { cause: failure })),
  );
  return { monitoring, service };
}
