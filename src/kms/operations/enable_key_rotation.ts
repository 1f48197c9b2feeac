import { LIMITS } from '../../limits.js';
import { authorizeKey } from '../authorization.js';
import { originNotValid, validationError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import { synchronizeReplicas } from '../multi_region_sync.js';
import type { Operation } from '../region.js';
import { requirePrimary, requireRotatableSpec } from '../rotation.js';
import { scheduleFrom } from '../rotation_schedule.js';

export interface EnableKeyRotationRequest {
  readonly KeyId: string;
  /** 90–2560; 365 where it is absent. */
  readonly RotationPeriodInDays?: number;
}

/**
 * Lets a key be rotated by itself, every so many days from now on; also where it was already, with another period.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for what is no symmetric encryption key of origin `AWS_KMS`, and for
 * replicas; `ValidationException` for the period
 * @source AWS KMS API Reference, EnableKeyRotation
 */
export const enableKeyRotation: Operation<EnableKeyRotationRequest, object> = async (call, request) => {
  const { region } = call;
  const periodDays = request.RotationPeriodInDays ?? LIMITS.kmsRotationPeriodDays;
  const { kmsRotationPeriodDaysMin: min, kmsRotationPeriodDaysMax: max } = LIMITS;
  if (periodDays < min || periodDays > max) {
    throw validationError(`RotationPeriodInDays must be between ${min} and ${max}.`);
  }
  region.store.transaction(() => {
    const record = findKey(call, request.KeyId, 'key');
    authorizeKey(call, 'EnableKeyRotation', record, { conditions: { 'kms:RotationPeriodInDays': periodDays } });
    requireSchedulable(record);
    region.rotations.putSetting(record.keyId, scheduleFrom(region.clock.nowMs(), periodDays));
    synchronizeReplicas(region, record);
  });
  region.deadlines.changed();
  region.replicator.wake();
  return {};
};

/** Checks that automatic rotation of a key can be turned on or off. */
export function requireSchedulable(record: KeyRecord): void {
  requireRotatableSpec(record);
  if (record.origin !== 'AWS_KMS') throw originNotValid(record);
  requireState('rotate', record.state, record.arn);
  requirePrimary(record);
}
