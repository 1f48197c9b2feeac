import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CloudTrailClient,
  CloudTrailServiceException,
  CreateTrailCommand,
  LookupEventsCommand,
  paginateLookupEvents,
  type Event,
  type LookupEventsCommandInput,
} from '@aws-sdk/client-cloudtrail';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  EncryptCommand,
  TagResourceCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { LIMITS } from '../../src/limits.js';
import { awsCli, fixtureCaller } from '../support/aws_cli.js';
import {
  FIXTURE_CREDENTIAL,
  makeFixtureHsm,
  makeRegionFixture,
  type RegionFixture,
} from '../support/region_fixture.js';
import { ACCOUNT } from '../support/software_region.js';

const READER = { accessKeyId: 'AKIDREADER', secretAccessKey: 'reader' } as const;
const OTHER = { accessKeyId: 'AKIDOTHER', secretAccessKey: 'other' } as const;
const reading = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['kms:Describe*', 'kms:List*'], Resource: '*' }],
});

describe('CloudTrail', function () {
  this.timeout(60_000);
  let fixture: RegionFixture;
  let kms: KMSClient;
  let client: CloudTrailClient;
  let keyId: string;
  let arn: string;

  before(async () => {
    const token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({
      hsm: token.hsm,
      imports: token.imports,
      credentials: [
        { ...READER, principal: `arn:aws:iam::${ACCOUNT}:user/team/reader`, policy: reading },
        { ...OTHER, principal: 'arn:aws:iam::999988887777:root' },
      ],
    });
    kms = fixture.client();
    client = clientOf(FIXTURE_CREDENTIAL);
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: 'the first' }));
    keyId = KeyMetadata?.KeyId ?? '';
    arn = KeyMetadata?.Arn ?? '';
    await kms.send(new CreateAliasCommand({ AliasName: 'alias/looked-up', TargetKeyId: keyId }));
    await kms.send(new TagResourceCommand({ KeyId: keyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] }));
    for (const name of ['one', 'two', 'three']) {
      const EncryptionContext = { name, eventName: '"eventName":"CreateAlias"' };
      await kms.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('plain'), EncryptionContext }));
    }
    await fixture.client(READER).send(new DescribeKeyCommand({ KeyId: keyId }));
    await kms.send(new DescribeKeyCommand({ KeyId: 'alias/none' })).catch(() => undefined);
  });
  after(async () => {
    client?.destroy();
    await fixture?.close();
  });

  function clientOf(credentials: typeof FIXTURE_CREDENTIAL | typeof READER | typeof OTHER): CloudTrailClient {
    return new CloudTrailClient({ region: fixture.name, endpoint: fixture.url, credentials, maxAttempts: 1 });
  }

  async function lookUp(input: LookupEventsCommandInput = {}): Promise<Event[]> {
    const events: Event[] = [];
    for await (const page of paginateLookupEvents({ client }, input)) events.push(...(page.Events ?? []));
    return events;
  }

  async function byAttribute(AttributeKey: string, AttributeValue: string): Promise<readonly (string | undefined)[]> {
    const input = { LookupAttributes: [{ AttributeKey, AttributeValue }] } as LookupEventsCommandInput;
    return (await lookUp(input)).map(({ EventName }) => EventName);
  }

  async function refusalOf(input: object, as: CloudTrailClient = client): Promise<string> {
    try {
      await as.send(new LookupEventsCommand(input as LookupEventsCommandInput));
    } catch (error) {
      if (error instanceof CloudTrailServiceException) return error.name;
      throw error;
    }
    throw new Error('it was not refused');
  }

  it('answers the newest events first, each with its whole record', async () => {
    const events = await lookUp();
    expect(events.map(({ EventName }) => EventName)).to.deep.equal([
      'DescribeKey',
      'DescribeKey',
      'Encrypt',
      'Encrypt',
      'Encrypt',
      'TagResource',
      'CreateAlias',
      'CreateKey',
    ]);
    const [, described, newest] = events;
    const recorded = await fixture.events();
    expect(JSON.parse(newest?.CloudTrailEvent ?? '')).to.deep.equal(recorded[5]);
    expect(newest).to.deep.include({
      EventId: recorded[5]?.eventID,
      ReadOnly: 'true',
      AccessKeyId: FIXTURE_CREDENTIAL.accessKeyId,
      EventSource: 'kms.amazonaws.com',
      Username: 'root',
      Resources: [{ ResourceType: 'AWS::KMS::Key', ResourceName: arn }],
    });
    expect(newest?.EventTime?.toISOString().slice(0, 19)).to.equal(recorded[5]?.eventTime.slice(0, 19));
    expect(described?.Username).to.equal('reader');
  });

  it('finds events by each attribute', async () => {
    const encrypts = ['Encrypt', 'Encrypt', 'Encrypt'];
    const [created] = await fixture.events();
    expect(await byAttribute('EventId', created?.eventID ?? '')).to.deep.equal(['CreateKey']);
    expect(await byAttribute('EventName', 'Encrypt')).to.deep.equal(encrypts);
    // The encryption contexts have its text in them, and are no events of this name.
    expect(await byAttribute('EventName', 'CreateAlias')).to.deep.equal(['CreateAlias']);
    expect(await byAttribute('ReadOnly', 'false')).to.deep.equal(['TagResource', 'CreateAlias', 'CreateKey']);
    expect(await byAttribute('Username', 'reader')).to.deep.equal(['DescribeKey']);
    expect(await byAttribute('Username', 'root')).to.have.length(7);
    expect(await byAttribute('ResourceType', 'AWS::KMS::Alias')).to.deep.equal(['CreateAlias']);
    const named = ['DescribeKey', ...encrypts, 'TagResource', 'CreateAlias', 'CreateKey'];
    for (const name of [arn, keyId]) expect(await byAttribute('ResourceName', name)).to.deep.equal(named);
    const aliasArn = arn.replace(`key/${keyId}`, 'alias/looked-up');
    for (const name of [aliasArn, 'alias/looked-up']) {
      expect(await byAttribute('ResourceName', name)).to.deep.equal(['CreateAlias']);
    }
    expect(await byAttribute('EventSource', 'kms.amazonaws.com')).to.have.length(8);
    expect(await byAttribute('EventSource', 's3.amazonaws.com')).to.deep.equal([]);
    expect(await byAttribute('AccessKeyId', READER.accessKeyId)).to.deep.equal(['DescribeKey']);
  });

  it('names the key in the answer of operations that answer nothing, and only where they succeeded', async () => {
    const answers = (await fixture.events()).map(({ eventName, responseElements }) => [eventName, responseElements]);
    expect(answers.slice(1, 3)).to.deep.equal([
      ['CreateAlias', { keyId: arn }],
      ['TagResource', { keyId: arn }],
    ]);
    expect(answers.at(-1)).to.deep.equal(['DescribeKey', null]);
  });

  it('goes through pages without missing or repeating an event, also when events come in between', async () => {
    const seen: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const input: LookupEventsCommandInput = {
        LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'Encrypt' }],
        MaxResults: 1,
        NextToken: token,
      };
      const page = await client.send(new LookupEventsCommand(input));
      expect(page.Events).to.have.length(1);
      seen.push(...(page.Events ?? []).map(({ EventId }) => EventId));
      token = page.NextToken;
      await kms.send(new DescribeKeyCommand({ KeyId: keyId }));
    } while (token !== undefined);
    const encrypts = (await fixture.events()).filter(({ eventName }) => eventName === 'Encrypt');
    expect(seen).to.deep.equal(encrypts.map(({ eventID }) => eventID).toReversed());
  });

  it('finds events by the region’s time, the seconds at both ends of the range included', async () => {
    const dayMs = 86_400_000;
    await fixture.advance(400 * dayMs);
    await kms.send(new TagResourceCommand({ KeyId: keyId, Tags: [{ TagKey: 'later', TagValue: 'b' }] }));
    const EventTime = (await lookUp({ MaxResults: 1 }))[0]?.EventTime ?? new Date(0);
    const at = (ms: number) => new Date(EventTime.getTime() + ms);
    const names = async (StartTime: Date, EndTime?: Date) =>
      (await lookUp({ StartTime, ...(EndTime && { EndTime }) })).map(({ EventName }) => EventName);
    expect(await names(at(0))).to.deep.equal(['TagResource']);
    expect(await names(at(0), at(0))).to.deep.equal(['TagResource']);
    expect(await names(at(1000))).to.deep.equal([]);
    expect(await names(at(-2 * dayMs), at(-dayMs))).to.deep.equal([]);
    expect(await names(at(-500 * dayMs), at(-dayMs))).to.include.members(['CreateKey', 'Encrypt']);
  });

  it('refuses what it cannot look up', async () => {
    const attribute = (AttributeKey: string, AttributeValue: string) => ({ AttributeKey, AttributeValue });
    const name = attribute('EventName', 'Encrypt');
    const page = await client.send(new LookupEventsCommand({ MaxResults: 1 }));
    const [now, before] = [new Date(), new Date(0)];
    const cases: readonly (readonly [object, string])[] = [
      [{ LookupAttributes: [name, name] }, 'InvalidLookupAttributesException'],
      [{ LookupAttributes: [attribute('Nonsense', 'x')] }, 'InvalidLookupAttributesException'],
      [{ LookupAttributes: [attribute('EventName', '')] }, 'InvalidLookupAttributesException'],
      [{ LookupAttributes: [attribute('EventName', '_'.repeat(1001))] }, 'InvalidLookupAttributesException'],
      [{ MaxResults: 0 }, 'InvalidMaxResultsException'],
      [{ MaxResults: 51 }, 'InvalidMaxResultsException'],
      [{ StartTime: now, EndTime: before }, 'InvalidTimeRangeException'],
      [{ EventCategory: 'Data' }, 'InvalidEventCategoryException'],
      [{ NextToken: 'nonsense' }, 'InvalidNextTokenException'],
      [{ NextToken: page.NextToken, LookupAttributes: [name] }, 'InvalidNextTokenException'],
      [{ NextToken: page.NextToken?.replace(/\d+$/, '7') }, 'InvalidNextTokenException'],
    ];
    for (const [input, expected] of cases) expect(await refusalOf(input), JSON.stringify(input)).to.equal(expected);
    expect((await client.send(new LookupEventsCommand({ EventCategory: 'insight' }))).Events).to.deep.equal([]);
    const fromUnknown = await client.send(new CreateTrailCommand({ Name: 'x', S3BucketName: 'y' })).catch(String);
    expect(fromUnknown).to.contain('CreateTrail is not supported');
  });

  it('lets nobody look up events but administrators of the account and those whose policy allows it', async () => {
    for (const credentials of [READER, OTHER]) {
      const as = clientOf(credentials);
      expect(await refusalOf({}, as)).to.equal('AccessDeniedException');
      as.destroy();
    }
  });

  it('throttles who looks up too much at the same time', async () => {
    const many = Array.from({ length: 4 * LIMITS.trailLookupsMax }, () =>
      client.send(new LookupEventsCommand({})).then(
        () => 'answered',
        (error: CloudTrailServiceException) => error.name,
      ),
    );
    const outcomes = await Promise.all(many);
    expect(new Set(outcomes)).to.deep.equal(new Set(['answered', 'ThrottlingException']));
    expect((await lookUp({ MaxResults: 1 })).length).to.be.greaterThan(0);
  });

  it('is looked up by the AWS CLI', async () => {
    const found = await awsCli(
      fixtureCaller(fixture),
      ...['--output', 'json', 'cloudtrail', 'lookup-events', '--max-items', '2'],
      ...['--lookup-attributes', 'AttributeKey=EventName,AttributeValue=Encrypt'],
    );
    const { Events, NextToken } = JSON.parse(found);
    expect(NextToken).to.be.a('string');
    expect(
      Events.map(({ CloudTrailEvent }: Event) => JSON.parse(CloudTrailEvent ?? '').requestParameters),
    ).to.deep.equal(
      ['three', 'two'].map((name) => ({
        keyId,
        encryptionContext: { name, eventName: '"eventName":"CreateAlias"' },
      })),
    );
  });

  it('reads big trails page by page: some are empty, and what is found is found', async () => {
    const [line] = await fixture.events();
    const other = `${JSON.stringify({ ...line, eventName: 'ListKeys', requestParameters: { marker: 'm'.repeat(900) } })}\n`;
    const lines = Math.ceil((2.5 * LIMITS.trailLookupBytesMax) / other.length);
    await writeFile(join(fixture.directory, 'trail.jsonl'), other.repeat(lines), { flag: 'a' });
    const pages: number[] = [];
    const input: LookupEventsCommandInput = {
      LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateAlias' }],
    };
    for await (const page of paginateLookupEvents({ client }, input)) pages.push(page.Events?.length ?? 0);
    expect(pages).to.deep.equal([0, 0, 1]);
  });
});
