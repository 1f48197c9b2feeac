import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KeyState } from '../../src/kms/key_state.js';
import type { RequestedKeySpec, RequestedKeyUsage } from '../../src/kms/key_spec.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { getPublicKey } from '../../src/kms/operations/get_public_key.js';
import type { SoftwareRegion } from './software_region.js';

/** A key of a test. */
export interface TestKey {
  readonly arn: string;
  readonly keyId: string;
}

/** Makes a key. */
export async function makeKey(
  fixture: SoftwareRegion,
  KeySpec: RequestedKeySpec,
  KeyUsage: RequestedKeyUsage,
): Promise<TestKey> {
  const { KeyMetadata } = await createKey(fixture.call, { KeySpec, KeyUsage });
  return { arn: KeyMetadata.Arn, keyId: KeyMetadata.KeyId };
}

/** The public half of a key, as GetPublicKey answers it. */
export async function publicKeyOf(fixture: SoftwareRegion, key: TestKey): Promise<KeyObject> {
  const { PublicKey } = await getPublicKey(fixture.call, { KeyId: key.keyId });
  return createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
}

/** Puts a key into a state. */
export function putState(fixture: SoftwareRegion, key: TestKey, state: KeyState): void {
  const record = fixture.region.store.key(key.keyId as never);
  if (record === undefined) throw new Error('the key is gone');
  fixture.region.store.installKey({ record: { ...record, state }, materials: [] });
}
