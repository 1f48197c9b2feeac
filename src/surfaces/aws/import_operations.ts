import { EXPIRATION_MODELS, IMPORT_TYPES, WRAPPING_ALGORITHMS, WRAPPING_KEY_SPECS } from '../../kms/import_rules.js';
import { cancelKeyDeletion } from '../../kms/operations/cancel_key_deletion.js';
import { deleteImportedKeyMaterial } from '../../kms/operations/delete_imported_key_material.js';
import { getParametersForImport } from '../../kms/operations/get_parameters_for_import.js';
import { importKeyMaterial } from '../../kms/operations/import_key_material.js';
import { disableKeyRotation } from '../../kms/operations/disable_key_rotation.js';
import { enableKeyRotation } from '../../kms/operations/enable_key_rotation.js';
import { getKeyRotationStatus } from '../../kms/operations/get_key_rotation_status.js';
import { INCLUDED_KEY_MATERIAL, listKeyRotations } from '../../kms/operations/list_key_rotations.js';
import { rotateKeyOnDemand } from '../../kms/operations/rotate_key_on_demand.js';
import { scheduleKeyDeletion } from '../../kms/operations/schedule_key_deletion.js';
import { keyId, marker } from './member_shapes.js';
import { blob, integer, oneOf, structure, text, timestamp } from './shape.js';
import { operation, type WireOperation } from './wire_operation.js';

const keyMaterialId = text(64, 64, { expression: /^[a-f0-9]+$/, shown: '^[a-f0-9]+$' });
const description = text(0, 256, { expression: /^[a-zA-Z0-9:/_\s.-]+$/, shown: '^[a-zA-Z0-9:/_\\s.-]+$' });

/**
 * The operations of a key's material and of its end, by the name in `X-Amz-Target`.
 *
 * @source AWS KMS API Reference
 */
export const IMPORT_OPERATIONS: readonly (readonly [string, WireOperation])[] = [
  ['CancelKeyDeletion', operation(structure({ required: { KeyId: keyId }, optional: {} }), cancelKeyDeletion)],
  [
    'DeleteImportedKeyMaterial',
    operation(
      structure({ required: { KeyId: keyId }, optional: { KeyMaterialId: keyMaterialId } }),
      deleteImportedKeyMaterial,
    ),
  ],
  ['DisableKeyRotation', operation(structure({ required: { KeyId: keyId }, optional: {} }), disableKeyRotation)],
  [
    'EnableKeyRotation',
    operation(
      structure({ required: { KeyId: keyId }, optional: { RotationPeriodInDays: integer(90, 2560) } }),
      enableKeyRotation,
    ),
  ],
  ['GetKeyRotationStatus', operation(structure({ required: { KeyId: keyId }, optional: {} }), getKeyRotationStatus)],
  [
    'GetParametersForImport',
    operation(
      structure({
        required: {
          KeyId: keyId,
          WrappingAlgorithm: oneOf(WRAPPING_ALGORITHMS),
          WrappingKeySpec: oneOf(WRAPPING_KEY_SPECS),
        },
        optional: {},
      }),
      getParametersForImport,
    ),
  ],
  [
    'ImportKeyMaterial',
    operation(
      structure({
        required: { KeyId: keyId, ImportToken: blob(1, 6144), EncryptedKeyMaterial: blob(1, 6144) },
        optional: {
          ValidTo: timestamp,
          ExpirationModel: oneOf(EXPIRATION_MODELS),
          ImportType: oneOf(IMPORT_TYPES),
          KeyMaterialDescription: description,
          KeyMaterialId: keyMaterialId,
        },
      }),
      importKeyMaterial,
    ),
  ],
  [
    'ListKeyRotations',
    operation(
      structure({
        required: { KeyId: keyId },
        optional: { IncludeKeyMaterial: oneOf(INCLUDED_KEY_MATERIAL), Limit: integer(1, 1000), Marker: marker },
      }),
      listKeyRotations,
    ),
  ],
  ['RotateKeyOnDemand', operation(structure({ required: { KeyId: keyId }, optional: {} }), rotateKeyOnDemand)],
  [
    'ScheduleKeyDeletion',
    operation(
      structure({ required: { KeyId: keyId }, optional: { PendingWindowInDays: integer(1, 365) } }),
      scheduleKeyDeletion,
    ),
  ],
];
