import { expect } from 'chai';
import type { RecordedCall } from '../../../src/audit/audit_trail.js';
import { formatDate, RECORDED_OPERATIONS } from '../../../src/audit/recorded_members.js';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import { makeMemoryTrail } from '../../support/memory_trail.js';
import { ACCOUNT, ManualClock, ROOT } from '../../support/software_region.js';

const HOME = { partition: 'aws', region: 'us-east-1', account: ACCOUNT };
const ARN = `arn:aws:kms:us-east-1:${ACCOUNT}:key/12345678-1234-1234-1234-123456789012`;

function callOf(call: Partial<RecordedCall>): RecordedCall {
  return {
    eventId: '99999999-8888-7777-6666-555555555555',
    requestId: '11111111-2222-3333-4444-555555555555',
    operation: 'DescribeKey',
    principal: ROOT,
    accessKeyId: 'AKID',
    sourceAddress: '127.0.0.1',
    userAgent: 'client/1',
    request: { KeyId: ARN },
    response: {},
    failure: null,
    notes: [],
    ...call,
  };
}

describe('The audit trail', () => {
  const clock = new ManualClock();

  it('knows every operation that is answered', () => {
    expect([...OPERATIONS.keys()].filter((name) => !RECORDED_OPERATIONS.includes(name))).to.deep.equal([]);
  });

  it('records a call in the shape of CloudTrail', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    await trail.recordCall(
      callOf({ operation: 'Encrypt', request: { KeyId: 'x', Plaintext: Buffer.from('p') }, notes: [{ keyArn: ARN }] }),
    );
    const { eventID, ...event } = events[0] ?? { eventID: '' };
    expect(eventID).to.match(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(event).to.deep.equal({
      eventVersion: '1.11',
      userIdentity: { type: 'Root', principalId: ACCOUNT, arn: ROOT, accountId: ACCOUNT, accessKeyId: 'AKID' },
      eventTime: '2026-01-01T00:00:00Z',
      eventSource: 'kms.amazonaws.com',
      eventName: 'Encrypt',
      awsRegion: 'us-east-1',
      sourceIPAddress: '127.0.0.1',
      userAgent: 'client/1',
      requestParameters: { keyId: 'x' },
      responseElements: null,
      requestID: '11111111-2222-3333-4444-555555555555',
      readOnly: true,
      resources: [{ accountId: ACCOUNT, type: 'AWS::KMS::Key', ARN }],
      eventType: 'AwsApiCall',
      managementEvent: true,
      recipientAccountId: ACCOUNT,
      eventCategory: 'Management',
    });
  });

  it('records what the region does by itself as a service event, by the id and time that it was given', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const details = { keyId: ARN, keyMaterialId: 'ab'.repeat(32) };
    await trail.record({
      name: 'DeleteExpiredKeyMaterial',
      keyArn: ARN,
      details,
      eventId: 'an-id',
      atMs: Date.UTC(2026, 6, 1, 12, 0, 1, 999),
    });
    expect(events[0]).to.deep.include({
      eventName: 'DeleteExpiredKeyMaterial',
      eventType: 'AwsServiceEvent',
      eventID: 'an-id',
      eventTime: '2026-07-01T12:00:01Z',
      userIdentity: { accountId: ACCOUNT, invokedBy: 'AWS Internal' },
      sourceIPAddress: 'AWS Internal',
      userAgent: 'AWS Internal',
      requestParameters: null,
      responseElements: null,
      readOnly: false,
      serviceEventDetails: details,
      resources: [{ accountId: ACCOUNT, type: 'AWS::KMS::Key', ARN }],
    });
    expect(events[0]).to.not.have.property('requestID');
  });

  it('shows a refusal by its code and text, and denials as CloudTrail names them', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const refused = (name: string, message: string) =>
      trail.recordCall(callOf({ response: null, failure: { name, message } }));
    await refused('NotFoundException', 'not here');
    await refused('AccessDeniedException', 'no');
    await refused('InvalidCiphertextException', '');
    expect(events.map(({ errorCode, errorMessage }) => [errorCode, errorMessage])).to.deep.equal([
      ['NotFoundException', 'not here'],
      ['AccessDenied', 'no'],
      ['InvalidCiphertextException', undefined],
    ]);
    expect(events[2]).to.not.have.property('errorMessage');
    expect(events[0]).to.deep.include({ requestParameters: { keyId: ARN }, responseElements: null, resources: [] });
  });

  it('keeps octets out of every event of every operation, whatever request and answer hold', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const secret = Buffer.from('the-secret-octets');
    const shown = ['utf8', 'hex', 'base64', 'base64url'] as const;
    const names = ['Plaintext', 'CiphertextBlob', 'Message', 'Mac', 'Signature', 'SharedSecret', 'PublicKey'];
    const more = [
      'ImportToken',
      'EncryptedKeyMaterial',
      'KeyId',
      'Description',
      'KeyMetadata',
      'Tags',
      'ReplicaPolicy',
    ];
    const members = Object.fromEntries([...names, ...more].map((name) => [name, secret]));
    const nested = { ...members, EncryptionContext: { a: secret }, KeyMetadata: { Arn: 'x', Deep: [secret, members] } };
    const grants = { GrantTokens: ['a-grant-token'] };
    for (const operation of [...RECORDED_OPERATIONS, 'AnUnknownOperation']) {
      await trail.recordCall(callOf({ operation, request: { ...nested, ...grants }, response: nested }));
    }
    expect(events).to.have.length(RECORDED_OPERATIONS.length + 1);
    const text = JSON.stringify(events);
    for (const encoding of shown) expect(text).to.not.contain(secret.toString(encoding));
    expect(text).to.not.contain('a-grant-token');
    expect(text).to.not.contain('"data":[');
  });

  it('shows encryption contexts with their names as they are', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const EncryptionContext = { Purpose: 'Test', ['__proto__']: 'a name' };
    await trail.recordCall(callOf({ operation: 'Decrypt', request: { EncryptionContext } }));
    expect(JSON.stringify(events[0]?.requestParameters)).to.equal(
      JSON.stringify({ encryptionContext: EncryptionContext }),
    );
  });

  it('shows tags, nested members and dates as CloudTrail does', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const date = new Date(Date.UTC(2022, 7, 10, 22, 38, 27));
    await trail.recordCall(
      callOf({
        operation: 'CreateKey',
        request: { Tags: [{ TagKey: 'A', TagValue: 'b' }], MultiRegion: true },
        response: { KeyMetadata: { AWSAccountId: ACCOUNT, CreationDate: date, EncryptionAlgorithms: ['X'] } },
      }),
    );
    await trail.recordCall(callOf({ operation: 'ImportKeyMaterial', request: { KeyId: 'x', ValidTo: date } }));
    expect(events[0]?.requestParameters).to.deep.equal({
      tags: [{ tagKey: 'A', tagValue: 'b' }],
      multiRegion: true,
    });
    expect(JSON.parse(JSON.stringify(events[0]?.responseElements))).to.deep.equal({
      keyMetadata: {
        aWSAccountId: ACCOUNT,
        creationDate: 'Aug 10, 2022, 10:38:27 PM',
        encryptionAlgorithms: ['X'],
      },
    });
    expect(events[1]?.requestParameters).to.deep.equal({ keyId: 'x', validTo: 'Aug 10, 2022, 10:38:27 PM' });
    expect(formatDate(new Date(0))).to.equal('Jan 1, 1970, 12:00:00 AM');
  });

  it('says by which strategy the token worked, with which material, and how far the clock is moved', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock, () => 86_400_000);
    await trail.recordCall(
      callOf({
        operation: 'ReEncrypt',
        notes: [
          { keyArn: ARN },
          { keyMaterialId: 'one', strategy: 'SP800108-GCM' },
          { keyArn: `${ARN}2` },
          { keyMaterialId: 'two', strategy: 'SP800108-GCM' },
        ],
      }),
    );
    await trail.recordCall(callOf({ operation: 'ImportKeyMaterial', notes: [{ strategy: 's', outsideToken: true }] }));
    expect(events[0]?.additionalEventData).to.deep.equal({
      keyMaterialId: ['one', 'two'],
      strategy: 'SP800108-GCM',
      clockOffsetMs: 86_400_000,
    });
    expect(events[0]?.resources.map((resource) => resource.ARN)).to.deep.equal([ARN, `${ARN}2`]);
    expect(events[1]?.additionalEventData).to.deep.include({ strategy: 's', outsideToken: true });
  });

  const identities: readonly [string, object][] = [
    [`arn:aws:iam::${ACCOUNT}:user/team/alice`, { type: 'IAMUser', principalId: 'alice', userName: 'alice' }],
    [`arn:aws:sts::${ACCOUNT}:assumed-role/admin/session`, { type: 'AssumedRole', principalId: 'admin:session' }],
    [`arn:aws:iam::${ACCOUNT}:role/admin`, { type: 'Unknown', principalId: 'admin' }],
  ];
  for (const [principal, identity] of identities) {
    it(`names ${principal.slice(13)} as a caller`, async () => {
      const { trail, events } = makeMemoryTrail(HOME, clock);
      await trail.recordCall(callOf({ principal }));
      expect(events[0]?.userIdentity).to.deep.include({ ...identity, arn: principal, accountId: ACCOUNT });
    });
  }

  it('says what a client says so that it can be read again', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const text = '","readOnly":false,"x":"\\ \n\u0000 ü \ud800 😀';
    const failure = { name: 'NotFoundException', message: text };
    await trail.recordCall(callOf({ userAgent: text, request: { KeyId: text }, failure, response: null }));
    expect(events[0]).to.deep.include({ userAgent: text, errorMessage: text, readOnly: true });
    expect(events[0]?.requestParameters).to.deep.equal({ keyId: text });
  });

  it('repeats no more of a client’s text than it needs', async () => {
    const { trail, events } = makeMemoryTrail(HOME, clock);
    const failure = { name: 'ValidationException', message: 'm'.repeat(50_000) };
    await trail.recordCall(callOf({ userAgent: 'u'.repeat(30_000), failure, response: null }));
    expect(JSON.stringify(events[0]).length).to.be.lessThan(4000);
  });
});
