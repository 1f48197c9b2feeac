import { expect } from 'chai';
import { LabError } from '../../../src/lab/errors.js';
import { KmsClient } from '../../../src/lab/kms_client.js';
import { parseLabFile } from '../../../src/lab/lab_file.js';
import { seedKey, type SeededKey, type SeedServices } from '../../../src/lab/seeded_key.js';
import { chosenKeyForm, createChosenKey } from '../../../src/surfaces/admin/chosen_key.js';
import {
  FIXTURE_CREDENTIAL,
  makeFixtureHsm,
  makeRegionFixture,
  type FixtureHsm,
  type RegionFixture,
} from '../../support/region_fixture.js';
import { ROOT } from '../../support/software_region.js';

const REGION = 'us-east-1';
const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab';
const grantee = 'arn:aws:iam::111122223333:role/worker';

type Document = Readonly<Record<string, unknown>>;

describe('a seeded key', () => {
  let token: FixtureHsm;
  let fixture: RegionFixture;
  let kms: KmsClient;
  let services: SeedServices;
  let imported: string[];

  before(async () => {
    token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports });
    kms = new KmsClient(fixture.url, { ...FIXTURE_CREDENTIAL, principal: ROOT });
    services = {
      kms,
      policyText: ({ policy }) => (policy === undefined ? undefined : JSON.stringify(policy)),
      createChosen: async ({ keyId }, request) => {
        const chosen = chosenKeyForm.parse({ keyId, birthCertificate: null, request });
        return { ...(await createChosenKey(fixture.region, chosen, true)).KeyMetadata };
      },
      importMaterial: async (region, arn, { file }) => void imported.push(`${region} ${arn} ${file}`),
    };
  });
  after(async () => {
    await fixture.close();
    await token.close();
  });
  beforeEach(() => {
    imported = [];
  });

  /** Seeds one key, written as a YAML flow mapping. */
  function seed(key: string): Promise<SeededKey> {
    const [only] = parseLabFile(`regions: { ${REGION}: null }\nseed: { keys: [{ ${key} }] }`, '/labs/lab.yaml').seed;
    if (only === undefined) throw new Error('the lab has no seed');
    return seedKey(services, only);
  }

  const describeKey = async (KeyId: string): Promise<Document> =>
    (await kms.call(REGION, 'DescribeKey', { KeyId }))['KeyMetadata'] as Document;

  it('is made once, with everything that it is to have', async () => {
    const key = `aliases: [alias/orders, alias/other], description: of orders, tags: { team: a },
      grants: [{ name: worker, granteePrincipal: "${grantee}", operations: [Decrypt, Encrypt] }], rotation: { periodDays: 100 }`;
    const first = await seed(key);
    expect(first).to.include({ name: 'alias/orders', made: true });
    expect(first.unchanged).to.deep.equal([]);
    const metadata = await describeKey('alias/other');
    expect(metadata).to.include({ Arn: first.arn, Description: 'of orders', KeyState: 'Enabled' });
    const KeyId = first.arn;
    expect((await kms.call(REGION, 'ListResourceTags', { KeyId }))['Tags']).to.deep.equal([
      { TagKey: 'team', TagValue: 'a' },
    ]);
    const [grant] = (await kms.call(REGION, 'ListGrants', { KeyId }))['Grants'] as Document[];
    expect(grant).to.include({ Name: 'worker', GranteePrincipal: grantee });
    expect(await kms.call(REGION, 'GetKeyRotationStatus', { KeyId })).to.include({ RotationPeriodInDays: 100 });
    expect(await seed(key)).to.deep.equal({ ...first, made: false });
  });

  it('is found by any of its aliases, given what is new, and left as it is where it differs', async () => {
    await seed(`aliases: [alias/a], tags: { team: a },
      grants: [{ name: worker, granteePrincipal: "${grantee}", operations: [Decrypt] }]`);
    const again =
      await seed(`aliases: [alias/b, alias/a], description: new, keySpec: HMAC_256, tags: { team: b, more: c }, enabled: false,
      grants: [{ name: worker, granteePrincipal: "${grantee}", operations: [Encrypt] }, { name: reader, granteePrincipal: "${grantee}", operations: [Decrypt] }]`);
    expect(again.made).to.equal(false);
    expect(again.added).to.deep.equal([
      'alias/b in us-east-1',
      'the tags more in us-east-1',
      'the grant reader in us-east-1',
    ]);
    expect(again.unchanged).to.deep.equal([
      'KeySpec is "SYMMETRIC_DEFAULT"',
      'KeyUsage is "ENCRYPT_DECRYPT"',
      'Description is ""',
      'it is enabled',
      'the tag team in us-east-1 is "a"',
      'the grant worker in us-east-1 says something else',
    ]);
  });

  it('has the id that was chosen, and is found by it without an alias', async () => {
    const first = await seed(`keyId: ${KEY_ID}, keySpec: ECC_NIST_P256, keyUsage: SIGN_VERIFY`);
    expect(first).to.include({ name: KEY_ID, made: true });
    expect(first.arn).to.equal(`arn:aws:kms:us-east-1:111122223333:key/${KEY_ID}`);
    expect(await describeKey(KEY_ID)).to.include({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const event = (await fixture.events()).find(({ resources }) => resources?.some(({ ARN }) => ARN === first.arn));
    expect(event).to.include({ eventName: 'CreateKey' });
    expect((await seed(`keyId: ${KEY_ID}, keySpec: ECC_NIST_P256, keyUsage: SIGN_VERIFY`)).made).to.equal(false);
  });

  it('gets its material while it has none, and may be disabled in the end', async () => {
    const key = 'aliases: [alias/imported], origin: EXTERNAL, material: { file: m.bin }';
    const { arn } = await seed(key);
    expect(imported).to.deep.equal([`us-east-1 ${arn} /labs/m.bin`]);
    const off = await seed('aliases: [alias/off], enabled: false');
    expect(await describeKey(off.arn)).to.include({ KeyState: 'Disabled' });
    expect((await seed('aliases: [alias/off], enabled: false')).unchanged).to.deep.equal([]);
  });

  it('keeps the policy that it has', async () => {
    const statement = (sid: string): string =>
      `{ Sid: ${sid}, Effect: Allow, Principal: { AWS: "${ROOT}" }, Action: "kms:*", Resource: "*" }`;
    const key = (sid: string): string =>
      `aliases: [alias/p], policy: { Version: "2012-10-17", Statement: [${statement(sid)}] }`;
    await seed(key('one'));
    expect((await seed(key('one'))).unchanged).to.deep.equal([]);
    expect((await seed(key('two'))).unchanged).to.deep.equal([
      'its policy is another one; kms put-key-policy changes it',
    ]);
  });

  it('does not take an alias from another key, and touches no key that is to be deleted', async () => {
    await seed('aliases: [alias/taken]');
    const id = '1234abcd-12ab-34cd-56ef-000000000001';
    const second = await seed(`keyId: ${id}, aliases: [alias/taken]`);
    expect(second.unchanged[0]).to.match(/^alias\/taken in us-east-1 names the key /u);
    await kms.call(REGION, 'ScheduleKeyDeletion', { KeyId: id });
    const third = await seed(`keyId: ${id}, aliases: [alias/taken], tags: { a: b }`);
    expect(third.added).to.deep.equal([]);
    expect(third.unchanged.at(-1)).to.match(/^it is PendingDeletion/u);
  });

  it('says what KMS refuses', async () => {
    const refused = await seed('aliases: [alias/r], keySpec: HMAC_256, keyUsage: SIGN_VERIFY').catch(
      (error: unknown) => error,
    );
    expect(refused).to.be.instanceOf(LabError).with.nested.property('details.exception', 'ValidationException');
  });
});
