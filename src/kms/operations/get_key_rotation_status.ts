import { authorizeKey } from '../authorization.js';
import { originNotValid } from '../errors.js';
import { findKey } from '../key_lookup.js';
import type { KeyState } from '../key_state.js';
import { rotationInProgress } from '../material_version.js';
import type { Operation } from '../region.js';
import { requireRotatableSpec } from '../rotation.js';

export interface GetKeyRotationStatusRequest {
  readonly KeyId: string;
}

export interface GetKeyRotationStatusResponse {
  readonly KeyId: string;
  readonly KeyRotationEnabled: boolean;
  /** With automatic rotation only. */
  readonly RotationPeriodInDays?: number;
  /** With automatic rotation only; in the past while a key that is due cannot be rotated. */
  readonly NextRotationDate?: Date;
  /** While a rotation that was asked for is in progress. */
  readonly OnDemandRotationStartDate?: Date;
}

const ENDING: readonly KeyState[] = ['PendingDeletion', 'PendingReplicaDeletion'];

/**
 * Tells whether a key is rotated by itself, and what is to come. Of a replica: what its primary last told it. A key that is to be
 * deleted is not rotated, and its setting waits to be used again.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for what is no symmetric encryption key of origin `AWS_KMS`
 * @source AWS KMS API Reference, GetKeyRotationStatus
 */
export const getKeyRotationStatus: Operation<GetKeyRotationStatusRequest, GetKeyRotationStatusResponse> = async (
  call,
  request,
) => {
  const { rotations, materials } = call.region;
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'GetKeyRotationStatus', record);
  requireRotatableSpec(record);
  if (record.origin !== 'AWS_KMS') throw originNotValid(record);
  const setting = ENDING.includes(record.state) ? undefined : rotations.setting(record.keyId);
  const inProgress = rotationInProgress(materials.versions(record.keyId));
  return {
    KeyId: record.arn,
    KeyRotationEnabled: setting !== undefined,
    ...(setting !== undefined && {
      RotationPeriodInDays: setting.periodDays,
      NextRotationDate: new Date(setting.nextMs),
    }),
    ...(inProgress?.rotationType === 'ON_DEMAND' && { OnDemandRotationStartDate: new Date(inProgress.createdMs) }),
  };
};
