import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Call } from '../../src/kms/region.js';
import { awsCli, fixtureCaller } from '../support/aws_cli.js';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';
import { startWebhook, type Webhook } from '../support/webhook.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const TOPIC = `arn:aws:sns:us-east-1:${ACCOUNT}:key-expiry`;

describe('CloudWatch of the AWS CLI', function () {
  this.timeout(120_000);
  let fixture: RegionFixture;
  let webhook: Webhook;
  let keyId: string;

  before(async () => {
    const token = await makeFixtureHsm('double');
    webhook = await startWebhook();
    fixture = await makeRegionFixture({
      hsm: token.hsm,
      imports: token.imports,
      actionRules: { topics: { [TOPIC]: webhook.url }, hosts: [] },
    });
    const call: Call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
    keyId = await makeExternalKey(call);
    const ValidTo = new Date(fixture.region.clock.nowMs() + 40 * DAY_MS);
    await importInto(call, keyId, randomBytes(32), { ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
  });
  after(async () => {
    await fixture?.close();
    await webhook?.close();
  });

  const cloudwatch = (...args: readonly string[]): Promise<string> =>
    awsCli(fixtureCaller(fixture), '--output', 'text', 'cloudwatch', ...args);

  function putAlarm(name: string, metric: string, ...definition: readonly string[]): Promise<string> {
    return cloudwatch(
      ...['put-metric-alarm', '--alarm-name', name, '--namespace', 'AWS/KMS', '--metric-name', metric],
      ...['--dimensions', `Name=KeyId,Value=${keyId}`, '--statistic', 'Minimum', '--period', '60'],
      ...['--evaluation-periods', '1', ...definition],
    );
  }

  /** The states of all alarms, by name. */
  async function states(): Promise<Readonly<Record<string, string>>> {
    const rows = await cloudwatch('describe-alarms', '--query', 'MetricAlarms[].[AlarmName,StateValue]');
    return Object.fromEntries(rows.split('\n').map((row) => row.split('\t')));
  }

  const isoTime = (ms: number): string => new Date(ms).toISOString();

  it('lists the metric of the key whose material expires', async () => {
    const listed = await cloudwatch('list-metrics', '--namespace', 'AWS/KMS', '--query', 'Metrics[].MetricName');
    expect(listed.split('\t')).to.deep.equal(['SecondsUntilKeyMaterialExpiration', 'SecondsUntilKeyMaterialExpires']);
  });

  it('sees both alarms change as the clock is moved, and the webhook of the topic hear of it', async () => {
    await putAlarm(
      ...(['fewer-than-30-days', 'SecondsUntilKeyMaterialExpiration', '--threshold', '2592000'] as const),
      ...['--comparison-operator', 'LessThanThreshold', '--alarm-actions', TOPIC],
    );
    await putAlarm(
      ...(['there-is-material', 'SecondsUntilKeyMaterialExpires', '--threshold', '1'] as const),
      ...['--comparison-operator', 'GreaterThanThreshold', '--treat-missing-data', 'notBreaching'],
    );
    expect(await states()).to.deep.equal({ 'fewer-than-30-days': 'OK', 'there-is-material': 'ALARM' });

    await fixture.advance(10 * DAY_MS);
    expect(await states()).to.deep.equal({ 'fewer-than-30-days': 'ALARM', 'there-is-material': 'ALARM' });
    await webhook.waitFor(1);
    expect(webhook.received[0]?.envelope['TopicArn']).to.equal(TOPIC);
    expect(webhook.received[0]?.headers['x-amz-sns-message-type']).to.equal('Notification');

    const nowMs = fixture.region.clock.nowMs();
    const range = ['--start-time', isoTime(nowMs - 600_000), '--end-time', isoTime(nowMs + 60_000)];
    const statistics = await cloudwatch(
      ...['get-metric-statistics', '--namespace', 'AWS/KMS', '--metric-name', 'SecondsUntilKeyMaterialExpiration'],
      ...['--dimensions', `Name=KeyId,Value=${keyId}`, '--statistics', 'Minimum', '--period', '60', ...range],
      ...['--query', 'Datapoints[].Minimum'],
    );
    const values = statistics.split('\t').map(Number);
    expect(values).to.have.lengthOf.within(10, 12);
    expect(Math.min(...values)).to.be.within(30 * 86_400 - 60, 30 * 86_400 - 1);
    const query = {
      Id: 'left',
      MetricStat: {
        Metric: {
          Namespace: 'AWS/KMS',
          MetricName: 'SecondsUntilKeyMaterialExpiration',
          Dimensions: [{ Name: 'KeyId', Value: keyId }],
        },
        Period: 300,
        Stat: 'Minimum',
      },
    };
    const data = await cloudwatch(
      ...['get-metric-data', '--metric-data-queries', JSON.stringify([query]), ...range],
      ...['--query', 'MetricDataResults[].Values[]'],
    );
    // A sample more may have come since.
    expect(Number(data.split('\t')[0])).to.be.closeTo(Math.min(...values), 60);

    await fixture.advance(31 * DAY_MS);
    expect(await states()).to.deep.equal({ 'fewer-than-30-days': 'INSUFFICIENT_DATA', 'there-is-material': 'OK' });
  });

  it('shows refusals as the service’s', async () => {
    const refusal = await cloudwatch('delete-alarms', '--alarm-names', 'none').catch(
      (error: { stderr: string }) => error.stderr,
    );
    expect(refusal).to.contain('An error occurred (ResourceNotFound) when calling the DeleteAlarms operation');
  });
});
