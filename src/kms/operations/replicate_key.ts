import { authorizeKey, type RequestConditions } from '../authorization.js';
import { KmsError, validationError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import {
  arnInRegion,
  describeRecord,
  type KeyMetadata,
  type KeyRecord,
  type MultiRegionRecord,
} from '../key_record.js';
import { requireState } from '../key_state.js';
import type { Operation } from '../region.js';
import { requireValidTags, type Tag } from '../tag.js';
import { authorizeNewKey, newKeyPolicy } from './create_key.js';

export interface ReplicateKeyRequest {
  readonly KeyId: string;
  readonly ReplicaRegion: string;
  readonly Policy?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly Description?: string;
  readonly Tags?: readonly Tag[];
}

export interface ReplicateKeyResponse {
  readonly ReplicaKeyMetadata: KeyMetadata;
  readonly ReplicaPolicy: string;
  readonly ReplicaTags: readonly Tag[];
}

/**
 * Begins the replication of a multi-Region primary and answers at once; the replica is `Creating` until the destination has
 * installed the material. A replication that failed for good may be begun again by the same call.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for what is no primary and for a destination whose token cannot take
 * part (the text names the missing mechanisms); `AlreadyExistsException`; `ValidationException` for an unknown region
 * @source AWS KMS API Reference, ReplicateKey
 */
export const replicateKey: Operation<ReplicateKeyRequest, ReplicateKeyResponse> = async (call, request) => {
  const { region } = call;
  const destination = request.ReplicaRegion;
  const record = findKey(call, request.KeyId, 'key');
  const conditions = { 'kms:ReplicaRegion': destination };
  authorizeKey(call, 'ReplicateKey', record, { conditions });
  requireState('replicate', record.state, record.arn);
  const { multiRegion } = record;
  if (multiRegion === null || multiRegion.type !== 'PRIMARY') {
    throw new KmsError('UnsupportedOperationException', `${record.arn} is not a multi-region primary key.`);
  }
  if (!region.replicator.regions().includes(destination)) {
    throw validationError(`Replica Region ${destination} is not a Region of partition ${region.home.partition}.`);
  }
  const arn = arnInRegion(record.arn, destination);
  if (destination === multiRegion.primaryRegion) throw alreadyExists(arn);
  const tags = request.Tags ?? [];
  requireValidTags(tags);
  // The replica is a new key of the other region: whoever may not make keys there may not replicate either.
  const ofReplica: RequestConditions = {
    ...conditions,
    'aws:RequestedRegion': destination,
    'kms:KeySpec': record.keySpec,
    'kms:KeyUsage': record.keyUsage,
    'kms:KeyOrigin': record.origin,
    'kms:MultiRegion': true,
    'kms:MultiRegionKeyType': 'REPLICA',
  };
  authorizeNewKey(call, { ...request, conditions: ofReplica });
  const policy = newKeyPolicy(call, request, { arn, conditions: ofReplica });
  const refusal = region.replicator.refusal(destination);
  if (refusal !== undefined) throw new KmsError('UnsupportedOperationException', refusal);

  region.store.transaction(() => {
    const earlier = region.store.replica(record.keyId, destination);
    if (earlier !== undefined && earlier.standing !== 'FAILED') throw alreadyExists(arn);
    region.store.putReplica(record.keyId, {
      region: destination,
      standing: 'REPLICATING',
      failure: null,
      description: request.Description ?? '',
      policy,
      tags,
    });
    region.replicator.begin({ keyId: record.keyId, destination });
  });
  region.replicator.wake();
  return {
    ReplicaKeyMetadata: describeRecord(
      replicaOf(record, multiRegion, {
        arn,
        destination,
        description: request.Description ?? '',
        createdMs: region.clock.nowMs(),
      }),
    ),
    ReplicaPolicy: policy,
    ReplicaTags: tags,
  };
};

/** The replica as its own region will first show it. */
function replicaOf(
  primary: KeyRecord,
  multiRegion: MultiRegionRecord,
  own: {
    readonly arn: string;
    readonly destination: string;
    readonly description: string;
    readonly createdMs: number;
  },
): KeyRecord {
  const others = multiRegion.replicaRegions.filter((region) => region !== own.destination);
  return {
    ...primary,
    arn: own.arn,
    description: own.description,
    createdMs: own.createdMs,
    state: 'Creating',
    multiRegion: { ...multiRegion, type: 'REPLICA', replicaRegions: [...others, own.destination] },
    deletion: null,
    currentMaterial: null,
    imported: null,
  };
}

function alreadyExists(arn: string): KmsError {
  return new KmsError('AlreadyExistsException', `Key ${arn} already exists`);
}
