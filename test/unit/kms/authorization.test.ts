import { expect } from 'chai';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../src/kms/operations/decrypt.js';
import { describeKey } from '../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../src/kms/operations/encrypt.js';
import { generateRandom } from '../../../src/kms/operations/generate_random.js';
import { listKeys } from '../../../src/kms/operations/list_keys.js';
import { putKeyPolicy } from '../../../src/kms/operations/put_key_policy.js';
import { reEncrypt } from '../../../src/kms/operations/re_encrypt.js';
import { scheduleKeyDeletion } from '../../../src/kms/operations/schedule_key_deletion.js';
import { sign } from '../../../src/kms/operations/sign.js';
import { createAlias } from '../../../src/kms/operations/create_alias.js';
import { tagResource } from '../../../src/kms/operations/tag_resource.js';
import type { Call } from '../../../src/kms/region.js';
import { allowing, callWith, keyPolicy, NOTHING, USER_ARN } from '../../support/call_with.js';
import { ACCOUNT, makeSoftwareRegion, refusalOf, ROOT, type SoftwareRegion } from '../../support/software_region.js';

const ALICE = `${USER_ARN}/alice`;
const EVE = 'arn:aws:iam::999988887777:user/eve';
const Plaintext = Buffer.from('a message');
const FOREIGN = `User: ${EVE} is not authorized to perform this operation on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`;

