import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { TrailEvent } from '../../src/audit/trail_event.js';
import { cancelKeyDeletion } from '../../src/kms/operations/cancel_key_deletion.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../src/kms/region.js';
import { encodeResponse } from '../../src/surfaces/aws/encode.js';
import { OPERATIONS } from '../../src/surfaces/aws/operations.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { postSigned } from '../support/signed_post.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';
import { STATE_MATRIX } from '../support/state_matrix.js';

/** Members of `responseElements`, by operation; operations that are not here show none. @source AWS KMS Developer Guide, log entries */
const ANSWERED: Readonly<Record<string, readonly string[]>> = {
  CancelKeyDeletion: ['keyId'],
  CreateAlias: ['keyId'],
  CreateGrant: ['grantId', 'keyId'],
  CreateKey: ['keyMetadata'],
  DeleteAlias: ['keyId'],
  DeleteImportedKeyMaterial: ['keyId', 'keyMaterialId'],
  DisableKey: ['keyId'],
  DisableKeyRotation: ['keyId'],
  EnableKey: ['keyId'],
  EnableKeyRotation: ['keyId'],
  ImportKeyMaterial: ['keyId', 'keyMaterialId'],
  PutKeyPolicy: ['keyId'],
  ReplicateKey: ['replicaKeyMetadata', 'replicaPolicy', 'replicaTags'],
  RetireGrant: ['keyId'],
  RevokeGrant: ['keyId'],
  RotateKeyOnDemand: ['keyId'],
  ScheduleKeyDeletion: ['deletionDate', 'keyId', 'keyState', 'pendingWindowInDays'],
  TagResource: ['keyId'],
  UntagResource: ['keyId'],
  UpdateAlias: ['keyId'],
  UpdateKeyDescription: ['keyId'],
};

/** Operations that change something; all others are `readOnly`. */
const CHANGING: ReadonlySet<string> = new Set([
  ...Object.keys(ANSWERED),
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'DeleteCustomKeyStore',
  'DisconnectCustomKeyStore',
  'UpdateCustomKeyStore',
  'UpdatePrimaryRegion',
]);

/** Operations on no key, or on one that is not given. */
const WITHOUT_KEY: readonly (readonly [string, object])[] = [
  ['ConnectCustomKeyStore', { CustomKeyStoreId: 'cks-1234567890abcdef0' }],
  ['CreateCustomKeyStore', { CustomKeyStoreName: 'a store' }],
  ['CreateKey', { Description: 'described', Tags: [{ TagKey: 'a', TagValue: 'b' }] }],
  ['DeleteCustomKeyStore', { CustomKeyStoreId: 'cks-1234567890abcdef0' }],
  ['DescribeCustomKeyStores', {}],
  ['DisconnectCustomKeyStore', { CustomKeyStoreId: 'cks-1234567890abcdef0' }],
  ['GenerateRandom', { NumberOfBytes: 16 }],
  ['ListAliases', {}],
  ['ListKeys', {}],
  ['ListRetirableGrants', { RetiringPrincipal: ROOT }],
  ['UpdateCustomKeyStore', { CustomKeyStoreId: 'cks-1234567890abcdef0' }],
];

/** Members that the trail never has, whatever they hold. */
const NEVER =
  /"(?:plaintext|ciphertext|ciphertextBlob|message|mac|signature|publicKey|privateKey\w*|sharedSecret|importToken|encryptedKeyMaterial|grantTokens?|keyStorePassword|xksProxyAuthenticationCredential)":/i;

