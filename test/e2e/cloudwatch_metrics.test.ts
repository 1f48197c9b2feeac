import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { SystemClock } from '../../src/adapters/clock_system.js';
import { composeMonitoring } from '../../src/compose_monitoring.js';
import { deleteImportedKeyMaterial } from '../../src/kms/operations/delete_imported_key_material.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import type { Call } from '../../src/kms/region.js';
import type { Monitoring } from '../../src/monitoring/monitoring.js';
import { putMetricAlarm } from '../../src/monitoring/operations/put_metric_alarm.js';
import { policyPermissions } from '../../src/monitoring/permissions.js';
import { authorize } from '../../src/monitoring/region.js';
import { EncryptCommand, ReEncryptCommand } from '@aws-sdk/client-kms';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

describe('The metrics of a region', function () {
  this.timeout(15_000);
  let fixture: RegionFixture;
  let call: Call;
  const material = randomBytes(32);

  beforeEach(async () => {
    const token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports });
    call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
  });
  afterEach(() => fixture?.close());

  const now = (): number => fixture.region.clock.nowMs();

  /** The monitoring of the region as its next process has it. */
  const monitoringAnew = () =>
    composeMonitoring({
      home: fixture.region.home,
      clock: fixture.region.clock,
      database: fixture.database,
      materials: fixture.region.materials,
      report: (failure) => {
        throw failure;
      },
    });

  async function importFor(keyId: string, days: number): Promise<void> {
    const ValidTo = new Date(now() + days * DAY_MS);
    await importInto(call, keyId, material, { ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
  }

  /** Days that were left at each sample of the last `minutes`. */
  function daysLeft(keyId: string, minutes: number, monitoring: Monitoring = fixture.monitoring): readonly number[] {
    const nowMs = now();
    const metric = {
      namespace: 'AWS/KMS',
      name: 'SecondsUntilKeyMaterialExpiration',
      dimensions: [{ Name: 'KeyId', Value: keyId }],
    };
    return monitoring.region.metrics
      .samples(metric, { fromMs: nowMs - minutes * MINUTE_MS, toMs: nowMs + MINUTE_MS, nowMs })
      .map(({ minimum }) => Math.ceil(minimum / 86_400));
  }

  const listed = (): readonly string[] =>
    fixture.monitoring.region.metrics.list(now() - 14 * DAY_MS).map(({ metric }) => metric.name);

  it('follow expiring material: when it comes, when its date changes, and when it goes', async () => {
    const keyId = await makeExternalKey(call);
    expect(daysLeft(keyId, 60)).to.deep.equal([]);
    await importFor(keyId, 10);
    expect(new Set(daysLeft(keyId, 60))).to.deep.equal(new Set([10]));
    await fixture.advance(5 * MINUTE_MS);
    expect(daysLeft(keyId, 60)).to.have.length.within(6, 7);
    await importFor(keyId, 30);
    expect(daysLeft(keyId, 1).at(-1)).to.equal(30);
    await fixture.advance(5 * MINUTE_MS);
    expect(new Set(daysLeft(keyId, 4))).to.deep.equal(new Set([30]));
    await deleteImportedKeyMaterial(call, { KeyId: keyId });
    await fixture.advance(5 * MINUTE_MS);
    expect(daysLeft(keyId, 3)).to.deep.equal([]);
    expect(daysLeft(keyId, 60).length).to.be.above(10);
    await fixture.advance(15 * DAY_MS);
    expect(listed()).to.deep.equal([]);
  });

  it('have no data point of material that has expired, and the last one before it', async () => {
    const keyId = await makeExternalKey(call);
    await importFor(keyId, 1);
    await fixture.advance(DAY_MS + 10 * MINUTE_MS);
    expect(daysLeft(keyId, 9)).to.deep.equal([]);
    expect(daysLeft(keyId, 12)).to.have.length.within(1, 3);
    await fixture.advance(DAY_MS);
    expect(daysLeft(keyId, 600)).to.deep.equal([]);
  });

  it('go with the key', async () => {
    const keyId = await makeExternalKey(call);
    await importFor(keyId, 100);
    const { CiphertextBlob } = await fixture
      .client()
      .send(new EncryptCommand({ KeyId: keyId, Plaintext: new Uint8Array(1) }));
    const other = await makeExternalKey(call);
    await importInto(call, other, randomBytes(32));
    const toTheOther = { KeyId: other, Plaintext: new Uint8Array(1) };
    const { CiphertextBlob: ofTheOther } = await fixture.client().send(new EncryptCommand(toTheOther));
    for (const [blob, DestinationKeyId] of [
      [CiphertextBlob, other],
      [ofTheOther, keyId],
    ] as const) {
      await fixture.client().send(new ReEncryptCommand({ CiphertextBlob: blob, DestinationKeyId }));
    }
    await fixture.advance(MINUTE_MS);
    expect(listed()).to.have.length(6);
    await scheduleKeyDeletion(call, { KeyId: keyId, PendingWindowInDays: 7 });
    await fixture.advance(8 * DAY_MS);
    expect(listed()).to.deep.equal(['SuccessfulRequest']);
    expect(JSON.stringify(fixture.database.prepare('SELECT * FROM metrics').all())).not.to.contain(keyId);
    expect(fixture.database.prepare('SELECT count(*) AS rows FROM expiry_intervals').get()?.['rows']).to.equal(0);
    expect(fixture.database.prepare('SELECT count(*) AS rows FROM metric_samples').get()?.['rows']).to.equal(1);
  });

  it('are the same after a restart, which leaves no gap', async () => {
    const keyId = await makeExternalKey(call);
    await importFor(keyId, 10);
    await fixture.advance(10 * MINUTE_MS);
    const before = daysLeft(keyId, 60);
    const { monitoring } = monitoringAnew();
    expect(daysLeft(keyId, 60, monitoring)).to.deep.equal(before);
  });

  it('ring the alarms of the time in which the region was down, as of that time', async () => {
    const keyId = await makeExternalKey(call);
    await importFor(keyId, 20);
    await putMetricAlarm(
      { region: fixture.monitoring.region, caller: call.caller },
      {
        AlarmName: 'expiry',
        Namespace: 'AWS/KMS',
        MetricName: 'SecondsUntilKeyMaterialExpiration',
        Dimensions: [{ Name: 'KeyId', Value: keyId }],
        Statistic: 'Minimum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 15 * 86_400,
        ComparisonOperator: 'LessThanThreshold',
      },
    );
    const startMs = now();
    await fixture.monitoring.stop();
    (fixture.region.clock as SystemClock).advance(6 * DAY_MS);
    const { monitoring } = monitoringAnew();
    await monitoring.start();
    await monitoring.stop();
    const alarm = monitoring.region.alarms.alarm('expiry');
    expect(alarm?.standing.state).to.equal('ALARM');
    expect((alarm?.standing.transitionedMs ?? 0) - startMs).to.be.within(
      5 * DAY_MS - MINUTE_MS,
      5 * DAY_MS + 2 * MINUTE_MS,
    );
  });

  it('count what keys were used for', async () => {
    const keyId = await makeExternalKey(call);
    await importInto(call, keyId, material);
    const kms = fixture.client();
    for (let count = 0; count < 3; count += 1) {
      await kms.send(new EncryptCommand({ KeyId: keyId, Plaintext: new Uint8Array(1) }));
    }
    await kms.send(new EncryptCommand({ KeyId: keyId, Plaintext: new Uint8Array(5000) })).catch(() => undefined);
    await fixture.advance(MINUTE_MS);
    const [entry, ...others] = fixture.monitoring.region.metrics.list(now() - DAY_MS);
    expect(others).to.deep.equal([]);
    if (entry === undefined) throw new Error('nothing was counted');
    expect(entry.metric.name).to.equal('SuccessfulRequest');
    expect(entry.metric.dimensions).to.deep.equal([
      { Name: 'KeyArn', Value: `arn:aws:kms:us-east-1:${ACCOUNT}:key/${keyId}` },
      { Name: 'Operation', Value: 'Encrypt' },
    ]);
    const samples = fixture.monitoring.region.metrics.samples(entry.metric, {
      fromMs: now() - DAY_MS,
      toMs: now(),
      nowMs: now(),
    });
    expect(samples.reduce((sum, sample) => sum + sample.sum, 0)).to.equal(3);
    expect(samples[0]?.unit).to.equal('Count');
  });

  it('are shown to whom a policy lets see them', async () => {
    const { region } = fixture.monitoring;
    const permissions = policyPermissions(fixture.region.home, fixture.region.clock);
    const identityPolicy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'cloudwatch:Describe*', Resource: '*' },
        {
          Effect: 'Allow',
          Action: 'cloudwatch:PutMetricAlarm',
          Resource: `arn:aws:cloudwatch:us-east-1:${ACCOUNT}:alarm:team-*`,
        },
      ],
    });
    const alice = { principal: `arn:aws:iam::${ACCOUNT}:user/alice`, account: ACCOUNT, identityPolicy };
    expect(permissions.allows(alice, 'cloudwatch:DescribeAlarms', '*')).to.equal(true);
    expect(() => authorize({ region, caller: alice }, 'PutMetricAlarm', 'team-a')).not.to.throw();
    expect(() => authorize({ region, caller: alice }, 'PutMetricAlarm', 'other')).to.throw(
      `User: arn:aws:iam::${ACCOUNT}:user/alice is not authorized to perform: cloudwatch:PutMetricAlarm on resource: arn:aws:cloudwatch:us-east-1:${ACCOUNT}:alarm:other because no identity-based policy allows the cloudwatch:PutMetricAlarm action`,
    );
    const stranger = { principal: 'arn:aws:iam::999988887777:root', account: '999988887777' };
    expect(permissions.allows(stranger, 'cloudwatch:DescribeAlarms', '*')).to.equal(false);
  });
});
