import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { listGrants } from '../../../../src/kms/operations/list_grants.js';
import { listRetirableGrants } from '../../../../src/kms/operations/list_retirable_grants.js';
import { putKeyPolicy } from '../../../../src/kms/operations/put_key_policy.js';
import { reEncrypt } from '../../../../src/kms/operations/re_encrypt.js';
import { retireGrant } from '../../../../src/kms/operations/retire_grant.js';
import { revokeGrant } from '../../../../src/kms/operations/revoke_grant.js';
import { scheduleKeyDeletion } from '../../../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../../../src/kms/region.js';
import { ALICE, BOB, codeOf, makeGrantScene, type GrantScene } from '../../../support/grant_scene.js';
import { allowing, callWith, keyPolicy, NOTHING, USER_ARN } from '../../../support/call_with.js';
import { ACCOUNT, ROOT, type SoftwareRegion } from '../../../support/software_region.js';

const EVE = 'arn:aws:iam::999988887777:user/eve';
const Plaintext = Buffer.from('a message');
const DAY_MS = 24 * 60 * 60 * 1000;

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

  describe('that are made', () => {
    it('let the grantee do what they name at once, and nothing else', async () => {
      expect(await may(alice)).to.equal(false);
      const { GrantId, GrantToken } = await grant();
      expect(GrantId).to.match(/^[0-9a-f]{64}$/);
      const { CiphertextBlob } = await encrypt(alice, { KeyId: arn, Plaintext });
      expect(Buffer.from((await decrypt(alice, { CiphertextBlob })).Plaintext)).to.deep.equal(Plaintext);
      expect((await encrypt(alice, { KeyId: arn, Plaintext, GrantTokens: [GrantToken] })).KeyId).to.equal(arn);
      expect(await codeOf(describeKey(alice, { KeyId: arn }))).to.equal('AccessDeniedException');
      expect(await may(bob)).to.equal(false);
    });

    it('let the grantee of another account in, where its own policy allows it', async () => {
      await grant({ GranteePrincipal: EVE });
      expect(await may(fixture.callAs(EVE))).to.equal(true);
      expect(await may(callWith(fixture, EVE, NOTHING))).to.equal(false);
    });

    it('to a role work for its sessions', async () => {
      await grant({ GranteePrincipal: `arn:aws:iam::${ACCOUNT}:role/path/writer` });
      const session = `arn:aws:sts::${ACCOUNT}:assumed-role/writer/s1`;
      expect(await may(callWith(fixture, session, NOTHING))).to.equal(true);
      expect(await may(callWith(fixture, session.replace('writer', 'reader'), NOTHING))).to.equal(false);
    });

    it('to an account work for those whom its policies let', async () => {
      await putKeyPolicy(fixture.call, {
        KeyId: arn,
        Policy: keyPolicy({ Principal: { AWS: BOB } }),
        BypassPolicyLockoutSafetyCheck: true,
      });
      await grant({ GranteePrincipal: ROOT }, bob);
      expect(await may(alice)).to.equal(false);
      expect(await may(callWith(fixture, ALICE, [allowing('Encrypt')]))).to.equal(true);
      expect(await may(fixture.call)).to.equal(true);
    });

    it('never outweigh a denial', async () => {
      await grant();
      expect(await may(callWith(fixture, ALICE, [{ ...allowing('Encrypt'), Effect: 'Deny' }]))).to.equal(false);
      const Policy = keyPolicy({ Principal: { AWS: ROOT } }, { Effect: 'Deny', Principal: '*', Action: 'kms:Encrypt' });
      await putKeyPolicy(fixture.call, { KeyId: arn, Policy });
      expect(await may(alice)).to.equal(false);
    });

    it('are told apart by constraints on the encryption context', async () => {
      await grant({ Constraints: { EncryptionContextSubset: { App: 'shop' } } });
      expect(await may(alice, { App: 'shop', Tier: '1' })).to.equal(true);
      expect(await may(alice, { App: 'Shop' })).to.equal(false);
      expect(await may(alice, { app: 'shop' })).to.equal(false);
      expect(await may(alice)).to.equal(false);
      await grant({ GranteePrincipal: BOB, Constraints: { EncryptionContextEquals: { App: 'shop' } } });
      expect(await may(bob, { App: 'shop' })).to.equal(true);
      expect(await may(bob, { App: 'shop', Tier: '1' })).to.equal(false);
    });

    it('for a service’s resource work for nobody who is no service', async () => {
      await grant({ Constraints: { SourceArn: `arn:aws:ec2:us-east-1:${ACCOUNT}:instance/i-1` } });
      expect(await may(alice)).to.equal(false);
    });

    it('with DescribeKey work whatever the encryption context', async () => {
      await grant({ Operations: ['DescribeKey'], Constraints: { EncryptionContextEquals: { App: 'shop' } } });
      expect((await describeKey(alice, { KeyId: arn })).KeyMetadata.Arn).to.equal(arn);
    });

    it('are asked for on both keys of a re-encryption', async () => {
      const other = (await createKey(fixture.call, {})).KeyMetadata.Arn;
      const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: arn, Plaintext });
      const { GrantToken: from } = await grant({ Operations: ['ReEncryptFrom'] });
      const request = { CiphertextBlob, DestinationKeyId: other };
      expect(await codeOf(reEncrypt(alice, request))).to.equal('AccessDeniedException');
      const { GrantToken: to } = await grant({ KeyId: other, Operations: ['ReEncryptTo'] });
      expect((await reEncrypt(alice, { ...request, GrantTokens: [from, to] })).KeyId).to.equal(other);
    });

    it('belong to one key', async () => {
      const other = (await createKey(fixture.call, {})).KeyMetadata.Arn;
      await grant();
      expect(await may(alice, {}, other)).to.equal(false);
    });

    it('go with their key', async () => {
      const { GrantToken } = await grant({ RetiringPrincipal: BOB });
      await scheduleKeyDeletion(fixture.call, { KeyId: arn });
      fixture.clock.ms += 31 * DAY_MS;
      await fixture.deadlines.runDue();
      expect((await listRetirableGrants(fixture.call, { RetiringPrincipal: BOB })).Grants).to.deep.equal([]);
      expect(await codeOf(retireGrant(bob, { GrantToken }))).to.equal('InvalidGrantTokenException');
    });
  });

  describe('that end', () => {
    it('by RevokeGrant permit nothing any more', async () => {
      const { GrantId, GrantToken } = await grant();
      expect(await may(alice)).to.equal(true);
      expect(await codeOf(revokeGrant(alice, { KeyId: arn, GrantId }))).to.equal('AccessDeniedException');
      expect(await codeOf(revokeGrant(fixture.call, { KeyId: arn, GrantId, DryRun: true }))).to.equal(
        'DryRunOperationException',
      );
      expect(await may(alice)).to.equal(true);
      await revokeGrant(fixture.call, { KeyId: arn, GrantId });
      expect(await may(alice)).to.equal(false);
      expect(await codeOf(encrypt(fixture.call, { KeyId: arn, Plaintext, GrantTokens: [GrantToken] }))).to.equal(
        'InvalidGrantTokenException',
      );
      expect(await codeOf(revokeGrant(fixture.call, { KeyId: arn, GrantId }))).to.equal('NotFoundException');
      expect(await codeOf(revokeGrant(fixture.call, { KeyId: arn, GrantId: 'x' }))).to.equal('InvalidGrantIdException');
    });

    it('by RetireGrant do so for whom the grant names', async () => {
      const { GrantId, GrantToken } = await grant({ RetiringPrincipal: BOB });
      expect(await codeOf(retireGrant(alice, { GrantToken }))).to.equal('AccessDeniedException');
      expect(await codeOf(retireGrant(bob, { GrantToken, DryRun: true }))).to.equal('DryRunOperationException');
      const denied = callWith(fixture, BOB, [{ ...allowing('RetireGrant'), Effect: 'Deny' }]);
      expect(await codeOf(retireGrant(denied, { GrantToken }))).to.equal('AccessDeniedException');
      await retireGrant(bob, { KeyId: arn, GrantId });
      expect(await may(alice)).to.equal(false);
    });

    it('by RetireGrant do so for a grantee who was given that', async () => {
      const { GrantToken } = await grant({ Operations: ['Encrypt', 'RetireGrant'] });
      await retireGrant(alice, { GrantToken });
      expect(await may(alice)).to.equal(false);
    });

    it('by RetireGrant do so for the account that made them, as its policies say', async () => {
      const { GrantToken } = await grant();
      const manager = `${USER_ARN}/manager`;
      expect(await codeOf(retireGrant(callWith(fixture, manager, NOTHING), { GrantToken }))).to.equal(
        'AccessDeniedException',
      );
      expect(await codeOf(retireGrant(fixture.callAs(EVE), { GrantToken }))).to.equal('AccessDeniedException');
      await retireGrant(callWith(fixture, manager, [allowing('RetireGrant')]), { GrantToken });
      expect(await may(alice)).to.equal(false);
    });

    it('are named by a token, or by key ARN and grant id', async () => {
      const { GrantId, GrantToken } = await grant();
      const KeyId = arn.split('/')[1] ?? '';
      for (const [request, code] of [
        [{}, 'ValidationException'],
        [{ GrantId }, 'ValidationException'],
        [{ KeyId: arn }, 'ValidationException'],
        [{ KeyId: arn, GrantId, GrantToken }, 'ValidationException'],
        [{ KeyId, GrantId }, 'InvalidArnException'],
        [{ KeyId: arn, GrantId: 'x' }, 'InvalidGrantIdException'],
        [{ KeyId: arn, GrantId: '0'.repeat(64) }, 'NotFoundException'],
        [{ GrantToken: `${GrantToken.slice(0, -6)}AAAAAA` }, 'InvalidGrantTokenException'],
        [{ GrantToken: GrantToken.replace(/=*$/, '') + '!' }, 'InvalidGrantTokenException'],
      ] as const) {
        expect(await codeOf(retireGrant(fixture.call, request))).to.equal(code);
      }
    });
  });

  describe('that are listed', () => {
    it('show everything but their tokens, page by page', async () => {
      const made = new Set<string>();
      for (let index = 0; index < 5; index += 1)
        made.add((await grant({ Name: `n${index}`, RetiringPrincipal: BOB })).GrantId);
      const seen: string[] = [];
      let Marker: string | undefined;
      do {
        const page = await listGrants(fixture.call, { KeyId: arn, Limit: 2, ...(Marker !== undefined && { Marker }) });
        seen.push(...page.Grants.map(({ GrantId }) => GrantId));
        Marker = page.NextMarker;
      } while (Marker !== undefined);
      expect(seen).to.have.members([...made]);
      const [first] = (await listGrants(fixture.call, { KeyId: arn, GrantId: seen[0] ?? '' })).Grants;
      expect(first).to.have.all.keys(
        ...[
          'KeyId',
          'GrantId',
          'Name',
          'CreationDate',
          'GranteePrincipal',
          'RetiringPrincipal',
          'IssuingAccount',
          'Operations',
        ],
      );
      expect(first).to.include({ KeyId: arn, GranteePrincipal: ALICE, RetiringPrincipal: BOB, IssuingAccount: ROOT });
    });

    it('are those of a grantee, or of who may retire them', async () => {
      const { GrantId } = await grant({ RetiringPrincipal: BOB });
      await grant({ GranteePrincipal: BOB });
      const ids = (list: { readonly Grants: readonly { readonly GrantId: string }[] }) =>
        list.Grants.map((one) => one.GrantId);
      expect(ids(await listGrants(fixture.call, { KeyId: arn, GranteePrincipal: ALICE }))).to.deep.equal([GrantId]);
      expect(ids(await listRetirableGrants(fixture.call, { RetiringPrincipal: BOB }))).to.deep.equal([GrantId]);
      expect(ids(await listRetirableGrants(fixture.call, { RetiringPrincipal: ALICE }))).to.deep.equal([]);
    });

    it('are refused to whom no policy lets, by wrong filters and by wrong markers', async () => {
      for (const [work, code] of [
        [listGrants(alice, { KeyId: arn }), 'AccessDeniedException'],
        [listGrants(fixture.call, { KeyId: arn, GrantId: 'x' }), 'InvalidGrantIdException'],
        [listGrants(fixture.call, { KeyId: arn, GranteePrincipal: 'x' }), 'InvalidArnException'],
        [listGrants(fixture.call, { KeyId: arn, Marker: 'x' }), 'InvalidMarkerException'],
        [listGrants(fixture.call, { KeyId: arn, GranteeServicePrincipal: 'ec2.amazonaws.com' }), 'ValidationException'],
        [listRetirableGrants(fixture.call, {}), 'ValidationException'],
        [listRetirableGrants(fixture.call, { RetiringPrincipal: EVE }), 'AccessDeniedException'],
        [listRetirableGrants(alice, { RetiringPrincipal: ALICE }), 'AccessDeniedException'],
      ] as const) {
        expect(await codeOf(work)).to.equal(code);
      }
      const own = callWith(fixture, ALICE, [{ ...allowing('ListRetirableGrants'), Resource: ALICE }]);
      expect((await listRetirableGrants(own, { RetiringPrincipal: ALICE })).Grants).to.deep.equal([]);
    });
  });
});
