import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '../limits.js';
import { REPLICATION_LIMITS } from '../replication/limits.js';
import type { KeyId } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import type { KmsRegion } from './region.js';
import { beginRotation, makeRotationMaterial, settleRotation, type RotatingRegion } from './rotation.js';
import type { RotationSetting } from './rotation_store.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What automatic rotation works on. */
export type ScheduledRegion = RotatingRegion & Pick<KmsRegion, 'rotations'>;

/** A schedule that begins now: the first rotation is a whole period away. */
export function scheduleFrom(nowMs: number, periodDays: number): RotationSetting {
  return { periodDays, nextMs: nowMs + periodDays * DAY_MS };
}

/** Whether an automatic rotation is so near that nobody may rotate by hand before it. */
export function isImminent(setting: RotationSetting | undefined, nowMs: number): boolean {
  return setting !== undefined && setting.nextMs - nowMs <= LIMITS.kmsRotationImminentMs;
}

/** Whether a key has as many versions as one transfer to another region holds; it is not rotated any more then. */
export function isFull({ multiRegion }: Pick<KeyRecord, 'multiRegion'>, versionCount: number): boolean {
  return multiRegion !== null && versionCount >= REPLICATION_LIMITS.materialsPerKeyMax;
}

/**
 * Does the rotations that are due, and ends those whose material has come to every replica.
 *
 * A rotation that was missed is made up for once, however many periods have passed, and the next one is a period after it. A key
 * whose rotation fails is left out until the next call, and does not keep others from theirs.
 *
 * @param fail - told of each failure
 */
export async function rotateDueKeys(region: ScheduledRegion, fail: (failure: unknown) => void): Promise<void> {
  const { rotations, replicator, clock } = region;
  const settled = await eachOnce(
    (limit) => rotations.deliveredRotations(limit).map(({ keyId }) => keyId),
    async (keyId) => settleRotation(region, keyId),
    fail,
  );
  const begun = await eachOnce(
    (limit) => rotations.dueKeys(clock.nowMs(), limit),
    (keyId) => rotateDue(region, keyId),
    fail,
  );
  if (settled + begun > 0) replicator.wake();
}

/** Works through batches until nothing new comes; a key that stays due after its turn is not tried again. */
async function eachOnce(
  find: (limit: number) => readonly KeyId[],
  work: (keyId: KeyId) => Promise<void>,
  fail: (failure: unknown) => void,
): Promise<number> {
  const seen = new Set<KeyId>();
  for (;;) {
    const keyIds = find(seen.size + LIMITS.kmsDueBatchMax).filter((keyId) => !seen.has(keyId));
    if (keyIds.length === 0) return seen.size;
    for (const keyId of keyIds) {
      seen.add(keyId);
      try {
        await work(keyId);
      } catch (error) {
        fail(error);
      }
      // Requests are answered in between.
      await nextTurn();
    }
  }
}

async function rotateDue(region: ScheduledRegion, keyId: KeyId): Promise<void> {
  const { store, rotations, clock } = region;
  const due = store.key(keyId);
  if (due === undefined) return;
  const material = await makeRotationMaterial(region, due);
  store.transaction(() => {
    // The token worked meanwhile: the key may have been disabled, rotated or deleted.
    const nowMs = clock.nowMs();
    const record = store.key(keyId);
    const setting = rotations.setting(keyId);
    if (record === undefined || setting === undefined || !rotations.isDue(keyId, nowMs)) return;
    rotations.putSetting(keyId, scheduleFrom(nowMs, setting.periodDays));
    beginRotation(region, record, { material, type: 'AUTOMATIC' });
  });
}
