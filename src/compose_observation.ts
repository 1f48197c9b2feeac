import { TrailFileSearch } from './adapters/trail_index_file.js';
import type { Clock } from './clock.js';
import type { KeyHome } from './kms/key_id.js';
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
