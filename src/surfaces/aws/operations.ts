import { DATA_KEY_SPECS } from '../../kms/data_key.js';
import { DATA_KEY_PAIR_SPECS } from '../../kms/data_key_pair.js';
import { DRY_RUN_MODIFIERS } from '../../kms/dry_run.js';
import {
  CUSTOMER_MASTER_KEY_SPECS,
  ENCRYPTION_ALGORITHMS,
  KEY_AGREEMENT_ALGORITHMS,
  KEY_SPECS,
  KEY_USAGES,
  MAC_ALGORITHMS,
  SIGNING_ALGORITHMS,
} from '../../kms/key_spec.js';
import { createKey } from '../../kms/operations/create_key.js';
import { decrypt } from '../../kms/operations/decrypt.js';
import { deriveSharedSecret } from '../../kms/operations/derive_shared_secret.js';
import { describeKey } from '../../kms/operations/describe_key.js';
import { encrypt } from '../../kms/operations/encrypt.js';
import { generateDataKey } from '../../kms/operations/generate_data_key.js';
import { generateDataKeyPair } from '../../kms/operations/generate_data_key_pair.js';
import { generateDataKeyPairWithoutPlaintext } from '../../kms/operations/generate_data_key_pair_without_plaintext.js';
import { generateDataKeyWithoutPlaintext } from '../../kms/operations/generate_data_key_without_plaintext.js';
import { generateMac } from '../../kms/operations/generate_mac.js';
import { generateRandom } from '../../kms/operations/generate_random.js';
import { getPublicKey } from '../../kms/operations/get_public_key.js';
import { listKeys } from '../../kms/operations/list_keys.js';
import { reEncrypt } from '../../kms/operations/re_encrypt.js';
import { replicateKey } from '../../kms/operations/replicate_key.js';
import { sign } from '../../kms/operations/sign.js';
import { updatePrimaryRegion } from '../../kms/operations/update_primary_region.js';
import { verify } from '../../kms/operations/verify.js';
import { verifyMac } from '../../kms/operations/verify_mac.js';
import { MESSAGE_TYPES } from '../../kms/signature.js';
import { ACCESS_OPERATIONS } from './access_operations.js';
import { CUSTOM_KEY_STORE_OPERATIONS } from './custom_key_store_operations.js';
import { IMPORT_OPERATIONS } from './import_operations.js';
import { MANAGEMENT_OPERATIONS } from './management_operations.js';
import {
  ciphertext,
  customKeyStoreId,
  description,
  grantTokens,
  keyId,
  marker,
  policy,
  tags,
} from './member_shapes.js';
import { blob, boolean, integer, listOf, map, oneOf, structure, text } from './shape.js';
import { operation, type WireOperation } from './wire_operation.js';

const plaintext = blob(1, 4096);
const message = blob(1, 4096);
const signatureOrMac = blob(1, 6144);
const regionName = text(1, 32, { expression: /^([a-z]+-){2,3}\d+$/, shown: '^([a-z]+-){2,3}\\d+$' });
const encryptionAlgorithm = oneOf(ENCRYPTION_ALGORITHMS);
const dryRunModifiers = listOf(oneOf(DRY_RUN_MODIFIERS), DRY_RUN_MODIFIERS.length);
const recipient = structure({
  required: {},
  optional: { KeyEncryptionAlgorithm: oneOf(['RSAES_OAEP_SHA_256']), AttestationDocument: blob(1, 262_144) },
});
const dataKey = {
  required: { KeyId: keyId },
  optional: {
    EncryptionContext: map,
    NumberOfBytes: integer(1, 1024),
    KeySpec: oneOf(DATA_KEY_SPECS),
    GrantTokens: grantTokens,
    DryRun: boolean,
  },
} as const;
const dataKeyPair = {
  required: { KeyId: keyId, KeyPairSpec: oneOf(DATA_KEY_PAIR_SPECS) },
  optional: { EncryptionContext: map, GrantTokens: grantTokens, DryRun: boolean },
} as const;

const signature = {
  required: { KeyId: keyId, Message: message, SigningAlgorithm: oneOf(SIGNING_ALGORITHMS) },
  optional: { MessageType: oneOf(MESSAGE_TYPES), GrantTokens: grantTokens, DryRun: boolean },
} as const;
const mac = {
  required: { KeyId: keyId, Message: message, MacAlgorithm: oneOf(MAC_ALGORITHMS) },
  optional: { GrantTokens: grantTokens, DryRun: boolean },
} as const;

/**
 * Every operation that this region answers, by the name in `X-Amz-Target`, with its request's members.
 *
 * @source AWS KMS API Reference
 */
