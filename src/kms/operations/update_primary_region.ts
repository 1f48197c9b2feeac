import { LIMITS } from '../../limits.js';
import { authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { keyNotFound } from '../key_id.js';
import { findKey } from '../key_lookup.js';
import { arnInRegion, type KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import type { Call, Operation } from '../region.js';

export interface UpdatePrimaryRegionRequest {
  readonly KeyId: string;
  /** Region of a replica that exists. */
  readonly PrimaryRegion: string;
}

/**
 * Makes a replica the primary of its set, and the primary its replica. Both keys are `Updating` meanwhile, and work.
 *
 * The new primary is asked first. Its answer is waited for a little; what takes longer goes on by itself, and either comes about or
 * leaves everything as it was.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for what is no primary; `NotFoundException` where no replica is;
 * `KMSInvalidStateException` for a replica that is not enabled, or while a replica is being made; state
 * @source AWS KMS API Reference, UpdatePrimaryRegion
 */
export const updatePrimaryRegion: Operation<UpdatePrimaryRegionRequest, Record<never, never>> = async (
  call,
  request,
) => {
  const { region } = call;
  const { PrimaryRegion: destination } = request;
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'UpdatePrimaryRegion', record, { conditions: { 'kms:PrimaryRegion': destination } });
  requireState('use', record.state, record.arn);
  const changing = region.primaryChanges.underWay(record.keyId);
  if (changing === undefined) begin(call, record, destination);
  else if (changing.destination !== destination) {
    throw new KmsError('KMSInvalidStateException', `${record.arn} is updating.`);
  }
  region.replicator.wake();
  const code = await region.primaryChanges.ended(record.keyId, LIMITS.kmsPrimaryChangeAnswerMs);
  if (code === null || code === undefined) return {};
  const replicaArn = arnInRegion(record.arn, destination);
  throw new KmsError(
    'KMSInvalidStateException',
    code === 'NOT_ENABLED'
      ? `${replicaArn} is not enabled.`
      : `${replicaArn} has not become the primary key: ${code}. ${record.arn} still is.`,
  );
};

function begin(call: Call, record: KeyRecord, destination: string): void {
  const { region } = call;
  const { multiRegion } = record;
  if (multiRegion?.type !== 'PRIMARY') {
    throw new KmsError('UnsupportedOperationException', `${record.arn} is not a multi-region primary key.`);
  }
  const replica = region.store.replica(record.keyId, destination);
  if (destination === region.home.region || replica === undefined || replica.standing === 'FAILED') {
    throw keyNotFound(arnInRegion(record.arn, destination));
  }
  // What its caller chose for a replica is known here alone until the replica has it.
  const made = multiRegion.replicaRegions.find(
    (name) => region.store.replica(record.keyId, name)?.standing === 'REPLICATING',
  );
  if (made !== undefined) {
    throw new KmsError('KMSInvalidStateException', `${arnInRegion(record.arn, made)} is creating.`);
  }
  const refusal = region.replicator.refusal(destination) ?? region.replicator.refusalOfHandover?.(record.keyId);
  if (refusal !== undefined) throw new KmsError('UnsupportedOperationException', `${record.arn}: ${refusal}.`);
  region.store.transaction(() => {
    region.primaryChanges.begin(record, destination);
    region.replicator.begin({ keyId: record.keyId, destination });
  });
}