describe('The events of every operation', function () {
  this.timeout(60_000);
  let fixture: RegionFixture;
  let call: Call;
  const seen = new Set<string>();

  before(async () => {
    const token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports });
    call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
  });
  after(() => fixture.close());

  /** Posts a request as it goes over the wire. */
  async function post(
    operation: string,
    request: object,
  ): Promise<{ readonly status: number; readonly event: TrailEvent }> {
    const { status } = await postSigned(fixture, operation, JSON.parse(encodeResponse(request)) as object);
    // What the region did because of it may be recorded already.
    const event = (await fixture.events()).findLast(({ eventType }) => eventType === 'AwsApiCall');
    if (event?.eventName !== operation) throw new Error(`${operation} was not recorded`);
    seen.add(operation);
    return { status, event };
  }

  function expectShape(operation: string, status: number, event: TrailEvent): void {
    expect(event, operation).to.deep.include({
      eventType: 'AwsApiCall',
      eventSource: 'kms.amazonaws.com',
      readOnly: !CHANGING.has(operation),
      managementEvent: true,
      recipientAccountId: ACCOUNT,
    });
    const expected = status === 200 ? (ANSWERED[operation] ?? null) : null;
    const { responseElements } = event;
    expect(responseElements === null ? null : Object.keys(responseElements).toSorted(), operation).to.deep.equal(
      expected === null ? null : expected.filter((name) => name !== 'replicaTags' || name in (responseElements ?? {})),
    );
    expect('errorCode' in event, operation).to.equal(status !== 200);
    expect(JSON.stringify([event.requestParameters, responseElements]), operation).to.not.match(NEVER);
  }

  it('name the key, and hold what CloudTrail shows and nothing that it does not', async () => {
    const done = new Set<string>();
    for (const row of STATE_MATRIX) {
      const { operation } = row;
      const KeyId = await row.key(call, 'Enabled');
      const request = await row.request(call, KeyId);
      if (operation === 'CancelKeyDeletion') await scheduleKeyDeletion(call, { KeyId, PendingWindowInDays: 7 });
      const { status, event } = await post(operation, request);
      const title = `${operation} ${row.about ?? ''} ${status} ${event.errorCode ?? ''}`;
      const { arn = '' } = fixture.region.store.key(KeyId as never) ?? {};
      // Listing aliases is permitted for the account, not for the key that they are asked of.
      const key = { accountId: ACCOUNT, type: 'AWS::KMS::Key', ARN: arn };
      if (operation === 'ListAliases') expect(event.requestParameters, title).to.deep.equal({ keyId: KeyId });
      else expect(event.resources, title).to.deep.include(key);
      if (status === 200) done.add(operation);
      if (event.responseElements !== null && 'keyId' in event.responseElements) {
        // An alias that leaves a key for another has changed the other.
        const isLeft = row.about === 'away from a key';
        expect(event.responseElements['keyId'] === arn, title).to.equal(!isLeft);
        expect(event.resources.map(({ ARN }) => ARN)).to.include(event.responseElements['keyId']);
      }
      if (operation.endsWith('Alias')) expect(event.resources[0]?.type, title).to.equal('AWS::KMS::Alias');
      expectShape(operation, status, event);
      if (operation === 'ScheduleKeyDeletion') await cancelKeyDeletion(call, { KeyId });
    }
    // The shapes of successes were seen, not of refusals only.
    const refused = [...seen].filter((operation) => !done.has(operation));
    // No token here has such keys, and a hand-over takes two regions.
    expect(refused).to.deep.equal(['Decapsulate', 'Encapsulate', 'UpdatePrimaryRegion']);
  });

  it('hold nothing of keys where they are about none', async () => {
    for (const [operation, request] of WITHOUT_KEY) {
      const { status, event } = await post(operation, request);
      expectShape(operation, status, event);
      if (operation !== 'CreateKey') expect(event.resources, operation).to.deep.equal([]);
    }
  });

  it('were all looked at', () => {
    expect([...OPERATIONS.keys()].filter((operation) => !seen.has(operation))).to.deep.equal([]);
  });

  it('are recorded for requests that cannot be read, too, without their members', async () => {
    const Plaintext = randomBytes(8).toString('base64');
    const { status, event } = await post('Encrypt', { KeyId: '', Plaintext });
    expect(status).to.equal(400);
    expect(event).to.deep.include({ errorCode: 'ValidationException', requestParameters: null, resources: [] });
    expect(JSON.stringify(event)).to.not.contain(Plaintext);
  });
});
