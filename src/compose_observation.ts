import { join } from 'node:path';
import type { Database } from './adapters/database.js';
import { DeliveryPlaceFile } from './adapters/delivery_place_file.js';
import { KeyEventFile } from './adapters/key_event_file.js';
import { SqliteRegionCounts } from './adapters/region_counts_sqlite.js';
import { HttpWebhookTransport } from './adapters/webhook_http.js';
import { TrailFileSearch } from './adapters/trail_index_file.js';
import { KeyEventDelivery } from './audit/key_event_delivery.js';
import { KeyEvents, type KeyEventSource } from './audit/key_event.js';
import type { Clock } from './clock.js';
import type { KeyHome } from './kms/key_id.js';
import type { ServiceEvents } from './kms/ports.js';
import { LIMITS } from './limits.js';
import { RegionMetrics, type TokenWork } from './metrics/region_metrics.js';
import { policyPermissions } from './monitoring/permissions.js';
import type { AwsService } from './surfaces/aws/service.js';
import { cloudTrailService } from './surfaces/cloudtrail/service.js';

/**
 * Builds CloudTrail over the files of a region's trail.
 *
 * @param parts.trailFile - path of the newest of them
 * @param parts.report - told of what failed and is not told to a caller
 */
export function composeCloudTrail(parts: {
  readonly home: KeyHome;
  readonly clock: Clock;
  readonly trailFile: string;
  readonly report: (failure: unknown) => void;
}): AwsService {
  const permissions = policyPermissions(parts.home, parts.clock);
  return cloudTrailService({
    trail: new TrailFileSearch(parts.trailFile),
    // Events are no resources: whoever may look them up may look all of them up.
    allows: (caller, action) => permissions.allows(caller, action, '*'),
    report: parts.report,
  });
}

/** A region's key events, and who gets them. */
export interface ComposedKeyEvents {
  /** Tells the trail, and keeps what is for subscribers. */
  readonly events: ServiceEvents;
  readonly source: KeyEventSource;
  close(): Promise<void>;
}

/**
 * Keeps key events in `events.jsonl`, and posts them to webhooks.
 *
 * @param parts.webhooks - URLs; a new one gets what happens from now on
 * @param parts.report - told of events that nobody took
 */
export async function composeKeyEvents(parts: {
  readonly home: KeyHome;
  readonly directory: string;
  readonly trail: ServiceEvents;
  readonly webhooks: readonly string[];
  readonly report: (failure: unknown) => void;
}): Promise<ComposedKeyEvents> {
  const { home, directory, trail, webhooks, report } = parts;
  const file = await KeyEventFile.open(join(directory, 'events.jsonl'));
  const delivery = new KeyEventDelivery({
    urls: webhooks,
    lines: file,
    places: new DeliveryPlaceFile(join(directory, 'events-delivered.json')),
    transport: new HttpWebhookTransport(),
    report,
  });
  await delivery.start();
  return {
    events: new KeyEvents(home, { trail, sink: file }),
    source: file,
    close: async () => {
      await delivery.stop();
      await file.close();
    },
  };
}

/**
 * Builds a region's metrics over its database; sessions of replication and requests are reported to them.
 *
 * @param parts.database - with the tables of keys and of replication
 * @param parts.jobs - what the token's jobs have cost
 */
export function composeMetrics(parts: {
  readonly home: KeyHome;
  readonly clock: Clock & { readonly offsetMs: number };
  readonly database: Database;
  readonly jobs?: () => TokenWork;
}): RegionMetrics {
  const { home, clock, database, jobs } = parts;
  return new RegionMetrics({
    region: home.region,
    clock,
    clockOffsetMs: () => clock.offsetMs,
    jobs,
    counts: new SqliteRegionCounts(database),
    countsAgeMs: LIMITS.metricsCountsAgeMs,
    expiriesMax: LIMITS.metricsExpiriesMax,
  });
}
