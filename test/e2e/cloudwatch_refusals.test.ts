import {
  type CloudWatchClient,
  DeleteAlarmsCommand,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  SetAlarmStateCommand,
  type PutMetricAlarmCommandInput,
} from '@aws-sdk/client-cloudwatch';
import { expect } from 'chai';
import { CLOUDWATCH_PROTOCOLS, cloudWatchClient } from '../support/cloudwatch_client.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';

const MINUTE_MS = 60_000;

function alarmWith(members: Partial<PutMetricAlarmCommandInput> = {}): PutMetricAlarmCommandInput {
  return {
    AlarmName: 'x',
    Namespace: 'AWS/KMS',
    MetricName: 'SecondsUntilKeyMaterialExpiration',
    Statistic: 'Minimum',
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanThreshold',
    ...members,
  };
}

for (const [protocolName, protocol] of CLOUDWATCH_PROTOCOLS) {
  describe(`A refusal of CloudWatch over ${protocolName}`, function () {
    this.timeout(30_000);
    let fixture: RegionFixture;
    let client: CloudWatchClient;

    before(async () => {
      const token = await makeFixtureHsm('double');
      fixture = await makeRegionFixture({ hsm: token.hsm });
      client = cloudWatchClient(fixture, protocol);
    });
    after(async () => {
      client?.destroy();
      await fixture?.close();
    });

    it('has the name that the SDK knows', async () => {
      const refusal = (sent: Promise<unknown>): Promise<Error & { Code?: string }> =>
        sent.then(
          () => expect.fail('was not refused'),
          (error: Error) => error,
        );
      const missing = await refusal(client.send(new DeleteAlarmsCommand({ AlarmNames: ['none'] })));
      expect(missing.name).to.equal('ResourceNotFound');
      const format = await refusal(
        client.send(
          new SetAlarmStateCommand({
            AlarmName: 'x',
            StateValue: 'OK',
            StateReason: '',
            StateReasonData: 'no JSON',
          }),
        ),
      );
      expect(format.name).to.match(/^InvalidFormat/);
      const namespace = await refusal(
        client.send(new PutMetricDataCommand({ Namespace: 'AWS/KMS', MetricData: [{ MetricName: 'x', Value: 1 }] })),
      );
      expect(namespace.name).to.match(/^InvalidParameterValue/);
      expect(namespace.message).to.equal('The value AWS/ for parameter Namespace is invalid.');
      const period = await refusal(client.send(new PutMetricAlarmCommand(alarmWith({ Period: 61 }))));
      expect(period.name).to.equal('ValidationException');
      const percentile = await refusal(
        client.send(
          new PutMetricAlarmCommand({ ...alarmWith(), Statistic: undefined, ExtendedStatistic: 'p99' } as never),
        ),
      );
      expect(percentile.message).to.equal('Extended statistics are not supported: use Statistic.');
      const StartTime = new Date(0);
      const mathematics = await refusal(
        client.send(
          new GetMetricDataCommand({
            MetricDataQueries: [{ Id: 'a', Expression: '1 + 1' }],
            StartTime,
            EndTime: new Date(MINUTE_MS),
          }),
        ),
      );
      expect(mathematics.message).to.contain('Metric math expressions are not supported');
      const many = await refusal(
        client.send(
          new GetMetricStatisticsCommand({
            Namespace: 'AWS/KMS',
            MetricName: 'x',
            StartTime,
            EndTime: new Date(),
            Period: 60,
            Statistics: ['Sum'],
          }),
        ),
      );
      expect(many.name).to.match(/^InvalidParameterCombination/);
      expect(many.message).to.contain('which exceeds the limit of 1,440');
      const bounds = await refusal(client.send(new DescribeAlarmsCommand({ MaxRecords: 0 })));
      expect(bounds.message).to.equal(
        "1 validation error detected: Value '0' at 'maxRecords' failed to satisfy constraint: Member must have value greater than or equal to 1",
      );
      const token = await refusal(client.send(new ListMetricsCommand({ NextToken: 'made up' })));
      expect(token.name).to.equal('InvalidNextToken');
      const url = await refusal(
        client.send(new PutMetricAlarmCommand(alarmWith({ AlarmActions: ['http://example.com/'] }))),
      );
      expect(url.message).to.contain('example.com is not among the hosts that alarm actions may reach');
    });

    it('tells who is not known, in the words of the protocol', async () => {
      const stranger = cloudWatchClient({ name: 'eu-west-1', url: fixture.url }, protocol);
      const error = await stranger.send(new ListMetricsCommand({})).then(
        () => expect.fail('was not refused'),
        (failure: Error) => failure,
      );
      stranger.destroy();
      expect(error.name).to.match(/^(?:InvalidSignatureException|SignatureDoesNotMatch)$/);
      expect(error.message).to.contain('Credential should be scoped to a valid region');
    });
  });
}
