import { expect } from 'chai';
import { createKey, type CreateKeyRequest } from '../../../src/kms/operations/create_key.js';
import { defaultPolicy } from '../../../src/kms/policy.js';
import type { Call } from '../../../src/kms/region.js';
import { callWith, keyPolicy, USER_ARN } from '../../support/call_with.js';
import { importInto, makeExternalKey, prepareImport } from '../../support/import_ceremony.js';
import { makeSoftwareRegion, ROOT, type SoftwareRegion } from '../../support/software_region.js';
import { callOverWire } from '../../support/wire_call.js';

const MATERIAL = Buffer.alloc(32, 7);
const VALID_TO = new Date(Date.UTC(2026, 1, 1));

interface Case {
  readonly operation: string;
  /** Condition operator, key, a value that fits, one that does not. */
  readonly condition: readonly [operator: string, key: string, fits: string, other: string];
  readonly key?: CreateKeyRequest;
  request(call: Call, KeyId: string): object | Promise<object>;
}

const wrapping = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' };
const parameters = (_call: Call, KeyId: string): object => ({ KeyId, ...wrapping });
const dataKey = (_call: Call, KeyId: string): object => ({ KeyId, KeySpec: 'AES_256' });
const newKey = (more: object) => (): object => more;
const external = { Origin: 'EXTERNAL' } as const;
const upload = async (call: Call, KeyId: string): Promise<object> => ({
  KeyId,
  ValidTo: VALID_TO,
  ...(await prepareImport(call, KeyId, MATERIAL)),
});
const policy =
  (more: object) =>
  (call: Call, KeyId: string): object => ({
    KeyId,
    Policy: defaultPolicy(call.region.home),
    ...more,
  });
const replicate = (_call: Call, KeyId: string): object => ({ KeyId, ReplicaRegion: 'eu-west-1' });

const CASES: readonly Case[] = [
  {
    operation: 'ScheduleKeyDeletion',
    condition: ['NumericGreaterThanEquals', 'kms:ScheduleKeyDeletionPendingWindowInDays', '10', '11'],
    request: (_call, KeyId) => ({ KeyId, PendingWindowInDays: 10 }),
  },
  {
    operation: 'ScheduleKeyDeletion',
    condition: ['NumericEquals', 'kms:ScheduleKeyDeletionPendingWindowInDays', '30', '7'],
    request: (_call, KeyId) => ({ KeyId }),
  },
  {
    operation: 'EnableKeyRotation',
    condition: ['NumericLessThanEquals', 'kms:RotationPeriodInDays', '180', '90'],
    request: (_call, KeyId) => ({ KeyId, RotationPeriodInDays: 180 }),
  },
  {
    operation: 'GetParametersForImport',
    condition: ['StringEquals', 'kms:WrappingAlgorithm', wrapping.WrappingAlgorithm, 'RSA_AES_KEY_WRAP_SHA_256'],
    key: external,
    request: parameters,
  },
  {
    operation: 'GetParametersForImport',
    condition: ['StringEquals', 'kms:WrappingKeySpec', 'RSA_2048', 'RSA_4096'],
    key: external,
    request: parameters,
  },
  {
    operation: 'ImportKeyMaterial',
    condition: ['DateLessThanEquals', 'kms:ValidTo', '2026-02-01T00:00:00Z', '2026-01-31T00:00:00Z'],
    key: external,
    request: upload,
  },
  {
    operation: 'ImportKeyMaterial',
    condition: ['StringEquals', 'kms:ExpirationModel', 'KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE'],
    key: external,
    request: upload,
  },
  {
    operation: 'GenerateDataKeyPair',
    condition: ['StringLike', 'kms:DataKeyPairSpec', 'ECC_*', 'RSA_*'],
    request: (_call, KeyId) => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  },
  {
    operation: 'GenerateDataKey',
    condition: ['StringEquals', 'kms:EncryptionAlgorithm', 'SYMMETRIC_DEFAULT', 'SM2PKE'],
    request: dataKey,
  },
  { operation: 'GenerateDataKey', condition: ['Null', 'kms:EncryptionContextKeys', 'true', 'false'], request: dataKey },
  {
    operation: 'GenerateMac',
    condition: ['StringEquals', 'kms:MacAlgorithm', 'HMAC_SHA_256', 'HMAC_SHA_512'],
    key: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
    request: (_call, KeyId) => ({ KeyId, Message: MATERIAL, MacAlgorithm: 'HMAC_SHA_256' }),
  },
  {
    operation: 'PutKeyPolicy',
    condition: ['Bool', 'kms:BypassPolicyLockoutSafetyCheck', 'false', 'true'],
    request: policy({}),
  },
  {
    operation: 'PutKeyPolicy',
    condition: ['Bool', 'kms:BypassPolicyLockoutSafetyCheck', 'true', 'false'],
    request: policy({ BypassPolicyLockoutSafetyCheck: true }),
  },
  {
    operation: 'TagResource',
    condition: ['ForAllValues:StringEquals', 'aws:TagKeys', 'team', 'stage'],
    request: (_call, KeyId) => ({ KeyId, Tags: [{ TagKey: 'team', TagValue: 'shop' }] }),
  },
  {
    operation: 'TagResource',
    condition: ['StringEquals', 'aws:RequestTag/team', 'shop', 'bank'],
    request: (_call, KeyId) => ({ KeyId, Tags: [{ TagKey: 'team', TagValue: 'shop' }] }),
  },
  {
    operation: 'CreateKey',
    condition: ['StringEquals', 'kms:KeyOrigin', 'EXTERNAL', 'AWS_KMS'],
    request: newKey(external),
  },
  {
    operation: 'CreateKey',
    condition: ['StringEquals', 'kms:KeyUsage', 'SIGN_VERIFY', 'KEY_AGREEMENT'],
    request: newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
  },
  {
    operation: 'CreateKey',
    condition: ['StringEquals', 'kms:MultiRegionKeyType', 'PRIMARY', 'REPLICA'],
    request: newKey({ MultiRegion: true }),
  },
  {
    operation: 'CreateKey',
    condition: ['StringEquals', 'aws:RequestTag/team', 'shop', 'bank'],
    request: newKey({ Tags: [{ TagKey: 'team', TagValue: 'shop' }] }),
  },
  {
    operation: 'ReplicateKey',
    condition: ['StringEquals', 'kms:ReplicaRegion', 'eu-west-1', 'ap-south-1'],
    key: { MultiRegion: true },
    request: replicate,
  },
  {
    operation: 'ReplicateKey',
    condition: ['Bool', 'kms:MultiRegion', 'true', 'false'],
    key: { MultiRegion: true },
    request: replicate,
  },
];

