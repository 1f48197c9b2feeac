import { authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { findKey } from '../key_lookup.js';
import type { ExpirationModel, KeyRecord } from '../key_record.js';
import {
  rotationInProgress,
  type MaterialState,
  type MaterialVersion,
  type RotationType,
} from '../material_version.js';
import { decodeMarker, encodeMarker } from '../pagination.js';
import type { Operation } from '../region.js';
import { requireRotatableSpec } from '../rotation.js';

export const INCLUDED_KEY_MATERIAL = ['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY'] as const;

export interface ListKeyRotationsRequest {
  readonly KeyId: string;
  /** `ROTATIONS_ONLY` where it is absent. */
  readonly IncludeKeyMaterial?: (typeof INCLUDED_KEY_MATERIAL)[number];
  /** 1–1000; 100 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

/** `RotationsListEntry` of the AWS KMS API. */
export interface RotationEntry {
  readonly KeyId: string;
  readonly KeyMaterialId: string;
  readonly KeyMaterialDescription?: string;
  readonly ImportState?: 'IMPORTED' | 'PENDING_IMPORT';
  readonly KeyMaterialState: MaterialState;
  readonly ExpirationModel?: ExpirationModel;
  readonly ValidTo?: Date;
  readonly RotationDate?: Date;
  readonly RotationType?: RotationType;
}

export interface ListKeyRotationsResponse {
  readonly Rotations: readonly RotationEntry[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * Lists a key's rotations, or all material that it knows, oldest first, page by page.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for keys that are never rotated; `InvalidMarkerException`
 * @source AWS KMS API Reference, ListKeyRotations
 */
export const listKeyRotations: Operation<ListKeyRotationsRequest, ListKeyRotationsResponse> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'ListKeyRotations', record);
  requireRotatableSpec(record);
  const limit = request.Limit ?? 100;
  const after = request.Marker === undefined ? -1 : indexOf(request.Marker);
  const all = request.IncludeKeyMaterial === 'ALL_KEY_MATERIAL';
  const found = call.region.materials
    .versions(record.keyId)
    .filter(({ index, rotatedMs }) => index > after && (all || rotatedMs !== null));
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const more = found.length > limit && last !== undefined;
  return {
    Rotations: page.map((version) => entryOf(record, version)),
    Truncated: more,
    ...(more && { NextMarker: encodeMarker(String(last.index)) }),
  };
};

function indexOf(marker: string): number {
  const text = decodeMarker(marker);
  if (!/^\d{1,6}$/.test(text)) {
    throw new KmsError('InvalidMarkerException', 'The marker was not given by this operation.');
  }
  return Number(text);
}

function entryOf(record: KeyRecord, version: MaterialVersion): RotationEntry {
  const isHere = version.material !== null;
  const imported = record.origin === 'EXTERNAL';
  return {
    KeyId: record.arn,
    KeyMaterialId: version.materialId,
    ...(version.description !== null && { KeyMaterialDescription: version.description }),
    ...(imported && { ImportState: isHere ? 'IMPORTED' : 'PENDING_IMPORT' }),
    // A replica that has the material of a rotation in progress decrypts with it, and does not yet encrypt.
    KeyMaterialState: rotationInProgress([version]) === undefined ? version.state : 'PENDING_ROTATION',
    ...(isHere && version.expirationModel !== null && { ExpirationModel: version.expirationModel }),
    ...(isHere && version.validToMs !== null && { ValidTo: new Date(version.validToMs) }),
    ...(version.rotatedMs !== null && { RotationDate: new Date(version.rotatedMs) }),
    ...(version.rotatedMs !== null && version.rotationType !== null && { RotationType: version.rotationType }),
  };
}
