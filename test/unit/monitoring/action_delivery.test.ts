import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { SqliteAlarmStore } from '../../../src/adapters/alarm_store_sqlite.js';
import { SystemClock } from '../../../src/adapters/clock_system.js';
import { Database } from '../../../src/adapters/database.js';
import { HttpWebhookTransport } from '../../../src/adapters/webhook_http.js';
import { ActionDelivery } from '../../../src/monitoring/action_delivery.js';
import { actionTarget, LOOPBACK_ONLY, type ActionRules } from '../../../src/monitoring/action_target.js';
import type { Alarm } from '../../../src/monitoring/alarm.js';
import { transition } from '../../../src/monitoring/alarm_transition.js';
import { startWebhook, type Webhook } from '../../support/webhook.js';

const HOME = { partition: 'aws', region: 'us-east-1', account: '111122223333' } as const;
const TOPIC = 'arn:aws:sns:us-east-1:111122223333:alerts';

describe('The actions of an alarm', function () {
  this.timeout(15_000);
  let database: Database;
  let store: SqliteAlarmStore;
  let webhook: Webhook;
  let delivery: ActionDelivery | undefined;
  let failures: unknown[];

  beforeEach(async () => {
    database = Database.open(':memory:');
    store = new SqliteAlarmStore(database);
    webhook = await startWebhook();
    failures = [];
  });
  afterEach(async () => {
    delivery?.stop();
    await webhook.close();
    database.close();
  });

  function alarmWith(...actions: readonly string[]): Alarm {
    const standing = { state: 'OK', reason: '', reasonData: null, updatedMs: 1, transitionedMs: 1 } as const;
    const alarm: Alarm = {
      name: 'a "name"',
      configuration: {
        description: null,
        actionsEnabled: true,
        actions: { OK: [], ALARM: actions, INSUFFICIENT_DATA: [] },
        namespace: 'Test',
        metricName: 'Value',
        dimensions: [],
        statistic: 'Sum',
        periodSeconds: 60,
        unit: null,
        evaluationPeriods: 1,
        datapointsToAlarm: null,
        threshold: 1,
        comparison: 'GreaterThanThreshold',
        missingData: null,
      },
      configuredMs: 1,
      standing,
      tags: [],
    };
    store.put(alarm);
    return alarm;
  }

  function ring(alarm: Alarm, rules: ActionRules = LOOPBACK_ONLY): void {
    const next = { state: 'ALARM', reason: 'rings', reasonData: null, atMs: 1000 } as const;
    transition({ home: HOME, store, rules }, alarm, next);
  }

  function deliver(rules: ActionRules = LOOPBACK_ONLY): void {
    delivery = new ActionDelivery({
      store,
      rules,
      transport: new HttpWebhookTransport(),
      clock: new SystemClock(),
      report: (failure) => failures.push(failure),
    });
    delivery.wake();
  }

  async function delivered(): Promise<void> {
    while (store.countActions() > 0) await sleep(10);
  }

  const results = (): readonly string[] =>
    store
      .history({
        alarmName: null,
        type: 'Action',
        fromMs: 0,
        toMs: 1e15,
        order: 'oldest-first',
        after: null,
        limit: 10,
      })
      .map(({ summary }) => summary);

  it('are tried again while the receiver fails, with the same id, and then told to the history', async () => {
    webhook.statuses.push(503);
    ring(alarmWith(webhook.url));
    const [pending] = store.actions(1);
    deliver();
    await webhook.waitFor(1);
    await delivered();
    expect(webhook.received[0]?.envelope['MessageId']).to.equal(pending?.id);
    expect(webhook.received[0]?.headers['x-amz-sns-message-id']).to.equal(pending?.id);
    expect(results()).to.deep.equal([`Successfully executed action ${webhook.url}`]);
    expect(failures).to.deep.equal([]);
  });

  it('are given up at once where the receiver refuses them for good', async () => {
    webhook.statuses.push(404);
    ring(alarmWith(webhook.url));
    deliver();
    await delivered();
    expect(results()).to.deep.equal([`Failed to execute action ${webhook.url}`]);
    expect(String(failures[0])).to.contain('answered 404');
    expect(webhook.received).to.deep.equal([]);
  });

  it('do not hold up one another', async () => {
    ring(alarmWith('http://127.0.0.1:1/nobody', webhook.url));
    deliver();
    await webhook.waitFor(1);
    expect(store.countActions()).to.be.within(1, 2);
  });

  it('wait in the store for whoever comes after the process', async () => {
    ring(alarmWith(TOPIC), { topics: { [TOPIC]: webhook.url }, hosts: [] });
    expect(store.countActions()).to.equal(1);
    const later = new SqliteAlarmStore(database);
    expect(later.actions(1)[0]?.action).to.equal(TOPIC);
    // The operator may have moved the topic meanwhile.
    const moved = await startWebhook();
    try {
      deliver({ topics: { [TOPIC]: moved.url }, hosts: [] });
      await moved.waitFor(1);
      await delivered();
      expect(webhook.received).to.deep.equal([]);
      expect(moved.received[0]?.envelope['TopicArn']).to.equal(TOPIC);
    } finally {
      await moved.close();
    }
  });

  it('are told to the history as not delivered where a topic has no URL', () => {
    ring(alarmWith(TOPIC));
    expect(store.countActions()).to.equal(0);
    expect(results()).to.deep.equal([`Failed to execute action ${TOPIC}`]);
  });

  it('are not laid by where they are disabled, or where the state stays', () => {
    const alarm = alarmWith(webhook.url);
    ring({ ...alarm, configuration: { ...alarm.configuration, actionsEnabled: false } });
    ring({ ...alarm, standing: { ...alarm.standing, state: 'ALARM' } });
    expect(store.countActions()).to.equal(0);
  });

  it('reach this machine and the hosts of the configuration only', () => {
    const rules: ActionRules = { topics: {}, hosts: ['alerts.example.com'] };
    const kindOf = (action: string): string => actionTarget(action, rules).kind;
    for (const action of [
      'http://127.0.0.1:9000/x',
      'http://127.8.8.8/',
      'https://localhost/',
      'http://[::1]:80/',
      'https://alerts.example.com/hook',
      'http://0x7f.1/',
    ]) {
      expect(kindOf(action), action).to.equal('url');
    }
    for (const action of [
      'http://127.0.0.1.example.com/',
      'http://169.254.169.254/latest',
      'http://0.0.0.0/',
      'http://10.0.0.1/',
      'http://127.evil.example/',
      'http://[::ffff:10.0.0.1]/',
      'https://evil.alerts.example.com/',
      'arn:aws:sns:us-east-1:111122223333:other',
    ]) {
      expect(kindOf(action), action).to.equal('none');
    }
    for (const action of [
      'ftp://127.0.0.1/',
      'http://',
      'http://user:secret@127.0.0.1/',
      'http://alerts.example.com@10.0.0.1/',
      'nonsense',
    ]) {
      expect(kindOf(action), action).to.equal('malformed');
    }
  });
});