export const OPERATIONS: ReadonlyMap<string, WireOperation> = new Map<string, WireOperation>([
  ...ACCESS_OPERATIONS,
  ...CUSTOM_KEY_STORE_OPERATIONS,
  ...IMPORT_OPERATIONS,
  ...MANAGEMENT_OPERATIONS,
  [
    'CreateKey',
    operation(
      structure({
        required: {},
        optional: {
          Policy: policy,
          Description: description,
          KeyUsage: oneOf(KEY_USAGES),
          CustomerMasterKeySpec: oneOf(CUSTOMER_MASTER_KEY_SPECS),
          KeySpec: oneOf(KEY_SPECS),
          Origin: oneOf(['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']),
          CustomKeyStoreId: customKeyStoreId,
          BypassPolicyLockoutSafetyCheck: boolean,
          Tags: tags,
          MultiRegion: boolean,
          XksKeyId: text(1, 128, { expression: /^[a-zA-Z0-9-_.]+$/, shown: '^[a-zA-Z0-9-_.]+$' }),
        },
      }),
      createKey,
    ),
  ],
  [
    'Decrypt',
    operation(
      structure({
        required: {},
        optional: {
          CiphertextBlob: ciphertext,
          EncryptionContext: map,
          GrantTokens: grantTokens,
          KeyId: keyId,
          EncryptionAlgorithm: encryptionAlgorithm,
          Recipient: recipient,
          DryRun: boolean,
          DryRunModifiers: dryRunModifiers,
        },
      }),
      decrypt,
    ),
  ],
  [
    'DeriveSharedSecret',
    operation(
      structure({
        required: {
          KeyId: keyId,
          KeyAgreementAlgorithm: oneOf(KEY_AGREEMENT_ALGORITHMS),
          PublicKey: blob(1, 8192),
        },
        optional: { GrantTokens: grantTokens, DryRun: boolean, Recipient: recipient },
      }),
      deriveSharedSecret,
    ),
  ],
  [
    'DescribeKey',
    operation(structure({ required: { KeyId: keyId }, optional: { GrantTokens: grantTokens } }), describeKey),
  ],
  [
    'Encrypt',
    operation(
      structure({
        required: { KeyId: keyId, Plaintext: plaintext },
        optional: {
          EncryptionContext: map,
          GrantTokens: grantTokens,
          EncryptionAlgorithm: encryptionAlgorithm,
          DryRun: boolean,
        },
      }),
      encrypt,
    ),
  ],
  [
    'GenerateDataKey',
    operation(
      structure({ required: dataKey.required, optional: { ...dataKey.optional, Recipient: recipient } }),
      generateDataKey,
    ),
  ],
  [
    'GenerateDataKeyPair',
    operation(
      structure({ required: dataKeyPair.required, optional: { ...dataKeyPair.optional, Recipient: recipient } }),
      generateDataKeyPair,
    ),
  ],
  ['GenerateDataKeyPairWithoutPlaintext', operation(structure(dataKeyPair), generateDataKeyPairWithoutPlaintext)],
  ['GenerateDataKeyWithoutPlaintext', operation(structure(dataKey), generateDataKeyWithoutPlaintext)],
  ['GenerateMac', operation(structure(mac), generateMac)],
  [
    'GenerateRandom',
    operation(
      structure({
        required: {},
        optional: { NumberOfBytes: integer(1, 1024), CustomKeyStoreId: customKeyStoreId, Recipient: recipient },
      }),
      generateRandom,
    ),
  ],
  [
    'GetPublicKey',
    operation(structure({ required: { KeyId: keyId }, optional: { GrantTokens: grantTokens } }), getPublicKey),
  ],
  ['ListKeys', operation(structure({ required: {}, optional: { Limit: integer(1, 1000), Marker: marker } }), listKeys)],
  [
    'ReEncrypt',
    operation(
      structure({
        required: { DestinationKeyId: keyId },
        optional: {
          CiphertextBlob: ciphertext,
          SourceEncryptionContext: map,
          SourceKeyId: keyId,
          DestinationEncryptionContext: map,
          SourceEncryptionAlgorithm: encryptionAlgorithm,
          DestinationEncryptionAlgorithm: encryptionAlgorithm,
          GrantTokens: grantTokens,
          DryRun: boolean,
          DryRunModifiers: dryRunModifiers,
        },
      }),
      reEncrypt,
    ),
  ],
  [
    'ReplicateKey',
    operation(
      structure({
        required: { KeyId: keyId, ReplicaRegion: regionName },
        optional: {
          Policy: policy,
          BypassPolicyLockoutSafetyCheck: boolean,
          Description: description,
          Tags: tags,
        },
      }),
      replicateKey,
    ),
  ],
  ['Sign', operation(structure(signature), sign)],
  [
    'UpdatePrimaryRegion',
    operation(structure({ required: { KeyId: keyId, PrimaryRegion: regionName }, optional: {} }), updatePrimaryRegion),
  ],
  [
    'Verify',
    operation(
      structure({ required: { ...signature.required, Signature: signatureOrMac }, optional: signature.optional }),
      verify,
    ),
  ],
  [
    'VerifyMac',
    operation(structure({ required: { ...mac.required, Mac: signatureOrMac }, optional: mac.optional }), verifyMac),
  ],
]);
