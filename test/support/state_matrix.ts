import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyId } from '../../src/kms/key_id.js';
import type { KeyState } from '../../src/kms/key_state.js';
import { createKey, type CreateKeyRequest } from '../../src/kms/operations/create_key.js';
import type { Call } from '../../src/kms/region.js';
import { importInto, makeExternalKey, prepareImport } from './import_ceremony.js';
import type { SoftwareRegion } from './software_region.js';
import { callOverWire } from './wire_call.js';

/**
 * What an operation answers for a key in a state.
 *
 * `ok`: it succeeds. `admitted`: it is not refused for the state, and fails for what this test does not set up. `D1`: disabled. `S3`:
 * pending deletion. `S4`: not pending deletion. `S5`: pending import. `U6`: of an origin that does not admit it. `S14`: creating. `S15`:
 * updating. `usage`: the key is for something else.
 */
export type Answer = 'ok' | 'admitted' | 'D1' | 'S3' | 'S4' | 'S5' | 'U6' | 'S14' | 'S15' | 'usage';

/** The states that keys here can have. */
export const STATES = [
  'Enabled',
  'Disabled',
  'PendingDeletion',
  'PendingReplicaDeletion',
  'PendingImport',
  'Creating',
  'Updating',
] as const satisfies readonly KeyState[];

/** One row of the matrix. */
export interface MatrixRow {
  readonly operation: string;
  /** Tells rows of one operation from one another. */
  readonly about?: string;
  /** In the order of {@link STATES}. */
  readonly answers: readonly [Answer, Answer, Answer, Answer, Answer, Answer, Answer];
  /** Makes a key that the operation is for, usable so far; its id. */
  key(call: Call, state: KeyState): Promise<string>;
  /** The request; made before the key is put into its state. */
  request(call: Call, keyId: string): object | Promise<object>;
}

const MATERIAL = randomBytes(32);
const MESSAGE = randomBytes(32);
const PEER = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });

const READ: MatrixRow['answers'] = ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'];
const USE: MatrixRow['answers'] = ['ok', 'D1', 'S3', 'S3', 'S5', 'S14', 'ok'];
const ANNOTATE: MatrixRow['answers'] = ['ok', 'ok', 'S3', 'S3', 'ok', 'ok', 'ok'];
const ENABLE: MatrixRow['answers'] = ['ok', 'ok', 'S3', 'S3', 'S5', 'S14', 'S15'];

type MakeKey = MatrixRow['key'];

function keyOf(request: CreateKeyRequest): MakeKey {
  return async (call) => (await createKey(call, request)).KeyMetadata.KeyId;
}

