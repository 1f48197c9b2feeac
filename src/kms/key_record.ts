import type { KeySpec, KeyUsage, StoredMaterial } from '../hsm/material.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { KeyId } from './key_id.js';
import { encryptionAlgorithms } from './key_spec.js';
import type { KeyState } from './key_state.js';

/** A multi-Region key's place in its set. */
export interface MultiRegionRecord {
  readonly type: 'PRIMARY' | 'REPLICA';
  readonly primaryRegion: string;
  /** Regions of the replicas that exist or are being made, in the order in which they were made. */
  readonly replicaRegions: readonly string[];
  /** Birth certificate as issued: compact JWS. */
  readonly birthCertificate: string;
}

/** What a region knows of one key, without the parts that cryptography never needs (policy, tags). Never changed in place. */
export interface KeyRecord {
  readonly keyId: KeyId;
  readonly arn: string;
  readonly account: string;
  readonly createdMs: number;
  readonly description: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: 'AWS_KMS';
  readonly state: KeyState;
  /** Null for a replica that has no material yet. */
  readonly dataSuite: DataSuite | null;
  readonly multiRegion: MultiRegionRecord | null;
  /** Material that encrypts; null for a replica that has none yet. */
  readonly currentMaterial: StoredMaterial | null;
}

/** One version of a key's material. */
export interface MaterialRecord {
  readonly material: StoredMaterial;
  /** Rotation index, 0 for the first. */
  readonly index: number;
  readonly state: 'CURRENT' | 'NON_CURRENT';
  readonly createdMs: number;
}

interface RegionArn {
  readonly Arn: string;
  readonly Region: string;
}

/** `KeyMetadata` of the AWS KMS API. */
export interface KeyMetadata {
  readonly AWSAccountId: string;
  readonly KeyId: string;
  readonly Arn: string;
  readonly CreationDate: Date;
  readonly Enabled: boolean;
  readonly Description: string;
  readonly KeyUsage: string;
  readonly KeyState: KeyState;
  readonly Origin: string;
  readonly KeyManager: 'CUSTOMER';
  readonly CustomerMasterKeySpec: string;
  readonly KeySpec: string;
  readonly EncryptionAlgorithms: readonly string[];
  readonly MultiRegion: boolean;
  readonly MultiRegionConfiguration?: {
    readonly MultiRegionKeyType: 'PRIMARY' | 'REPLICA';
    readonly PrimaryKey: RegionArn;
    readonly ReplicaKeys: readonly RegionArn[];
  };
  readonly CurrentKeyMaterialId?: string;
}

/** The same key's ARN in another region. */
export function arnInRegion(arn: string, region: string): string {
  const parts = arn.split(':');
  parts[3] = region;
  return parts.join(':');
}

/**
 * Describes a key as the AWS KMS API does.
 *
 * @source AWS KMS API Reference, KeyMetadata
 */
export function describeRecord(record: KeyRecord): KeyMetadata {
  const { multiRegion, currentMaterial } = record;
  const place = (region: string): RegionArn => ({ Arn: arnInRegion(record.arn, region), Region: region });
  return {
    AWSAccountId: record.account,
    KeyId: record.keyId,
    Arn: record.arn,
    CreationDate: new Date(record.createdMs),
    Enabled: record.state === 'Enabled',
    Description: record.description,
    KeyUsage: record.keyUsage,
    KeyState: record.state,
    Origin: record.origin,
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: record.keySpec,
    KeySpec: record.keySpec,
    EncryptionAlgorithms: encryptionAlgorithms(record.keySpec),
    MultiRegion: multiRegion !== null,
    ...(multiRegion !== null && {
      MultiRegionConfiguration: {
        MultiRegionKeyType: multiRegion.type,
        PrimaryKey: place(multiRegion.primaryRegion),
        ReplicaKeys: multiRegion.replicaRegions.map(place),
      },
    }),
    ...(currentMaterial !== null && { CurrentKeyMaterialId: currentMaterial.binding.materialId }),
  };
}