describe('What a policy can ask of a request', () => {
  let software: SoftwareRegion;

  before(() => {
    software = makeSoftwareRegion();
  });
  after(() => software.close());

  for (const { operation, condition, key, request } of CASES) {
    const [operator, name, fits, other] = condition;
    it(`is ${name} of ${operation}: ${operator} ${fits}, and not ${other}`, async () => {
      for (const [value, isLet] of [
        [other, false],
        [fits, true],
      ] as const) {
        const KeyId =
          key?.Origin === 'EXTERNAL'
            ? await makeExternalKey(software.call)
            : (await createKey(software.call, key ?? {})).KeyMetadata.KeyId;
        const asked = await request(software.call, KeyId);
        const alice = callWith(software, `${USER_ARN}/alice`, [
          { Effect: 'Allow', Action: 'kms:*', Resource: '*', Condition: { [operator]: { [name]: value } } },
        ]);
        const code = await callOverWire(alice, operation, asked).then(
          () => 'answered',
          (error: { readonly code?: string }) => error.code ?? String(error),
        );
        expect(code).to.equal(isLet ? 'answered' : 'AccessDeniedException');
      }
    });
  }

  it('is whether imported material is used by somebody who may use keys of that origin', async () => {
    const KeyId = await makeExternalKey(software.call);
    await importInto(software.call, KeyId, MATERIAL);
    const statement = (Effect: string, Condition: object): object => ({ Effect, Principal: { AWS: ROOT }, Condition });
    await callOverWire(software.call, 'PutKeyPolicy', {
      KeyId,
      Policy: keyPolicy(
        { Principal: { AWS: ROOT } },
        { ...statement('Deny', { StringEquals: { 'kms:KeyOrigin': 'EXTERNAL' } }), Action: 'kms:Encrypt' },
      ),
    });
    const refused = await callOverWire(software.call, 'Encrypt', { KeyId, Plaintext: MATERIAL }).catch(
      (error) => error,
    );
    expect(refused).to.have.property('code', 'AccessDeniedException');
  });
});
