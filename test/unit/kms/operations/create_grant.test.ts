import { expect } from 'chai';
import { createGrant, type CreateGrantRequest } from '../../../../src/kms/operations/create_grant.js';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { generateMac } from '../../../../src/kms/operations/generate_mac.js';
import { listGrants } from '../../../../src/kms/operations/list_grants.js';
import { scheduleKeyDeletion } from '../../../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../../../src/kms/region.js';
import { ALICE, BOB, codeOf, makeGrantScene, type GrantScene } from '../../../support/grant_scene.js';
import { allowing, callWith } from '../../../support/call_with.js';
import { ACCOUNT, type SoftwareRegion } from '../../../support/software_region.js';

const Plaintext = Buffer.from('a message');

describe('Grants', () => {
  let fixture: SoftwareRegion;
  let arn: string;
  let alice: Call;
  let bob: Call;
  let grant: GrantScene['grant'];
  let may: GrantScene['may'];

  beforeEach(async () => {
    ({ fixture, arn, alice, bob, grant, may } = await makeGrantScene());
  });
  afterEach(() => fixture.close());

  describe('that are asked for', () => {
    it('again under the same name are the same, with another token', async () => {
      const first = await grant({ Name: 'daily', Operations: ['Encrypt', 'Decrypt', 'Encrypt'] });
      const again = await grant({ Name: 'daily', Operations: ['Decrypt', 'Encrypt'] });
      expect(again.GrantId).to.equal(first.GrantId);
      expect(again.GrantToken).not.to.equal(first.GrantToken);
      await encrypt(alice, { KeyId: arn, Plaintext, GrantTokens: [first.GrantToken, again.GrantToken] });
      const others = [
        await grant({ Name: 'daily', Operations: ['Encrypt'] }),
        await grant({ Name: 'daily', RetiringPrincipal: BOB }),
        await grant({ Name: 'daily', Constraints: { EncryptionContextSubset: { a: 'b' } } }),
        await grant({ Name: 'daily', Constraints: { EncryptionContextEquals: { a: 'b' } } }),
        await grant({ Name: 'weekly' }),
        await grant(),
        await grant(),
      ];
      expect(new Set([first, ...others].map(({ GrantId }) => GrantId))).to.have.property('size', 8);
    });

    const CONSTRAINTS = { Constraints: { EncryptionContextSubset: { a: 'b' } } };
    const SOURCE = { SourceArn: `arn:aws:ec2:us-east-1:${ACCOUNT}:instance/i-1` };
    for (const [what, more, code] of [
      ['no grantee', { GranteePrincipal: undefined }, 'ValidationException'],
      ['two grantees', { GranteeServicePrincipal: 'ec2.amazonaws.com' }, 'ValidationException'],
      ['a grantee that is no principal', { GranteePrincipal: 'alice' }, 'InvalidArnException'],
      ['a group', { GranteePrincipal: `arn:aws:iam::${ACCOUNT}:group/g` }, 'InvalidArnException'],
      ['no operation', { Operations: [] }, 'ValidationException'],
      ['an operation of other keys', { Operations: ['Sign'] }, 'ValidationException'],
      [
        'two that may retire it',
        { RetiringPrincipal: BOB, RetiringServicePrincipal: 'ec2.amazonaws.com' },
        'ValidationException',
      ],
      [
        'a service without a source',
        { GranteePrincipal: undefined, GranteeServicePrincipal: 'ec2.amazonaws.com', RetiringPrincipal: BOB },
        'ValidationException',
      ],
      [
        'a service that nobody retires',
        { GranteePrincipal: undefined, GranteeServicePrincipal: 'ec2.amazonaws.com', Constraints: SOURCE },
        'ValidationException',
      ],
      [
        'nine pairs',
        {
          Constraints: {
            EncryptionContextEquals: Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, 'v'])),
          },
        },
        'ValidationException',
      ],
      ['a long value', { Constraints: { EncryptionContextEquals: { a: 'v'.repeat(385) } } }, 'ValidationException'],
      ['a token that is none', { GrantTokens: ['AQ=='] }, 'InvalidGrantTokenException'],
      ['a dry run of all that is right', { DryRun: true, ...CONSTRAINTS }, 'DryRunOperationException'],
    ] as const) {
      it(`with ${what} are answered with ${code}, and not made`, async () => {
        const request = { GranteePrincipal: ALICE, Operations: ['Encrypt'], ...more, KeyId: arn };
        expect(await codeOf(createGrant(fixture.call, request as CreateGrantRequest))).to.equal(code);
        expect((await listGrants(fixture.call, { KeyId: arn })).Grants).to.deep.equal([]);
      });
    }

    it('for a service, with its source and who retires it, are made', async () => {
      await grant({
        GranteePrincipal: undefined as never,
        GranteeServicePrincipal: 'ec2.amazonaws.com',
        RetiringServicePrincipal: 'ec2.amazonaws.com',
        Constraints: SOURCE,
      });
      const [listed] = (await listGrants(fixture.call, { KeyId: arn })).Grants;
      expect(listed).to.deep.include({
        GranteeServicePrincipal: 'ec2.amazonaws.com',
        RetiringServicePrincipal: 'ec2.amazonaws.com',
        Constraints: SOURCE,
      });
    });

    it('on keys that are not symmetric take no encryption context', async () => {
      const made = await createKey(fixture.call, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
      const KeyId = made.KeyMetadata.Arn;
      expect(await codeOf(grant({ KeyId, Operations: ['GenerateMac'], ...CONSTRAINTS }))).to.equal(
        'ValidationException',
      );
      expect(await codeOf(grant({ KeyId, Operations: ['GenerateDataKey'] }))).to.equal('ValidationException');
      await grant({ KeyId, Operations: ['GenerateMac'] });
      expect((await generateMac(alice, { KeyId, Message: Plaintext, MacAlgorithm: 'HMAC_SHA_256' })).KeyId).to.equal(
        KeyId,
      );
    });

    it('on a key that is to be deleted are refused by its state', async () => {
      await scheduleKeyDeletion(fixture.call, { KeyId: arn });
      expect(await codeOf(grant())).to.equal('KMSInvalidStateException');
    });

    it('can be kept to some operations, grantees and constraints by a policy', async () => {
      const call = callWith(fixture, BOB, [
        {
          ...allowing('CreateGrant'),
          Condition: {
            'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'DescribeKey'] },
            StringEquals: { 'kms:GranteePrincipal': ALICE, 'kms:GrantConstraintType': 'EncryptionContextSubset' },
            Null: { 'kms:RetiringPrincipal': 'true' },
            Bool: { 'kms:GrantIsForAWSResource': 'false' },
          },
        },
      ]);
      const right = { Operations: ['Encrypt'], ...CONSTRAINTS } as const;
      expect((await grant(right, call)).GrantId).to.have.length(64);
      for (const wrong of [
        { Operations: ['Decrypt'] },
        { GranteePrincipal: BOB },
        { Constraints: {} },
        { RetiringPrincipal: BOB },
      ] as const) {
        expect(await codeOf(grant({ ...right, ...wrong }, call))).to.equal('AccessDeniedException');
      }
    });
  });

  describe('that are handed on', () => {
    it('are no more than the grant that allows it', async () => {
      await grant({
        Operations: ['CreateGrant', 'Encrypt', 'Decrypt'],
        Constraints: { EncryptionContextSubset: { a: '1' } },
      });
      const hand = (more: Partial<CreateGrantRequest>) =>
        grant({ GranteePrincipal: BOB, Operations: ['Encrypt'], ...more }, alice);
      await hand({ Constraints: { EncryptionContextSubset: { a: '1', b: '2' } } });
      await hand({ Constraints: { EncryptionContextEquals: { a: '1' } } });
      expect(await may(bob, { a: '1' })).to.equal(true);
      expect(await may(bob, { a: '1', c: '3' })).to.equal(false);
      for (const wrong of [
        {},
        { Constraints: { EncryptionContextSubset: { a: '2' } } },
        { Constraints: { EncryptionContextSubset: { b: '2' } } },
        { Operations: ['DescribeKey'], Constraints: { EncryptionContextEquals: { a: '1' } } },
      ] as const) {
        expect(await codeOf(hand(wrong))).to.equal('AccessDeniedException');
      }
    });

    it('never turn the whole of a context into a part of one', async () => {
      await grant({ Operations: ['CreateGrant', 'Encrypt'], Constraints: { EncryptionContextEquals: { a: '1' } } });
      const hand = (Constraints: CreateGrantRequest['Constraints']) =>
        grant(
          { GranteePrincipal: BOB, Operations: ['Encrypt'], ...(Constraints !== undefined && { Constraints }) },
          alice,
        );
      expect(await codeOf(hand({ EncryptionContextSubset: { a: '1' } }))).to.equal('AccessDeniedException');
      expect(await codeOf(hand({ EncryptionContextEquals: { a: '1', b: '2' } }))).to.equal('AccessDeniedException');
      expect((await hand({ EncryptionContextEquals: { a: '1' } })).GrantId).to.have.length(64);
    });
  });
});
