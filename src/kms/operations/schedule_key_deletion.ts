import { authorizeKey } from '../authorization.js';
import { validationError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import type { KeyDeletion } from '../key_record.js';
import { requireState, type KeyState } from '../key_state.js';
import type { Operation } from '../region.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const WINDOW_DAYS = { min: 7, max: 30, absent: 30 } as const;

export interface ScheduleKeyDeletionRequest {
  readonly KeyId: string;
  /** 7–30; 30 where it is absent. */
  readonly PendingWindowInDays?: number;
}

export interface ScheduleKeyDeletionResponse {
  readonly KeyId: string;
  /** Absent while replicas of the key still exist. */
  readonly DeletionDate?: Date;
  readonly KeyState: KeyState;
  readonly PendingWindowInDays: number;
}

/**
 * Schedules a key to be deleted, with everything that belongs to it. The window of a primary begins when its last replica is gone.
 *
 * @throws {@link KmsError} `ValidationException` for a window that is no week and more than 30 days; state
 * @source AWS KMS API Reference, ScheduleKeyDeletion
 */
export const scheduleKeyDeletion: Operation<ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse> = async (
  call,
  request,
) => {
  const { store, clock, deadlines } = call.region;
  const windowDays = request.PendingWindowInDays ?? WINDOW_DAYS.absent;
  if (windowDays < WINDOW_DAYS.min || windowDays > WINDOW_DAYS.max) {
    throw validationError(`PendingWindowInDays must be between ${WINDOW_DAYS.min} and ${WINDOW_DAYS.max}.`);
  }
  const scheduled = store.transaction(() => {
    const record = findKey(call, request.KeyId, 'key');
    authorizeKey(call, 'ScheduleKeyDeletion', record, {
      conditions: { 'kms:ScheduleKeyDeletionPendingWindowInDays': windowDays },
    });
    requireState('schedule', record.state, record.arn);
    const { multiRegion } = record;
    const waits = multiRegion?.type === 'PRIMARY' && multiRegion.replicaRegions.length > 0;
    const state = waits ? 'PendingReplicaDeletion' : 'PendingDeletion';
    const deletion: KeyDeletion = { windowDays, dateMs: waits ? null : clock.nowMs() + windowDays * DAY_MS };
    store.setState(record.keyId, state, deletion);
    return { arn: record.arn, state, deletion } as const;
  });
  deadlines.changed();
  const { dateMs } = scheduled.deletion;
  return {
    KeyId: scheduled.arn,
    ...(dateMs !== null && { DeletionDate: new Date(dateMs) }),
    KeyState: scheduled.state,
    PendingWindowInDays: windowDays,
  };
};
