import type { KeySpec, KeyUsage, StoredMaterial } from '../hsm/material.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { KeyId } from './key_id.js';
import { algorithmLists, type AlgorithmLists } from './key_spec.js';
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

/** Where a key's material comes from: made by the region's HSM, or imported by the key's owner. Never changes. */
export type KeyOrigin = 'AWS_KMS' | 'EXTERNAL';

/** A scheduled deletion. */
export interface KeyDeletion {
  /** 7–30. */
  readonly windowDays: number;
  /** When the key goes; null while replicas of the key still exist. */
  readonly dateMs: number | null;
}

/** Whether imported material is deleted at a date that was given with it. */
export type ExpirationModel = 'KEY_MATERIAL_EXPIRES' | 'KEY_MATERIAL_DOES_NOT_EXPIRE';

/** What a key knows of its imported material, also while none of it is here. */
export interface ImportedMaterialFacts {
  readonly currentMaterialId: string;
  /** Public half of an asymmetric key, DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array | null;
  /** Null after the material was deleted by request; kept after it expired. */
  readonly expirationModel: ExpirationModel | null;
  /** The earliest of all its materials. */
  readonly validToMs: number | null;
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
  readonly origin: KeyOrigin;
  readonly state: KeyState;
  /** Null for a replica that has no material yet, and for all specs but SYMMETRIC_DEFAULT. */
  readonly dataSuite: DataSuite | null;
  readonly multiRegion: MultiRegionRecord | null;
  /** Null unless the key is to be deleted. */
  readonly deletion: KeyDeletion | null;
  /** Material that encrypts; null where it is not here: a replica that has none yet, imported material that is missing. */
  readonly currentMaterial: StoredMaterial | null;
  /** Null for origin AWS_KMS, and before the first import. */
  readonly imported: ImportedMaterialFacts | null;
}

/** A key's own row: what is not derived from its materials. */
export type KeyFacts = Omit<KeyRecord, 'currentMaterial' | 'imported'>;

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
export interface KeyMetadata extends AlgorithmLists {
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
  readonly MultiRegion: boolean;
  readonly MultiRegionConfiguration?: {
    readonly MultiRegionKeyType: 'PRIMARY' | 'REPLICA';
    readonly PrimaryKey: RegionArn;
    readonly ReplicaKeys: readonly RegionArn[];
  };
  readonly CurrentKeyMaterialId?: string;
  readonly ExpirationModel?: ExpirationModel;
  readonly ValidTo?: Date;
  readonly DeletionDate?: Date;
  readonly PendingDeletionWindowInDays?: number;
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
  const { multiRegion, imported, deletion } = record;
  const materialId = imported?.currentMaterialId ?? record.currentMaterial?.binding.materialId;
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
    ...algorithmLists(record.keySpec, record.keyUsage),
    MultiRegion: multiRegion !== null,
    ...(multiRegion !== null && {
      MultiRegionConfiguration: {
        MultiRegionKeyType: multiRegion.type,
        PrimaryKey: place(multiRegion.primaryRegion),
        ReplicaKeys: multiRegion.replicaRegions.map(place),
      },
    }),
    ...(materialId !== undefined && record.keySpec === 'SYMMETRIC_DEFAULT' && { CurrentKeyMaterialId: materialId }),
    ...(imported !== null && imported.expirationModel !== null && { ExpirationModel: imported.expirationModel }),
    ...(imported !== null && imported.validToMs !== null && { ValidTo: new Date(imported.validToMs) }),
    ...(deletion !== null &&
      (deletion.dateMs === null
        ? { PendingDeletionWindowInDays: deletion.windowDays }
        : { DeletionDate: new Date(deletion.dateMs) })),
  };
}
