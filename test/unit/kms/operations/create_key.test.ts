import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import type { RequestedKeySpec, RequestedKeyUsage } from '../../../../src/kms/key_spec.js';
import { HsmError } from '../../../../src/hsm/errors.js';
import { ReplicationError } from '../../../../src/replication/errors.js';
import { makeSoftwareRegion, refusalOf, ROOT, type SoftwareRegion } from '../../../support/software_region.js';

describe('CreateKey', () => {
  let fixture: SoftwareRegion;
  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  const create = (request: Parameters<typeof createKey>[1] = {}) => createKey(fixture.call, request);

  it('makes an enabled symmetric single-Region key with the default policy', async () => {
    const { KeyMetadata } = await create();
    expect(KeyMetadata.KeyId).to.match(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(KeyMetadata.Arn).to.equal(`arn:aws:kms:us-east-1:111122223333:key/${KeyMetadata.KeyId}`);
    expect(KeyMetadata).to.include({ KeyState: 'Enabled', Enabled: true, MultiRegion: false, Description: '' });
    expect(KeyMetadata).to.not.have.property('MultiRegionConfiguration');
    expect(KeyMetadata.EncryptionAlgorithms).to.deep.equal(['SYMMETRIC_DEFAULT']);
    const policy = JSON.parse(fixture.region.store.policy(KeyMetadata.KeyId as never) ?? '');
    expect(policy).to.deep.equal({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: ROOT },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    });
  });

  it('lets what imports take be made ahead once there is a key to import into, and not before', async () => {
    await create();
    expect(fixture.importHsm.expected).to.equal(0);
    expect(fixture.region.materials.hasExternalKeys()).to.equal(false);
    await create({ Origin: 'EXTERNAL' });
    expect(fixture.importHsm.expected).to.equal(1);
    expect(fixture.region.materials.hasExternalKeys()).to.equal(true);
  });

  it('makes a multi-Region primary that is its own primary key and has no replicas', async () => {
    const { KeyMetadata } = await create({ MultiRegion: true });
    expect(KeyMetadata.KeyId).to.match(/^mrk-[0-9a-f]{32}$/);
    expect(KeyMetadata.MultiRegionConfiguration).to.deep.equal({
      MultiRegionKeyType: 'PRIMARY',
      PrimaryKey: { Arn: KeyMetadata.Arn, Region: 'us-east-1' },
      ReplicaKeys: [],
    });
  });

  it('binds the material to the key as the HSM is to keep it', async () => {
    fixture.replicator.suite = 'CBCDATA-GCM';
    const { KeyMetadata } = await create({ MultiRegion: true });
    const material = fixture.region.store.key(KeyMetadata.KeyId as never)?.currentMaterial;
    expect(material?.binding).to.deep.equal({
      keyId: KeyMetadata.KeyId,
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      multiRegion: true,
      dataSuite: 'CBCDATA-GCM',
      materialId: KeyMetadata.CurrentKeyMaterialId,
    });
  });

  it('records tags, description and policy as they were given', async () => {
    const Policy = JSON.stringify({
      Statement: { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' },
    });
    const Tags = [
      { TagKey: 'b', TagValue: '1' },
      { TagKey: 'a', TagValue: '' },
    ];
    const { KeyMetadata } = await create({ Policy, Tags, Description: 'mine' });
    expect(fixture.region.store.policy(KeyMetadata.KeyId as never)).to.equal(Policy);
    expect(fixture.region.store.tags(KeyMetadata.KeyId as never)).to.deep.equal(Tags);
    expect(KeyMetadata.Description).to.equal('mine');
  });

  it('records nothing where the HSM fails', async () => {
    fixture.hsm.faults.push({ call: 'createMaterial', error: new HsmError('ERR_HSM_UNAVAILABLE', 'gone') });
    expect((await refusalOf(create())).code).to.equal('DependencyTimeoutException');
    expect(fixture.region.store.keyIds({ after: '', limit: 10 })).to.deep.equal([]);
  });

  it('names the mechanisms that the token would need', async () => {
    fixture.hsm.faults.push({
      call: 'createMaterial',
      error: new HsmError('ERR_HSM_STRATEGY', 'CKM_AES_GCM is missing'),
    });
    expect(await refusalOf(create())).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'CKM_AES_GCM is missing',
    });
  });

  it('refuses multi-Region keys where the regions have no data suite in common', async () => {
    fixture.replicator.suite = undefined;
    expect((await refusalOf(create({ MultiRegion: true }))).code).to.equal('UnsupportedOperationException');
  });

  it('refuses multi-Region keys in a region that is in no partition yet', async () => {
    const alone = makeSoftwareRegion({ regions: [] });
    expect(await refusalOf(createKey(alone.call, { MultiRegion: true }))).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'This region is not enrolled in a partition yet.',
    });
    expect((await createKey(alone.call, {})).KeyMetadata.KeyState).to.equal('Enabled');
    alone.close();
  });

  const OAEP = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'];
  const RSA_SIGNING = ['PKCS1_V1_5', 'PSS'].flatMap((scheme) =>
    [256, 384, 512].map((bits) => `RSASSA_${scheme}_SHA_${bits}`),
  );
  const made: readonly [RequestedKeySpec, RequestedKeyUsage, string, readonly string[]][] = [
    ['HMAC_224', 'GENERATE_VERIFY_MAC', 'MacAlgorithms', ['HMAC_SHA_224']],
    ['HMAC_256', 'GENERATE_VERIFY_MAC', 'MacAlgorithms', ['HMAC_SHA_256']],
    ['HMAC_384', 'GENERATE_VERIFY_MAC', 'MacAlgorithms', ['HMAC_SHA_384']],
    ['HMAC_512', 'GENERATE_VERIFY_MAC', 'MacAlgorithms', ['HMAC_SHA_512']],
    ['RSA_2048', 'ENCRYPT_DECRYPT', 'EncryptionAlgorithms', OAEP],
    ['RSA_2048', 'SIGN_VERIFY', 'SigningAlgorithms', RSA_SIGNING],
    ['RSA_3072', 'SIGN_VERIFY', 'SigningAlgorithms', RSA_SIGNING],
    ['ECC_NIST_P256', 'SIGN_VERIFY', 'SigningAlgorithms', ['ECDSA_SHA_256']],
    ['ECC_NIST_P256', 'KEY_AGREEMENT', 'KeyAgreementAlgorithms', ['ECDH']],
    ['ECC_NIST_P384', 'SIGN_VERIFY', 'SigningAlgorithms', ['ECDSA_SHA_384']],
    ['ECC_NIST_P384', 'KEY_AGREEMENT', 'KeyAgreementAlgorithms', ['ECDH']],
    ['ECC_NIST_P521', 'SIGN_VERIFY', 'SigningAlgorithms', ['ECDSA_SHA_512']],
    ['ECC_NIST_P521', 'KEY_AGREEMENT', 'KeyAgreementAlgorithms', ['ECDH']],
    ['ECC_SECG_P256K1', 'SIGN_VERIFY', 'SigningAlgorithms', ['ECDSA_SHA_256']],
    ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', 'SigningAlgorithms', ['ED25519_SHA_512', 'ED25519_PH_SHA_512']],
  ];
  for (const [KeySpec, KeyUsage, list, algorithms] of made) {
    it(`makes ${KeySpec} for ${KeyUsage}, and lists its algorithms under no other name`, async () => {
      const { KeyMetadata } = await create({ KeySpec, KeyUsage });
      expect(KeyMetadata).to.include({ KeySpec, CustomerMasterKeySpec: KeySpec, KeyUsage, KeyState: 'Enabled' });
      expect(KeyMetadata).to.have.deep.property(list, algorithms);
      expect(Object.keys(KeyMetadata).filter((name) => name.endsWith('Algorithms'))).to.deep.equal([list]);
      expect(KeyMetadata).to.not.have.property('CurrentKeyMaterialId');
      const record = fixture.region.store.key(KeyMetadata.KeyId as never);
      expect(record?.currentMaterial?.binding).to.include({ keySpec: KeySpec, keyUsage: KeyUsage, dataSuite: null });
      expect(record?.currentMaterial?.publicKey === null).to.equal(KeySpec.startsWith('HMAC'));
    });
  }

  it('makes multi-Region keys of other specs also where the regions have no data suite in common', async () => {
    fixture.replicator.suite = undefined;
    const { KeyMetadata } = await create({ MultiRegion: true, KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    expect(KeyMetadata).to.include({ MultiRegion: true, KeySpec: 'HMAC_256' });
  });

  it('names the mechanism that the token lacks for a spec, and makes nothing', async () => {
    fixture.hsm.refusals.set('ECC_NIST_EDWARDS25519', 'CKM_EDDSA is missing');
    expect(await refusalOf(create({ KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' }))).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'CKM_EDDSA is missing',
    });
    expect(fixture.hsm.calls).to.deep.equal([]);
  });

  describe('of a spec that the token wraps for no other region', () => {
    const pair = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const;
    beforeEach(() => {
      fixture.hsm.exportRefusals.set('ECC_NIST_P256', 'C_WrapKey returned CKR_KEY_NOT_WRAPPABLE');
    });

    it('names what the token lacks where it is to be a multi-Region key, and makes nothing', async () => {
      let births = 0;
      const issueBirth = fixture.replicator.issueBirth.bind(fixture.replicator);
      fixture.replicator.issueBirth = () => {
        births += 1;
        return issueBirth();
      };
      expect(await refusalOf(create({ ...pair, MultiRegion: true }))).to.deep.equal({
        code: 'UnsupportedOperationException',
        message: 'C_WrapKey returned CKR_KEY_NOT_WRAPPABLE',
      });
      expect(fixture.hsm.calls).to.deep.equal([]);
      expect(births).to.equal(0);
      expect(fixture.region.store.keyIds({ after: '', limit: 1 })).to.deep.equal([]);
    });

    it('makes single-Region keys of it, and multi-Region keys of other specs', async () => {
      expect((await create(pair)).KeyMetadata.KeyState).to.equal('Enabled');
      const { KeyMetadata } = await create({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', MultiRegion: true });
      expect(KeyMetadata.KeyState).to.equal('Enabled');
    });

    it('makes multi-Region keys of it whose material is imported in each region', async () => {
      const { KeyMetadata } = await create({ ...pair, MultiRegion: true, Origin: 'EXTERNAL' });
      expect(KeyMetadata).to.include({ KeyState: 'PendingImport', MultiRegion: true });
    });
  });

  it('asks to try again where replication has stopped', async () => {
    fixture.replicator.issueBirth = () => Promise.reject(new ReplicationError('ERR_REPL_UNAVAILABLE', 'stopped'));
    expect((await refusalOf(create({ MultiRegion: true }))).code).to.equal('DependencyTimeoutException');
  });

  const refusals: readonly [string, Parameters<typeof createKey>[1], string, string?][] = [
    [
      'both names of the key spec',
      { KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
      'ValidationException',
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    ],
    [
      'a spec without usage',
      { KeySpec: 'HMAC_256' },
      'ValidationException',
      'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    ],
    [
      'a usage that the spec does not have',
      { KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' },
      'ValidationException',
      'KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048',
    ],
    [
      'a spec that is not made here',
      { KeySpec: 'ML_DSA_65', KeyUsage: 'SIGN_VERIFY' },
      'UnsupportedOperationException',
      'KeySpec ML_DSA_65 is not supported here: it needs CKM_ML_DSA_KEY_PAIR_GEN and CKM_ML_DSA of PKCS #11 3.2, which are not used yet.',
    ],
    [
      'a usage of another spec for a spec that is not made here',
      { KeySpec: 'ML_KEM_768', KeyUsage: 'SIGN_VERIFY' },
      'ValidationException',
      'KeyUsage SIGN_VERIFY is not compatible with KeySpec ML_KEM_768',
    ],
    ['a custom key store without its id', { Origin: 'AWS_CLOUDHSM' }, 'ValidationException'],
    ['a custom key store', { Origin: 'AWS_CLOUDHSM', CustomKeyStoreId: 'cks-1' }, 'CustomKeyStoreNotFoundException'],
    ['a custom key store id for its own keys', { CustomKeyStoreId: 'cks-1' }, 'ValidationException'],
    ['an external key id for its own keys', { XksKeyId: 'x' }, 'ValidationException'],
    [
      'another spec in a custom key store',
      { Origin: 'EXTERNAL_KEY_STORE', KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      'ValidationException',
      'KeySpec HMAC_256 is not supported for Origin EXTERNAL_KEY_STORE',
    ],
    [
      'a tag key twice',
      {
        Tags: [
          { TagKey: 'a', TagValue: '1' },
          { TagKey: 'a', TagValue: '2' },
        ],
      },
      'TagException',
      'Duplicate tag keys',
    ],
    [
      'reserved tags',
      { Tags: [{ TagKey: 'AWS:a', TagValue: '1' }] },
      'TagException',
      'Tags beginning with aws: are reserved',
    ],
    [
      'more than fifty tags',
      { Tags: Array.from({ length: 51 }, (_, index) => ({ TagKey: `k${index}`, TagValue: '' })) },
      'TagException',
      'Too many tags',
    ],
    ['a policy that is not JSON', { Policy: '{' }, 'MalformedPolicyDocumentException'],
    ['a policy that is too long', { Policy: ' '.repeat(32_769) }, 'LimitExceededException'],
  ];
  for (const [what, request, code, message] of refusals) {
    it(`refuses ${what}, before the HSM is asked`, async () => {
      const refusal = await refusalOf(create(request));
      expect(refusal.code).to.equal(code);
      if (message !== undefined) expect(refusal.message).to.equal(message);
      expect(fixture.hsm.calls).to.deep.equal([]);
    });
  }

  it('refuses principals of another account', async () => {
    const stranger = fixture.callAs('arn:aws:iam::999988887777:root');
    expect((await refusalOf(createKey(stranger, {}))).code).to.equal('AccessDeniedException');
  });

  describe('the lockout safety check', () => {
    const policy = (...statements: readonly object[]) =>
      JSON.stringify({ Version: '2012-10-17', Statement: statements });
    const allow = (principal: unknown, action: unknown) => ({
      Effect: 'Allow',
      Principal: principal,
      Action: action,
      Resource: '*',
    });

    for (const [what, text] of [
      ['the account by ARN', policy(allow({ AWS: ROOT }, 'kms:*'))],
      ['the account by number', policy(allow({ AWS: ['111122223333'] }, ['kms:Encrypt', 'kms:PutKeyPolicy']))],
      ['everybody', policy(allow('*', '*'))],
      ['a pattern of actions', policy(allow({ AWS: '*' }, 'KMS:Put?eyPol*'))],
      ['a pattern with several stars', policy(allow({ AWS: '*' }, '*:*Key*ol*y**'))],
    ] as const) {
      it(`accepts a policy that lets the caller change it through ${what}`, async () => {
        expect((await create({ Policy: text })).KeyMetadata.KeyState).to.equal('Enabled');
      });
    }

    for (const [what, text] of [
      ['somebody else', policy(allow({ AWS: 'arn:aws:iam::111122223333:user/bob' }, 'kms:*'))],
      ['another action', policy(allow({ AWS: ROOT }, 'kms:Encrypt'))],
      [
        'patterns of other actions',
        policy(allow({ AWS: ROOT }, ['kms:Put*s', 'kms:?PutKeyPolicy', 'kms:PutKeyPolicy?', 'kmsx:*'])),
      ],
      ['a service', policy(allow({ Service: 'x.amazonaws.com' }, 'kms:*'))],
      [
        'what a Deny takes back',
        policy(allow('*', 'kms:*'), { Effect: 'Deny', Principal: '*', Action: 'kms:Put*', Resource: '*' }),
      ],
      ['a condition', policy({ ...allow('*', 'kms:*'), Condition: { Bool: { 'aws:SecureTransport': 'true' } } })],
    ] as const) {
      it(`refuses a policy that leaves the change to ${what}, unless the check is bypassed`, async () => {
        expect(await refusalOf(create({ Policy: text }))).to.deep.equal({
          code: 'MalformedPolicyDocumentException',
          message: 'The new key policy will not allow you to update the key policy in the future.',
        });
        const bypassed = await create({ Policy: text, BypassPolicyLockoutSafetyCheck: true });
        expect(bypassed.KeyMetadata.KeyState).to.equal('Enabled');
      });
    }

    for (const text of [
      '[]',
      '{}',
      '{"Statement":[]}',
      '{"Statement":[1]}',
      '{"Version":"2020-01-01","Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}',
      '{"Statement":{"Effect":"Perhaps","Principal":"*"}}',
      '{"Statement":{"Effect":"Allow","Action":"*"}}',
      '{"Statement":{"Effect":"Allow","Principal":"arn:aws:iam::111122223333:root","Action":"*"}}',
      '{"Statement":{"Effect":"Allow","Principal":{"AWS":7},"Action":"*"}}',
    ]) {
      it(`refuses ${text} even where the check is bypassed`, async () => {
        const refusal = await refusalOf(create({ Policy: text, BypassPolicyLockoutSafetyCheck: true }));
        expect(refusal.code).to.equal('MalformedPolicyDocumentException');
      });
    }
  });
});