describe('Access to a key', () => {
  let fixture: SoftwareRegion;
  let arn: string;

  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    arn = await makeKey();
  });
  afterEach(() => fixture.close());

  async function makeKey(request: Parameters<typeof createKey>[1] = {}): Promise<string> {
    return (await createKey(fixture.call, request)).KeyMetadata.Arn;
  }

  async function put(policy: string): Promise<void> {
    await putKeyPolicy(fixture.call, { KeyId: arn, Policy: policy, BypassPolicyLockoutSafetyCheck: true });
  }

  /** `yes`, or the text of the refusal. */
  async function answer(call: Call, KeyId = arn): Promise<string> {
    try {
      await encrypt(call, { KeyId, Plaintext, EncryptionContext: { App: 'shop', Tier: '1' } });
      return 'yes';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  function refused(principal: string, reason: string, operation = 'Encrypt', resource = arn): string {
    return `User: ${principal} is not authorized to perform: kms:${operation} on resource: ${resource} ${reason}`;
  }

  it('is left to identity policies by the default key policy', async () => {
    expect(await answer(fixture.callAs(ALICE))).to.equal('yes');
    expect(await answer(callWith(fixture, ALICE, [allowing('En*')]))).to.equal('yes');
    expect(await answer(callWith(fixture, ALICE, [{ ...allowing('Encrypt'), Resource: arn }]))).to.equal('yes');
    const reason = 'because no identity-based policy allows the kms:Encrypt action';
    expect(await answer(callWith(fixture, ALICE, NOTHING))).to.equal(refused(ALICE, reason));
    expect(await answer(callWith(fixture, ALICE, [{ ...allowing('Encrypt'), Resource: `${arn}x` }]))).to.equal(
      refused(ALICE, reason),
    );
  });

  it('is never taken from the root of the account by an identity policy', async () => {
    expect(await answer(callWith(fixture, ROOT, NOTHING))).to.equal('yes');
  });

  it('is given by a key policy that names the principal, whatever its identity policy leaves out', async () => {
    await put(keyPolicy({ Principal: { AWS: ALICE }, Action: 'kms:Encrypt' }));
    expect(await answer(callWith(fixture, ALICE, NOTHING))).to.equal('yes');
    expect((await refusalOf(describeKey(callWith(fixture, ALICE, NOTHING), { KeyId: arn }))).message).to.equal(
      refused(ALICE, 'because no resource-based policy allows the kms:DescribeKey action', 'DescribeKey'),
    );
  });

  it('is refused to everybody whom a key policy does not name, once it does not name the account', async () => {
    await put(keyPolicy({ Principal: { AWS: ALICE } }));
    const reason = 'because no resource-based policy allows the kms:Encrypt action';
    expect(await answer(fixture.callAs(`${USER_ARN}/bob`))).to.equal(refused(`${USER_ARN}/bob`, reason));
    expect(await answer(fixture.call)).to.equal(refused(ROOT, reason));
  });

  it('is refused by an explicit denial on either side', async () => {
    const denial = { ...allowing('Encrypt'), Effect: 'Deny' };
    expect(await answer(callWith(fixture, ALICE, [allowing('*'), denial]))).to.equal(
      refused(ALICE, 'with an explicit deny in an identity-based policy'),
    );
    await put(keyPolicy({ Principal: { AWS: ROOT } }, { Effect: 'Deny', Principal: { AWS: ALICE } }));
    expect(await answer(fixture.callAs(ALICE))).to.equal(
      refused(ALICE, 'with an explicit deny in a resource-based policy'),
    );
    expect(await answer(fixture.callAs(`${USER_ARN}/bob`))).to.equal('yes');
  });

  it('by another account needs both, and the ARN of the key', async () => {
    expect(await answer(fixture.callAs(EVE))).to.equal(FOREIGN);
    await put(keyPolicy({ Principal: { AWS: ROOT } }, { Principal: { AWS: '999988887777' }, Action: 'kms:Encrypt' }));
    expect(await answer(fixture.callAs(EVE))).to.equal('yes');
    expect(await answer(callWith(fixture, EVE, NOTHING))).to.equal(
      refused(EVE, 'because no identity-based policy allows the kms:Encrypt action'),
    );
    const keyId = arn.split('/')[1] ?? '';
    expect(await answer(fixture.callAs(EVE), keyId)).to.equal(
      `Key 'arn:aws:kms:us-east-1:999988887777:key/${keyId}' does not exist`,
    );
    const missing = arn.replace(/.{12}$/, '000000000000');
    expect(await answer(fixture.callAs(EVE), missing)).to.equal(FOREIGN);
    expect(await answer(fixture.call, missing)).to.equal(`Key '${missing}' does not exist`);
  });

  it('by another account is never more than using it', async () => {
    await put(keyPolicy({ Principal: '*' }));
    expect(await answer(fixture.callAs(EVE))).to.equal('yes');
    const refusal = await refusalOf(scheduleKeyDeletion(fixture.callAs(EVE), { KeyId: arn }));
    expect(refusal).to.deep.equal({ code: 'AccessDeniedException', message: FOREIGN });
  });

  it('tells whoever may not use it nothing of its state', async () => {
    await scheduleKeyDeletion(fixture.call, { KeyId: arn });
    expect(await answer(callWith(fixture, ALICE, NOTHING))).to.contain('is not authorized to perform');
    expect(await answer(fixture.call)).to.contain('is pending deletion');
  });

  it('follows a policy from the next request on', async () => {
    expect(await answer(fixture.callAs(ALICE))).to.equal('yes');
    await put(keyPolicy({ Principal: { AWS: `${USER_ARN}/bob` } }));
    expect(await answer(fixture.callAs(ALICE))).to.contain('no resource-based policy');
  });

  it('is kept for the root where a policy cannot be read', async () => {
    fixture.region.store.setPolicy(arn.split('/')[1] as never, '{"Statement":[{"Effect":"Maybe"}]}');
    expect(await answer(fixture.callAs(ALICE))).to.contain('no resource-based policy');
    await put(keyPolicy({ Principal: { AWS: ALICE } }));
    expect(await answer(fixture.callAs(ALICE))).to.equal('yes');
  });

  for (const [what, condition, fits] of [
    ['the algorithm', { StringEquals: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' } }, true],
    ['another algorithm', { StringEquals: { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_256' } }, false],
    ['a pair of the encryption context', { StringEquals: { 'kms:EncryptionContext:App': 'shop' } }, true],
    ['the same in other case', { StringEquals: { 'kms:EncryptionContext:app': 'shop' } }, true],
    ['a value in other case', { StringEquals: { 'kms:EncryptionContext:App': 'Shop' } }, false],
    ['a pair that is not there', { StringEquals: { 'kms:EncryptionContext:Stage': '1' } }, false],
    [
      'names of the encryption context',
      { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['App', 'Tier'] } },
      true,
    ],
    ['fewer names', { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': 'App' } }, false],
    ['the key spec', { StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } }, true],
    ['the key usage', { StringEquals: { 'kms:KeyUsage': 'SIGN_VERIFY' } }, false],
    ['the origin', { StringEquals: { 'kms:KeyOrigin': 'AWS_KMS' } }, true],
    ['multi-Region keys', { Bool: { 'kms:MultiRegion': 'true' } }, false],
    ['the account', { StringEquals: { 'kms:CallerAccount': ACCOUNT } }, true],
    ['the principal', { ArnLike: { 'aws:PrincipalArn': `${USER_ARN}/al*` } }, true],
    ['the user', { StringEquals: { 'aws:username': 'bob' } }, false],
    ['the region', { StringEquals: { 'aws:RequestedRegion': 'us-east-1' } }, true],
    ['a moment that has passed', { DateLessThan: { 'aws:CurrentTime': '2025-12-31T23:59:59Z' } }, false],
    ['a moment that is to come', { DateLessThan: { 'aws:CurrentTime': '2026-01-02' } }, true],
    ['a tag', { StringEquals: { 'aws:ResourceTag/team': 'shop' } }, true],
    ['an alias of the key', { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/sh*' } }, true],
    ['the alias in the request', { StringEquals: { 'kms:RequestAlias': 'alias/shop' } }, false],
    ['a service between', { StringEquals: { 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' } }, false],
  ] as const) {
    it(`${fits ? 'is given' : 'is not given'} on the condition of ${what}`, async () => {
      await createAlias(fixture.call, { AliasName: 'alias/shop', TargetKeyId: arn });
      await tagResource(fixture.call, { KeyId: arn, Tags: [{ TagKey: 'team', TagValue: 'shop' }] });
      await put(keyPolicy({ Principal: { AWS: ALICE }, Condition: condition }));
      expect((await answer(fixture.callAs(ALICE))) === 'yes').to.equal(fits);
    });
  }

  it('can depend on the alias that a request names', async () => {
    await createAlias(fixture.call, { AliasName: 'alias/shop', TargetKeyId: arn });
    await put(keyPolicy({ Principal: '*', Condition: { StringEquals: { 'kms:RequestAlias': 'alias/shop' } } }));
    expect(await answer(fixture.callAs(ALICE), 'alias/shop')).to.equal('yes');
    expect(await answer(fixture.callAs(ALICE), arn)).to.contain('is not authorized');
  });

  it('to sign can depend on algorithm and message type', async () => {
    const KeyId = await makeKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const alice = callWith(fixture, ALICE, [
      {
        ...allowing('Sign'),
        Condition: { StringEquals: { 'kms:MessageType': 'RAW', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } },
      },
    ]);
    const request = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: Buffer.alloc(32) } as const;
    expect((await sign(alice, request)).KeyId).to.equal(KeyId);
    expect((await refusalOf(sign(alice, { ...request, MessageType: 'DIGEST' }))).code).to.equal(
      'AccessDeniedException',
    );
  });

  it('to re-encrypt is asked for on both sides, and can depend on whether they are one key', async () => {
    const other = await makeKey();
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: arn, Plaintext });
    const same = { ...allowing('ReEncrypt*'), Condition: { Bool: { 'kms:ReEncryptOnSameKey': 'true' } } };
    const alice = callWith(fixture, ALICE, [same]);
    expect((await reEncrypt(alice, { CiphertextBlob, DestinationKeyId: arn })).KeyId).to.equal(arn);
    expect((await refusalOf(reEncrypt(alice, { CiphertextBlob, DestinationKeyId: other }))).code).to.equal(
      'AccessDeniedException',
    );
    const from = callWith(fixture, ALICE, [allowing('ReEncryptFrom')]);
    expect((await refusalOf(reEncrypt(from, { CiphertextBlob, DestinationKeyId: other }))).message).to.equal(
      refused(ALICE, 'because no identity-based policy allows the kms:ReEncryptTo action', 'ReEncryptTo', other),
    );
  });

  it('to decrypt without naming the key tells nothing of why it is refused', async () => {
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: arn, Plaintext });
    const alice = callWith(fixture, ALICE, [allowing('Encrypt')]);
    expect((await refusalOf(decrypt(alice, { CiphertextBlob }))).message).to.contain(
      'or you are not allowed to access',
    );
  });
});

describe('Access to what is no key', () => {
  let fixture: SoftwareRegion;

  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  it('is decided by the identity policy', async () => {
    const alice = callWith(fixture, ALICE, [allowing('ListKeys')]);
    expect((await listKeys(alice, {})).Keys).to.deep.equal([]);
    expect((await refusalOf(generateRandom(alice, { NumberOfBytes: 1 }))).message).to.equal(
      `User: ${ALICE} is not authorized to perform: kms:GenerateRandom on resource: * because no identity-based policy allows the kms:GenerateRandom action`,
    );
  });

  it('lets CreateKey depend on what the key is to be', async () => {
    const small = { ...allowing('CreateKey'), Condition: { StringEquals: { 'kms:KeySpec': 'HMAC_256' } } };
    const alice = callWith(fixture, ALICE, [small]);
    const hmac = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const;
    expect((await createKey(alice, hmac)).KeyMetadata.KeySpec).to.equal('HMAC_256');
    expect((await refusalOf(createKey(alice, {}))).code).to.equal('AccessDeniedException');
    expect((await refusalOf(createKey(alice, { ...hmac, Tags: [{ TagKey: 'a', TagValue: 'b' }] }))).message).to.contain(
      'kms:TagResource',
    );
  });

  it('asks for an alias and for its key', async () => {
    const { Arn: TargetKeyId } = (await createKey(fixture.call, {})).KeyMetadata;
    const statements = (resource: string) => [{ ...allowing('CreateAlias'), Resource: resource }];
    const AliasName = 'alias/a';
    for (const resource of [TargetKeyId, `arn:aws:kms:us-east-1:${ACCOUNT}:alias/*`]) {
      const alice = callWith(fixture, ALICE, statements(resource));
      expect((await refusalOf(createAlias(alice, { AliasName, TargetKeyId }))).code).to.equal('AccessDeniedException');
    }
    await createAlias(callWith(fixture, ALICE, statements('*')), { AliasName, TargetKeyId });
  });
});

describe('The lockout safety check', () => {
  it('takes a policy whose condition holds for its caller, and refuses one whose condition does not', async () => {
    const fixture = makeSoftwareRegion();
    const made = createKey(fixture.call, {
      Policy: keyPolicy({ Principal: '*', Condition: { StringEquals: { 'kms:CallerAccount': ACCOUNT } } }),
    });
    expect((await made).KeyMetadata.KeyState).to.equal('Enabled');
    const Policy = keyPolicy({ Principal: '*', Condition: { StringEquals: { 'kms:CallerAccount': '999988887777' } } });
    expect((await refusalOf(createKey(fixture.call, { Policy }))).message).to.equal(
      'The new key policy will not allow you to update the key policy in the future.',
    );
    fixture.close();
  });
});