const symmetric = keyOf({});
const hmac = keyOf({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
const signing = keyOf({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
const agreement = keyOf({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
const multiRegion = keyOf({ MultiRegion: true });
const imported: MakeKey = async (call) => {
  const keyId = await makeExternalKey(call);
  await importInto(call, keyId, MATERIAL);
  return keyId;
};
/** Only a key of origin EXTERNAL can be pending import. */
const rotatable: MakeKey = (call, state) => (state === 'PendingImport' ? imported : symmetric)(call, state);

let aliasCount = 0;
async function newAlias(call: Call, TargetKeyId: string): Promise<string> {
  aliasCount += 1;
  const AliasName = `alias/row-${aliasCount}`;
  await callOverWire(call, 'CreateAlias', { AliasName, TargetKeyId });
  return AliasName;
}

async function grantOf(call: Call, KeyId: string): Promise<unknown> {
  const request = { KeyId, GranteePrincipal: call.caller.principal, Operations: ['DescribeKey'] };
  return (await callOverWire(call, 'CreateGrant', request))['GrantId'];
}

const onlyKey = (_call: Call, KeyId: string): object => ({ KeyId });
const sign = { Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' };
const mac = { Message: MESSAGE, MacAlgorithm: 'HMAC_SHA_256' };

function row(
  operation: string,
  answers: MatrixRow['answers'],
  key: MakeKey,
  request: MatrixRow['request'] = onlyKey,
  about?: string,
): MatrixRow {
  return { operation, answers, key, request, ...(about !== undefined && { about }) };
}

/**
 * Every operation that is about a key, and what it answers in each state.
 *
 * @source AWS KMS Developer Guide, "Key states of AWS KMS keys"
 */
export const STATE_MATRIX: readonly MatrixRow[] = [
  row('CancelKeyDeletion', ['S4', 'S4', 'ok', 'ok', 'S4', 'S4', 'S4'], symmetric),
  row('CreateAlias', ANNOTATE, symmetric, (_call, TargetKeyId) => ({
    AliasName: `alias/of-${TargetKeyId}`,
    TargetKeyId,
  })),
  row('CreateGrant', USE, symmetric, (call, KeyId) => ({
    KeyId,
    GranteePrincipal: call.caller.principal,
    Operations: ['Decrypt'],
  })),
  row('Decapsulate', ['usage', 'D1', 'S3', 'S3', 'S5', 'S14', 'usage'], symmetric, (_call, KeyId) => ({
    KeyId,
    EncapsulationAlgorithm: 'ML_KEM',
    SharedSecretCiphertextBlob: MESSAGE,
  })),
  row('Decrypt', USE, symmetric, async (call, KeyId) => {
    const { CiphertextBlob } = await callOverWire(call, 'Encrypt', { KeyId, Plaintext: MESSAGE });
    return { CiphertextBlob };
  }),
  row(
    'Decrypt',
    USE,
    symmetric,
    async (call, KeyId) => {
      const { CiphertextBlob } = await callOverWire(call, 'Encrypt', { KeyId, Plaintext: MESSAGE });
      return { CiphertextBlob, KeyId };
    },
    'that names its key',
  ),
  row('DeleteAlias', READ, symmetric, async (call, keyId) => ({ AliasName: await newAlias(call, keyId) })),
  row('DeleteImportedKeyMaterial', ['ok', 'ok', 'ok', 'ok', 'ok', 'S14', 'S15'], imported),
  row('DeriveSharedSecret', USE, agreement, (_call, KeyId) => ({
    KeyId,
    KeyAgreementAlgorithm: 'ECDH',
    PublicKey: PEER,
  })),
  row('DescribeKey', READ, symmetric),
  row('DisableKey', ENABLE, symmetric),
  row('DisableKeyRotation', ['ok', 'D1', 'S3', 'S3', 'U6', 'S14', 'ok'], rotatable),
  row('EnableKey', ENABLE, symmetric),
  row('EnableKeyRotation', ['ok', 'D1', 'S3', 'S3', 'U6', 'S14', 'ok'], rotatable),
  row('Encapsulate', ['usage', 'D1', 'S3', 'S3', 'S5', 'S14', 'usage'], symmetric, (_call, KeyId) => ({
    KeyId,
    EncapsulationAlgorithm: 'ML_KEM',
  })),
  row('Encrypt', USE, symmetric, (_call, KeyId) => ({ KeyId, Plaintext: MESSAGE })),
  row('GenerateDataKey', USE, symmetric, (_call, KeyId) => ({ KeyId, KeySpec: 'AES_256' })),
  row('GenerateDataKeyPair', USE, symmetric, (_call, KeyId) => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })),
  row('GenerateDataKeyPairWithoutPlaintext', USE, symmetric, (_call, KeyId) => ({
    KeyId,
    KeyPairSpec: 'ECC_NIST_P256',
  })),
  row('GenerateDataKeyWithoutPlaintext', USE, symmetric, (_call, KeyId) => ({ KeyId, NumberOfBytes: 7 })),
  row('GenerateMac', USE, hmac, (_call, KeyId) => ({ KeyId, ...mac })),
  row('GetKeyLastUsage', READ, symmetric),
  row('GetKeyPolicy', READ, symmetric),
  row('GetKeyRotationStatus', ['ok', 'ok', 'ok', 'ok', 'U6', 'ok', 'ok'], rotatable),
  row('GetParametersForImport', ['ok', 'ok', 'S3', 'S3', 'ok', 'S14', 'S15'], imported, (_call, KeyId) => ({
    KeyId,
    WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
    WrappingKeySpec: 'RSA_2048',
  })),
  row('GetPublicKey', ['ok', 'ok', 'S3', 'S3', 'ok', 'S14', 'ok'], signing),
  row('ImportKeyMaterial', ['ok', 'ok', 'S3', 'S3', 'ok', 'S14', 'ok'], imported, async (call, KeyId) => ({
    KeyId,
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    ...(await prepareImport(call, KeyId, MATERIAL)),
  })),
  row('ListAliases', READ, symmetric),
  row('ListGrants', READ, symmetric),
  row('ListKeyPolicies', READ, symmetric),
  row('ListKeyRotations', READ, rotatable),
  row('ListResourceTags', READ, symmetric),
  row('PutKeyPolicy', READ, symmetric, async (call, KeyId) => ({
    KeyId,
    Policy: call.region.store.policy(KeyId as KeyId),
  })),
  row(
    'ReEncrypt',
    USE,
    symmetric,
    async (call, KeyId) => {
      const { CiphertextBlob } = await callOverWire(call, 'Encrypt', { KeyId, Plaintext: MESSAGE });
      return { CiphertextBlob, DestinationKeyId: await symmetric(call, 'Enabled') };
    },
    'away from a key',
  ),
  row(
    'ReEncrypt',
    USE,
    symmetric,
    async (call, DestinationKeyId) => {
      const KeyId = await symmetric(call, 'Enabled');
      const { CiphertextBlob } = await callOverWire(call, 'Encrypt', { KeyId, Plaintext: MESSAGE });
      return { CiphertextBlob, DestinationKeyId };
    },
    'to a key',
  ),
  row('ReplicateKey', ['ok', 'D1', 'S3', 'S3', 'S5', 'S14', 'S15'], multiRegion, (_call, KeyId) => ({
    KeyId,
    ReplicaRegion: 'eu-west-1',
  })),
  row('RetireGrant', READ, symmetric, async (call, keyId) => ({
    KeyId: call.region.store.key(keyId as KeyId)?.arn,
    GrantId: await grantOf(call, keyId),
  })),
  row('RevokeGrant', READ, symmetric, async (call, KeyId) => ({ KeyId, GrantId: await grantOf(call, KeyId) })),
  row('RotateKeyOnDemand', USE, rotatable),
  row('ScheduleKeyDeletion', ['ok', 'ok', 'S3', 'S3', 'ok', 'ok', 'S15'], symmetric),
  row('Sign', USE, signing, (_call, KeyId) => ({ KeyId, ...sign })),
  row('TagResource', ANNOTATE, symmetric, (_call, KeyId) => ({ KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] })),
  row('UntagResource', ANNOTATE, symmetric, (_call, KeyId) => ({ KeyId, TagKeys: ['a'] })),
  row(
    'UpdateAlias',
    ANNOTATE,
    symmetric,
    async (call, TargetKeyId) => ({
      AliasName: await newAlias(call, await symmetric(call, 'Enabled')),
      TargetKeyId,
    }),
    'to a key',
  ),
  row(
    'UpdateAlias',
    READ,
    symmetric,
    async (call, keyId) => ({
      AliasName: await newAlias(call, keyId),
      TargetKeyId: await symmetric(call, 'Enabled'),
    }),
    'away from a key',
  ),
  row('UpdateKeyDescription', ANNOTATE, symmetric, (_call, KeyId) => ({ KeyId, Description: 'another' })),
  row('UpdatePrimaryRegion', ['admitted', 'D1', 'S3', 'S3', 'S5', 'S14', 'admitted'], multiRegion, (_call, KeyId) => ({
    KeyId,
    PrimaryRegion: 'eu-west-1',
  })),
  row('Verify', USE, signing, async (call, KeyId) => {
    const { Signature } = await callOverWire(call, 'Sign', { KeyId, ...sign });
    return { KeyId, ...sign, Signature };
  }),
  row('VerifyMac', USE, hmac, async (call, KeyId) => {
    const { Mac } = await callOverWire(call, 'GenerateMac', { KeyId, ...mac });
    return { KeyId, ...mac, Mac };
  }),
];

const DELETION = {
  PendingDeletion: { windowDays: 7, dateMs: Date.UTC(2100, 0, 1) },
  PendingReplicaDeletion: { windowDays: 7, dateMs: null },
} as const;

/** Puts a key into a state, as nothing but the store could. */
export function plantState({ region }: SoftwareRegion, keyId: string, state: KeyState): void {
  const deletion = state === 'PendingDeletion' || state === 'PendingReplicaDeletion' ? DELETION[state] : null;
  region.store.setState(keyId as KeyId, state, deletion);
}
