import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import type { TrackedOperation } from '../last_usage_store.js';
import type { Operation } from '../region.js';

export interface GetKeyLastUsageRequest {
  readonly KeyId: string;
}

/** `KeyLastUsageData` of the AWS KMS API; without members where nothing is known. */
export interface KeyLastUsageData {
  readonly Operation?: TrackedOperation;
  readonly Timestamp?: Date;
  readonly CloudTrailEventId?: string;
  readonly KmsRequestId?: string;
}

export interface GetKeyLastUsageResponse {
  /** Without ARN. */
  readonly KeyId: string;
  readonly KeyLastUsage: KeyLastUsageData;
  readonly TrackingStartDate: Date;
  readonly KeyCreationDate: Date;
}

/**
 * Tells the last cryptography that a key was used for, whatever its state.
 *
 * @throws {@link KmsError} `NotFoundException`, `AccessDeniedException`
 * @source AWS KMS API Reference, GetKeyLastUsage
 */
export const getKeyLastUsage: Operation<GetKeyLastUsageRequest, GetKeyLastUsageResponse> = async (call, request) => {
  const { lastUsages } = call.region;
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'GetKeyLastUsage', record);
  const usage = lastUsages.of(record.keyId);
  return {
    KeyId: record.keyId,
    KeyLastUsage:
      usage === undefined
        ? {}
        : {
            Operation: usage.operation,
            Timestamp: new Date(usage.atMs),
            CloudTrailEventId: usage.trailEventId,
            KmsRequestId: usage.requestId,
          },
    TrackingStartDate: new Date(Math.max(lastUsages.startMs, record.createdMs)),
    KeyCreationDate: new Date(record.createdMs),
  };
};
