import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { CloudTrailClient, LookupEventsCommand } from '@aws-sdk/client-cloudtrail';
import {
  CloudWatchClient,
  DescribeAlarmHistoryCommand,
  DescribeAlarmsCommand,
  PutMetricAlarmCommand,
} from '@aws-sdk/client-cloudwatch';
import { CreateKeyCommand, GetParametersForImportCommand, ImportKeyMaterialCommand } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { KeyEvent } from '../../src/audit/key_event.js';
import { askAdmin } from '../../src/lab/admin_client.js';
import { parseScrape } from '../support/exposition_parser.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { RegionLab, type LabRegionProcess } from '../support/lab_process.js';
import { startWebhook, type Webhook } from '../support/webhook.js';

const NAME = 'us-east-1';
const DAY_MS = 86_400_000;

describe('A region that is killed while its alarm rings', function () {
  this.timeout(120_000);
  let lab: RegionLab;
  let region: LabRegionProcess;
  let cloudWatch: CloudWatchClient;
  let webhook: Webhook;

  before(async () => {
    lab = await RegionLab.start({ [NAME]: 'softhsm2' });
    region = lab.region(NAME);
    webhook = await startWebhook();
    const { credentials } = region.client().config;
    cloudWatch = new CloudWatchClient({ region: NAME, endpoint: region.url, credentials, maxAttempts: 3 });
  });
  after(async () => {
    cloudWatch?.destroy();
    await webhook?.close();
    await lab?.close();
  });

  async function makeExpiringKey(days: number): Promise<string> {
    const kms = region.client();
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Origin: 'EXTERNAL' }));
    const KeyId = KeyMetadata?.KeyId ?? '';
    const WrappingAlgorithm = 'RSAES_OAEP_SHA_1';
    const { PublicKey = new Uint8Array(), ImportToken } = await kms.send(
      new GetParametersForImportCommand({ KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' }),
    );
    const EncryptedKeyMaterial = wrapForImport(WrappingAlgorithm, PublicKey, randomBytes(32));
    const ValidTo = new Date(Date.now() + days * DAY_MS);
    await kms.send(new ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ValidTo }));
    return KeyId;
  }

  it('has the alarm in its state, and delivers what it had to tell, when it is back', async () => {
    const keyId = await makeExpiringKey(40);
    const { url } = webhook;
    // Nobody listens while the alarm rings.
    await webhook.close();
    await cloudWatch.send(
      new PutMetricAlarmCommand({
        AlarmName: 'expiry',
        Namespace: 'AWS/KMS',
        MetricName: 'SecondsUntilKeyMaterialExpiration',
        Dimensions: [{ Name: 'KeyId', Value: keyId }],
        Statistic: 'Minimum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 30 * 86_400,
        ComparisonOperator: 'LessThanThreshold',
        AlarmActions: [url],
      }),
    );
    await askAdmin(lab.directory.adminSocket(NAME), {
      method: 'POST',
      path: '/clock',
      body: { milliseconds: 10 * DAY_MS },
    });
    region.program.kill();
    await region.program.ended;
    webhook = await startWebhook(Number(new URL(url).port));
    await region.program.start();
    await webhook.waitFor(1);
    expect(webhook.received[0]?.message).to.include({
      AlarmName: 'expiry',
      OldStateValue: 'OK',
      NewStateValue: 'ALARM',
    });
    const { MetricAlarms } = await cloudWatch.send(new DescribeAlarmsCommand({ AlarmNames: ['expiry'] }));
    expect(MetricAlarms?.[0]?.StateValue).to.equal('ALARM');
    const { AlarmHistoryItems } = await cloudWatch.send(
      new DescribeAlarmHistoryCommand({ AlarmName: 'expiry', HistoryItemType: 'StateUpdate' }),
    );
    expect(AlarmHistoryItems?.map(({ HistorySummary }) => HistorySummary)).to.deep.equal([
      'Alarm updated from OK to ALARM',
      'Alarm updated from INSUFFICIENT_DATA to OK',
    ]);
  });

  it('tells what became of the key meanwhile: in CloudTrail, as an event on its socket, and in its metrics', async () => {
    await askAdmin(lab.directory.adminSocket(NAME), {
      method: 'POST',
      path: '/clock',
      body: { milliseconds: 31 * DAY_MS },
    });
    const events = await firstEvent(lab.directory.adminSocket(NAME));
    region.program.kill();
    await region.program.ended;
    await region.program.start();
    expect(await firstEvent(lab.directory.adminSocket(NAME))).to.equal(events);
    const event = JSON.parse(/^data: (.*)$/m.exec(events)?.[1] ?? '') as KeyEvent;
    expect(event).to.include({ 'detail-type': 'KMS Imported Key Material Expiration', region: NAME });

    const { credentials } = region.client().config;
    const cloudTrail = new CloudTrailClient({ region: NAME, endpoint: region.url, credentials, maxAttempts: 3 });
    const attribute = { AttributeKey: 'EventId', AttributeValue: event.id } as const;
    const { Events } = await cloudTrail.send(new LookupEventsCommand({ LookupAttributes: [attribute] }));
    cloudTrail.destroy();
    expect(Events?.map(({ EventName }) => EventName)).to.deep.equal(['DeleteExpiredKeyMaterial']);
    expect(Events?.[0]?.Resources?.[0]?.ResourceName).to.equal(event.resources[0]);

    const scrape = parseScrape(await (await fetch(`${region.url}/metrics`)).text());
    expect(scrape.value('keyferry_keys', { state: 'PendingImport' })).to.equal(1);
    expect(scrape.value('keyferry_clock_offset_seconds')).to.equal(41 * 86_400);
    expect(scrape.value('keyferry_requests_total', { service: 'cloudtrail', outcome: 'success' })).to.equal(1);
    expect(scrape.value('keyferry_token_sessions')).to.be.greaterThan(0);
    expect(
      scrape.value('keyferry_token_jobs_total', { job: 'find token keys', strategy: 'keyferry:domain-key' }),
    ).to.equal(1);
  });
});

/** The first of the key events that a region has kept, as its socket streams it. */
function firstEvent(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: '/key-events?from=start' }, (response) => {
      response.setEncoding('utf8').once('data', (text: string) => {
        resolve(text);
        sent.destroy();
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}
