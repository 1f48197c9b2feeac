import { keyArn, type KeyHome, type KeyId } from '../../src/kms/key_id.js';
import type { NewKey } from '../../src/kms/key_store.js';
import type { StoredMaterial } from '../../src/hsm/material.js';
import { defaultPolicy } from '../../src/kms/policy.js';
import type { DataSuite } from '../../src/wire/ciphertext_blob.js';

/** A multi-Region encryption key of a region whose material a test has made, as its store takes it. */
export function newPrimary(
  home: KeyHome,
  key: {
    readonly keyId: KeyId;
    readonly birthCertificate: string;
    readonly dataSuite: DataSuite;
    readonly material: StoredMaterial;
    readonly createdMs: number;
  },
): NewKey {
  const { keyId, birthCertificate, dataSuite, material, createdMs } = key;
  return {
    record: {
      keyId,
      arn: keyArn(home, keyId),
      account: home.account,
      createdMs,
      description: '',
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      origin: 'AWS_KMS',
      state: 'Enabled',
      deletion: null,
      dataSuite,
      multiRegion: { type: 'PRIMARY', primaryRegion: home.region, replicaRegions: [], birthCertificate },
    },
    policy: defaultPolicy(home),
    tags: [],
    materials: [{ material, index: 0, state: 'CURRENT', createdMs }],
  };
}
