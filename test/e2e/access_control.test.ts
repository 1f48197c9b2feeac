import {
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetKeyPolicyCommand,
  ListGrantsCommand,
  ListKeyPoliciesCommand,
  ListRetirableGrantsCommand,
  paginateListGrants,
  PutKeyPolicyCommand,
  RetireGrantCommand,
  RevokeGrantCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { makeFixtureHsm, makeRegionFixture, type FixtureHsm, type RegionFixture } from '../support/region_fixture.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';

const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;
const SESSION = `arn:aws:sts::${ACCOUNT}:assumed-role/worker/s1`;
const EVE = 'arn:aws:iam::999988887777:user/eve';
const Plaintext = Buffer.from('a message');

function identityPolicy(...actions: readonly string[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] });
}

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
}

describe('The AWS SDK as several principals', function () {
  this.timeout(20_000);
  let token: FixtureHsm;
  let fixture: RegionFixture;
  let root: KMSClient;
  let alice: KMSClient;
  let worker: KMSClient;
  let eve: KMSClient;
  let KeyId: string;

  before(async () => {
    token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({
      hsm: token.hsm,
      credentials: [
        {
          accessKeyId: 'ALICE',
          secretAccessKey: 'a',
          principal: ALICE,
          policy: identityPolicy('kms:DescribeKey', 'kms:List*'),
        },
        { accessKeyId: 'WORKER', secretAccessKey: 'w', principal: SESSION, policy: identityPolicy('kms:None') },
        { accessKeyId: 'EVE', secretAccessKey: 'e', principal: EVE },
      ],
    });
    root = fixture.client();
    alice = fixture.client({ accessKeyId: 'ALICE', secretAccessKey: 'a' });
    worker = fixture.client({ accessKeyId: 'WORKER', secretAccessKey: 'w' });
    eve = fixture.client({ accessKeyId: 'EVE', secretAccessKey: 'e' });
  });
  after(async () => {
    await fixture.close();
    await token.close();
  });
  beforeEach(async () => {
    KeyId = (await root.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
  });

  it('finds what an identity policy allows, and no more', async () => {
    expect((await alice.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.Arn).to.equal(KeyId);
    expect(await failure(alice.send(new EncryptCommand({ KeyId, Plaintext })))).to.equal('AccessDeniedException');
    const AliasName = 'alias/mine';
    expect(await failure(alice.send(new CreateAliasCommand({ AliasName, TargetKeyId: KeyId })))).to.equal(
      'AccessDeniedException',
    );
  });

  it('shows, changes and obeys a key policy', async () => {
    expect((await alice.send(new ListKeyPoliciesCommand({ KeyId }))).PolicyNames).to.deep.equal(['default']);
    const shown = await root.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }));
    expect(shown.PolicyName).to.equal('default');
    const policy = JSON.parse(shown.Policy ?? '');
    policy.Statement.push({
      Effect: 'Allow',
      Principal: { AWS: [`arn:aws:iam::${ACCOUNT}:role/worker`, EVE] },
      Action: 'kms:Encrypt',
      Resource: '*',
      Condition: {
        StringEquals: { 'kms:EncryptionContext:App': 'shop' },
        IpAddress: { 'aws:SourceIp': '127.0.0.0/8' },
      },
    });
    await root.send(new PutKeyPolicyCommand({ KeyId, Policy: JSON.stringify(policy) }));
    for (const client of [worker, eve]) {
      const EncryptionContext = { App: 'shop' };
      const made = await client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }));
      expect(made.KeyId).to.equal(KeyId);
      expect(await failure(client.send(new EncryptCommand({ KeyId, Plaintext })))).to.equal('AccessDeniedException');
      const { CiphertextBlob } = made;
      expect(await failure(client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext })))).to.equal(
        'AccessDeniedException',
      );
    }
    expect(await failure(root.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'other' })))).to.equal(
      'NotFoundException',
    );
    expect(
      await failure(root.send(new PutKeyPolicyCommand({ KeyId, Policy: shown.Policy, PolicyName: 'other' }))),
    ).to.equal('UnsupportedOperationException');
    expect(await failure(root.send(new PutKeyPolicyCommand({ KeyId, Policy: '{"Statement":[]}' })))).to.equal(
      'MalformedPolicyDocumentException',
    );
    expect(await failure(root.send(new PutKeyPolicyCommand({ KeyId, Policy: ' '.repeat(40_000) })))).to.equal(
      'LimitExceededException',
    );
  });

  it('grants, lists, uses, retires and revokes', async () => {
    const { GrantId, GrantToken } = await root.send(
      new CreateGrantCommand({
        KeyId,
        GranteePrincipal: SESSION,
        RetiringPrincipal: ALICE,
        Operations: ['Encrypt', 'Decrypt'],
        Constraints: { EncryptionContextSubset: { App: 'shop' } },
        Name: 'daily',
      }),
    );
    const EncryptionContext = { App: 'shop' };
    const request = { KeyId, Plaintext, EncryptionContext, GrantTokens: [GrantToken ?? ''] };
    const { CiphertextBlob } = await worker.send(new EncryptCommand(request));
    const { Plaintext: again } = await worker.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(Buffer.from(again ?? [])).to.deep.equal(Plaintext);
    const { Grants } = await alice.send(new ListRetirableGrantsCommand({ RetiringPrincipal: ALICE }));
    expect(Grants).to.have.length(1);
    expect(Grants?.[0]).to.deep.include({ GrantId, KeyId, Name: 'daily', IssuingAccount: ROOT });
    expect(Grants?.[0]?.Constraints).to.deep.equal({ EncryptionContextSubset: { App: 'shop' } });
    await alice.send(new RetireGrantCommand({ GrantToken }));
    expect(await failure(worker.send(new EncryptCommand(request)))).to.equal('InvalidGrantTokenException');
    expect((await alice.send(new ListGrantsCommand({ KeyId }))).Grants).to.deep.equal([]);

    const GranteePrincipal = SESSION;
    const grants = Array.from({ length: 3 }, () =>
      root.send(new CreateGrantCommand({ KeyId, GranteePrincipal, Operations: ['Encrypt'] })),
    );
    const ids = (await Promise.all(grants)).map((grant) => grant.GrantId);
    const listed: (string | undefined)[] = [];
    for await (const page of paginateListGrants({ client: root, pageSize: 2 }, { KeyId, GranteePrincipal })) {
      listed.push(...(page.Grants ?? []).map((grant) => grant.GrantId));
    }
    expect(listed).to.have.members(ids);
    for (const id of ids) {
      expect((await worker.send(new EncryptCommand({ KeyId, Plaintext }))).KeyId).to.equal(KeyId);
      await root.send(new RevokeGrantCommand({ KeyId, GrantId: id }));
    }
    expect(await failure(worker.send(new EncryptCommand({ KeyId, Plaintext })))).to.equal('AccessDeniedException');
  });

  it('leaves no grant token in the audit trail', async () => {
    const request = { KeyId, GranteePrincipal: ALICE, Operations: ['Encrypt' as const] };
    const { GrantId, GrantToken = '' } = await root.send(new CreateGrantCommand(request));
    await alice.send(new EncryptCommand({ KeyId, Plaintext, GrantTokens: [GrantToken] }));
    await root.send(new RetireGrantCommand({ GrantToken }));
    const events = (await fixture.events()).filter(({ resources }) => JSON.stringify(resources).includes(KeyId));
    expect(events.map(({ eventName }) => eventName)).to.deep.equal([
      'CreateKey',
      'CreateGrant',
      'Encrypt',
      'RetireGrant',
    ]);
    expect(events[1]?.responseElements).to.include({ grantId: GrantId });
    expect(JSON.stringify(events)).not.to.contain(GrantToken);
  });
});
