import { setTimeout as sleep } from 'node:timers/promises';
import { askAdmin } from './admin_client.js';
import { LabError } from './errors.js';
import type { KmsClient } from './kms_client.js';
import type { StateDirectory } from './state_directory.js';

/** A key of a running lab that was replicated from one region to another. */
export interface ReplicatedKey {
  readonly client: KmsClient;
  readonly keyId: string;
  readonly source: string;
  readonly destination: string;
}

const POLL_MS = 50;

interface DescribedKey {
  readonly KeyState: string;
  readonly MultiRegionConfiguration?: { readonly ReplicaKeys?: readonly { readonly Region: string }[] };
}

/**
 * Waits until the replica is enabled, and the primary key lists it.
 *
 * @param withinMs - how long that may take
 * @throws {@link LabError} `ERR_LAB_STEP` where it takes longer; the reason of `signal`
 */
export async function untilUsable(key: ReplicatedKey, withinMs: number, signal: AbortSignal): Promise<void> {
  const { source, destination } = key;
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const [primary, replica] = await Promise.all([
      describeIn(source, key),
      describeIn(destination, key).catch(() => undefined),
    ]);
    const listed = primary.MultiRegionConfiguration?.ReplicaKeys?.some(({ Region }) => Region === destination) === true;
    if (listed && replica?.KeyState === 'Enabled') return;
    if (performance.now() > deadlineMs) {
      throw new LabError(
        'ERR_LAB_STEP',
        `The replica in ${destination} is ${replica?.KeyState ?? 'not there'} after ${withinMs / 1000} seconds`,
      );
    }
    await sleep(POLL_MS);
    signal.throwIfAborted();
  }
}

async function describeIn(region: string, { client, keyId }: ReplicatedKey): Promise<DescribedKey> {
  const { KeyMetadata: metadata } = await client.call(region, 'DescribeKey', { KeyId: keyId });
  return metadata as DescribedKey;
}

/**
 * Looks whether the agreement keys, RWK and KCK of every exchange are gone from a region's token.
 *
 * @throws {@link LabError} `ERR_LAB_STEP` where one is left
 */
export async function assertNoEphemeralKeys(directory: StateDirectory, region: string): Promise<void> {
  const status = (await askAdmin(directory.adminSocket(region), { method: 'GET', path: '/status' })) as {
    readonly hsm: { readonly ephemeralKeys: number };
  };
  const left = status.hsm.ephemeralKeys;
  if (left !== 0) throw new LabError('ERR_LAB_STEP', `${left} ephemeral keys are left in the token of ${region}`);
}
