import { randomBytes } from 'node:crypto';
import {
  type CloudWatchClient,
  DeleteAlarmsCommand,
  DescribeAlarmHistoryCommand,
  DescribeAlarmsCommand,
  DescribeAlarmsForMetricCommand,
  DisableAlarmActionsCommand,
  EnableAlarmActionsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  ListTagsForResourceCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  SetAlarmStateCommand,
  TagResourceCommand,
  UntagResourceCommand,
  type MetricAlarm,
  type PutMetricAlarmCommandInput,
} from '@aws-sdk/client-cloudwatch';
import { expect } from 'chai';
import { SqliteAlarmStore } from '../../src/adapters/alarm_store_sqlite.js';
import type { Call } from '../../src/kms/region.js';
import { CLOUDWATCH_PROTOCOLS, cloudWatchClient } from '../support/cloudwatch_client.js';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';
import { startWebhook, type Webhook } from '../support/webhook.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const THIRTY_DAYS_SECONDS = 2_592_000;

for (const [protocolName, protocol] of CLOUDWATCH_PROTOCOLS) {
  describe(`CloudWatch of the AWS SDK over ${protocolName}`, function () {
    this.timeout(20_000);
    let fixture: RegionFixture;
    let webhook: Webhook;
    let client: CloudWatchClient;
    let call: Call;

    beforeEach(async () => {
      const token = await makeFixtureHsm('double');
      fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports });
      webhook = await startWebhook();
      call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
      client = cloudWatchClient(fixture, protocol);
    });
    afterEach(async () => {
      client?.destroy();
      await fixture?.close();
      await webhook?.close();
    });

    async function makeExpiringKey(days: number): Promise<string> {
      const keyId = await makeExternalKey(call);
      const ValidTo = new Date(fixture.region.clock.nowMs() + days * DAY_MS);
      await importInto(call, keyId, randomBytes(32), { ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
      return keyId;
    }

    function alarmOn(keyId: string, members: Partial<PutMetricAlarmCommandInput> = {}): PutMetricAlarmCommandInput {
      return {
        AlarmName: 'expiry',
        Namespace: 'AWS/KMS',
        MetricName: 'SecondsUntilKeyMaterialExpiration',
        Dimensions: [{ Name: 'KeyId', Value: keyId }],
        Statistic: 'Minimum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanThreshold',
        ...members,
      };
    }

    async function alarm(name = 'expiry'): Promise<MetricAlarm> {
      const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({ AlarmNames: [name] }));
      const [found] = MetricAlarms ?? [];
      if (found === undefined) throw new Error(`there is no alarm ${name}`);
      return found;
    }

    const nowSeconds = (): number => fixture.region.clock.nowMs() / 1000;

    it('lists the metric of expiring material under both its names, and none before there is any', async () => {
      const before = await client.send(new ListMetricsCommand({ Namespace: 'AWS/KMS' }));
      expect(before.Metrics ?? []).to.deep.equal([]);
      const keyId = await makeExpiringKey(40);
      const permanent = await makeExternalKey(call);
      await importInto(call, permanent, randomBytes(32));
      const { Metrics } = await client.send(new ListMetricsCommand({ Namespace: 'AWS/KMS' }));
      const Dimensions = [{ Name: 'KeyId', Value: keyId }];
      expect(Metrics).to.deep.equal([
        { Namespace: 'AWS/KMS', MetricName: 'SecondsUntilKeyMaterialExpiration', Dimensions },
        { Namespace: 'AWS/KMS', MetricName: 'SecondsUntilKeyMaterialExpires', Dimensions },
      ]);
      const other = await client.send(new ListMetricsCommand({ Dimensions: [{ Name: 'KeyId', Value: permanent }] }));
      expect(other.Metrics ?? []).to.deep.equal([]);
    });

    it('has a data point for each minute, also of time that was passed over', async () => {
      const keyId = await makeExpiringKey(40);
      await fixture.advance(DAY_MS);
      const { Datapoints, Label } = await client.send(
        new GetMetricStatisticsCommand({
          Namespace: 'AWS/KMS',
          MetricName: 'SecondsUntilKeyMaterialExpires',
          Dimensions: [{ Name: 'KeyId', Value: keyId }],
          StartTime: new Date((nowSeconds() - 3600) * 1000),
          EndTime: new Date((nowSeconds() - 60) * 1000),
          Period: 60,
          Statistics: ['Minimum', 'SampleCount'],
        }),
      );
      expect(Label).to.equal('SecondsUntilKeyMaterialExpires');
      expect(Datapoints).to.have.lengthOf.within(59, 60);
      const [first, second] = Datapoints ?? [];
      expect(first?.Unit).to.equal('Seconds');
      expect(first?.SampleCount).to.equal(1);
      expect((first?.Minimum ?? 0) - (second?.Minimum ?? 0)).to.equal(60);
      expect(second?.Timestamp?.getTime()).to.equal((first?.Timestamp?.getTime() ?? 0) + MINUTE_MS);
      expect(first?.Minimum).to.be.within(39 * 86_400, 39 * 86_400 + 3700);
    });

    it('goes from OK to ALARM when fewer than 30 days are left, and posts it', async () => {
      const keyId = await makeExpiringKey(40);
      await client.send(
        new PutMetricAlarmCommand(
          alarmOn(keyId, {
            AlarmDescription: 'fewer than <30> days & counting',
            ComparisonOperator: 'LessThanThreshold',
            Threshold: THIRTY_DAYS_SECONDS,
            AlarmActions: [webhook.url],
            Tags: [{ Key: 'team', Value: 'blue' }],
          }),
        ),
      );
      const fresh = await alarm();
      expect(fresh.StateValue).to.equal('OK');
      expect(fresh.StateReason).to.match(
        /^Threshold Crossed: 1 out of the last 1 datapoints \[34\d{5}\.0 \(\d\d\/\d\d\/\d\d \d\d:\d\d:\d\d\)\] was not less than the threshold \(2592000\.0\) \(minimum 1 datapoint for ALARM -> OK transition\)\.$/,
      );
      expect(fresh.AlarmArn).to.equal(`arn:aws:cloudwatch:us-east-1:${ACCOUNT}:alarm:expiry`);
      expect(fresh.AlarmDescription).to.equal('fewer than <30> days & counting');
      expect(webhook.received).to.deep.equal([]);

      await fixture.advance(10 * DAY_MS);
      const alarmed = await alarm();
      expect(alarmed.StateValue).to.equal('ALARM');
      expect(alarmed.StateReason).to.contain('was less than the threshold (2592000.0)');
      await webhook.waitFor(1);
      const [notification] = webhook.received;
      expect(notification?.envelope['Type']).to.equal('Notification');
      expect(notification?.envelope['Subject']).to.equal('ALARM: "expiry" in us-east-1');
      expect(notification?.message).to.include({
        AlarmName: 'expiry',
        AWSAccountId: ACCOUNT,
        OldStateValue: 'OK',
        NewStateValue: 'ALARM',
      });
      expect(notification?.message['Trigger']).to.deep.include({
        MetricName: 'SecondsUntilKeyMaterialExpiration',
        Statistic: 'MINIMUM',
        Dimensions: [{ value: keyId, name: 'KeyId' }],
        Threshold: THIRTY_DAYS_SECONDS,
      });
    });

    it('evaluates the alarm of the documentation as it is written: ALARM while there is material, then no data', async () => {
      const keyId = await makeExpiringKey(10);
      await client.send(new PutMetricAlarmCommand(alarmOn(keyId)));
      expect((await alarm()).StateValue).to.equal('ALARM');
      await fixture.advance(11 * DAY_MS);
      expect((await alarm()).StateValue).to.equal('INSUFFICIENT_DATA');
    });

    it('goes through every state that time has passed over, in order, with the times at which they held', async () => {
      const keyId = await makeExpiringKey(20);
      await client.send(
        new PutMetricAlarmCommand(alarmOn(keyId, { ComparisonOperator: 'LessThanThreshold', Threshold: 15 * 86_400 })),
      );
      const startMs = fixture.region.clock.nowMs();
      await fixture.advance(28 * DAY_MS);
      const { AlarmHistoryItems = [] } = await client.send(
        new DescribeAlarmHistoryCommand({
          AlarmName: 'expiry',
          HistoryItemType: 'StateUpdate',
          ScanBy: 'TimestampAscending',
        }),
      );
      expect(AlarmHistoryItems.map(({ HistorySummary }) => HistorySummary)).to.deep.equal([
        'Alarm updated from INSUFFICIENT_DATA to OK',
        'Alarm updated from OK to ALARM',
        'Alarm updated from ALARM to INSUFFICIENT_DATA',
      ]);
      const [, toAlarm, toNothing] = AlarmHistoryItems.map(({ Timestamp }) => (Timestamp?.getTime() ?? 0) - startMs);
      expect(toAlarm).to.be.within(5 * DAY_MS - MINUTE_MS, 5 * DAY_MS + 2 * MINUTE_MS);
      expect(toNothing).to.be.within(20 * DAY_MS - MINUTE_MS, 20 * DAY_MS + 5 * MINUTE_MS);
    });

    it('shows data of several metrics in pages', async () => {
      const keyId = await makeExpiringKey(40);
      await fixture.advance(10 * MINUTE_MS);
      const query = (Id: string, MetricName: string): object => ({
        Id,
        MetricStat: {
          Metric: { Namespace: 'AWS/KMS', MetricName, Dimensions: [{ Name: 'KeyId', Value: keyId }] },
          Period: 60,
          Stat: 'Minimum',
        },
      });
      const request = {
        MetricDataQueries: [
          query('a', 'SecondsUntilKeyMaterialExpiration'),
          query('b', 'SecondsUntilKeyMaterialExpires'),
        ] as never,
        StartTime: new Date((nowSeconds() - 300) * 1000),
        EndTime: new Date((nowSeconds() + 60) * 1000),
        ScanBy: 'TimestampAscending' as const,
      };
      const whole = await client.send(new GetMetricDataCommand(request));
      const [a, b] = whole.MetricDataResults ?? [];
      expect(a?.StatusCode).to.equal('Complete');
      expect(a?.Values).to.have.length.within(5, 6);
      expect(a?.Values).to.deep.equal(b?.Values);
      const first = await client.send(new GetMetricDataCommand({ ...request, MaxDatapoints: 4 }));
      expect(first.MetricDataResults?.[0]?.Values).to.deep.equal(a?.Values?.slice(0, 4));
      expect(first.MetricDataResults?.[0]?.StatusCode).to.equal('PartialData');
      const rest = await client.send(new GetMetricDataCommand({ ...request, NextToken: first.NextToken }));
      expect(rest.MetricDataResults?.[0]?.Values).to.deep.equal(a?.Values?.slice(4));
      expect(rest.MetricDataResults?.[1]?.Values).to.deep.equal(b?.Values);
      expect(rest.NextToken).to.equal(undefined);
    });

    it('takes metrics of its callers, and alarms on them', async () => {
      const Timestamp = new Date(Math.floor(nowSeconds() / 60) * MINUTE_MS);
      await client.send(
        new PutMetricDataCommand({
          Namespace: 'Shop',
          MetricData: [
            { MetricName: 'Orders', Timestamp, Value: 3, Unit: 'Count' },
            { MetricName: 'Orders', Timestamp, Values: [1, 5.5], Counts: [2, 1], Unit: 'Count' },
            // Long enough that the SDK compresses the request.
            ...Array.from({ length: 400 }, (_, index) => ({ MetricName: `Other${index}`, Timestamp, Value: index })),
          ],
        }),
      );
      const { Datapoints } = await client.send(
        new GetMetricStatisticsCommand({
          Namespace: 'Shop',
          MetricName: 'Orders',
          StartTime: Timestamp,
          EndTime: new Date(Timestamp.getTime() + MINUTE_MS),
          Period: 60,
          Statistics: ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'],
        }),
      );
      expect(Datapoints).to.deep.equal([
        { Timestamp, Unit: 'Count', SampleCount: 4, Average: 2.625, Sum: 10.5, Minimum: 1, Maximum: 5.5 },
      ]);
      const { Metrics = [] } = await client.send(new ListMetricsCommand({ Namespace: 'Shop', RecentlyActive: 'PT3H' }));
      expect(Metrics).to.have.length(401);
      await client.send(
        new PutMetricAlarmCommand({
          ...alarmOn('x', { Namespace: 'Shop', MetricName: 'Orders', Statistic: 'Sum', Threshold: 10 }),
          Dimensions: [],
        }),
      );
      expect((await alarm()).StateValue).to.equal('ALARM');
    });

    it('sets, disables, enables, tags, finds and deletes alarms', async () => {
      const keyId = await makeExpiringKey(40);
      await client.send(new PutMetricAlarmCommand(alarmOn(keyId, { AlarmActions: [webhook.url] })));
      await webhook.waitFor(1);
      const AlarmNames = ['expiry'];
      await client.send(new DisableAlarmActionsCommand({ AlarmNames }));
      expect((await alarm()).ActionsEnabled).to.equal(false);
      const set = { AlarmName: 'expiry', StateReason: 'trying it out', StateReasonData: '{"by":"hand"}' };
      await client.send(new SetAlarmStateCommand({ ...set, StateValue: 'OK' }));
      await client.send(new SetAlarmStateCommand({ ...set, StateValue: 'ALARM' }));
      await client.send(new EnableAlarmActionsCommand({ AlarmNames }));
      await client.send(new SetAlarmStateCommand({ ...set, StateValue: 'OK' }));
      await client.send(new SetAlarmStateCommand({ ...set, StateValue: 'ALARM' }));
      await webhook.waitFor(2);
      expect(webhook.received[1]?.message['NewStateReason']).to.equal('trying it out');

      const ResourceARN = (await alarm()).AlarmArn ?? '';
      await client.send(
        new TagResourceCommand({ ResourceARN, Tags: ['a', 'b'].map((Key) => ({ Key, Value: `of ${Key}` })) }),
      );
      await client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['a'] }));
      const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceARN }));
      expect(Tags).to.deep.equal([{ Key: 'b', Value: 'of b' }]);

      const { MetricAlarms } = await client.send(
        new DescribeAlarmsForMetricCommand({
          Namespace: 'AWS/KMS',
          MetricName: 'SecondsUntilKeyMaterialExpiration',
          Dimensions: [{ Name: 'KeyId', Value: keyId }],
        }),
      );
      expect(MetricAlarms?.map(({ AlarmName }) => AlarmName)).to.deep.equal(AlarmNames);
      await client.send(new DeleteAlarmsCommand({ AlarmNames }));
      const rest = await client.send(new DescribeAlarmsCommand({}));
      expect(rest.MetricAlarms ?? []).to.deep.equal([]);
    });

    it('keeps alarms, their history and what they still have to tell', async () => {
      await client.send(new PutMetricAlarmCommand(alarmOn('x', { AlarmActions: ['http://127.0.0.1:1/'] })));
      await client.send(new SetAlarmStateCommand({ AlarmName: 'expiry', StateValue: 'ALARM', StateReason: 'kept' }));
      const again = new SqliteAlarmStore(fixture.database);
      expect(again.alarm('expiry')?.standing.reason).to.equal('kept');
      expect(again.actions(10)).to.have.length(1);
    });
  });
}
