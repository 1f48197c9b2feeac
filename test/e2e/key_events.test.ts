import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateKeyCommand, RotateKeyOnDemandCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { DeliveryPlaceFile } from '../../src/adapters/delivery_place_file.js';
import { KeyEventFile } from '../../src/adapters/key_event_file.js';
import { KeyEventDelivery } from '../../src/audit/key_event_delivery.js';
import { KeyEvents, type KeyEvent, type KeyEventPlace } from '../../src/audit/key_event.js';
import type { ServiceEvent, ServiceEvents } from '../../src/kms/ports.js';
import type { Call } from '../../src/kms/region.js';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { ACCOUNT, ROOT } from '../support/software_region.js';

const DAY_MS = 86_400_000;
const HOME = { partition: 'aws', region: 'us-east-1', account: ACCOUNT };

/** Keeps what is posted to it; answers what it is told to, then 200. */
async function startReceiver(): Promise<{
  readonly url: string;
  readonly received: readonly KeyEvent[];
  readonly statuses: number[];
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}> {
  const received: KeyEvent[] = [];
  const statuses: number[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const status = statuses.shift() ?? 200;
      response.writeHead(status).end();
      if (status === 200) received.push(JSON.parse(text));
      server.emit('event');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    received,
    statuses,
    waitFor: async (count) => {
      while (received.length < count) await once(server, 'event');
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function serviceEvent(eventId: string): ServiceEvent {
  const keyArn = `arn:aws:kms:us-east-1:${ACCOUNT}:key/${eventId}`;
  return { name: 'DeleteKey', keyArn, details: { keyId: eventId }, eventId, atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
}

describe('The events of keys', function () {
  this.timeout(20_000);
  let fixture: RegionFixture;
  let receiver: Awaited<ReturnType<typeof startReceiver>>;

  beforeEach(async () => {
    receiver = await startReceiver();
    const token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports, eventWebhooks: [receiver.url] });
  });
  afterEach(async () => {
    await fixture?.close();
    await receiver?.close();
  });

  /** The first events from a place on. */
  async function take(file: Pick<KeyEventFile, 'follow'>, count: number, from: KeyEventPlace): Promise<KeyEvent[]> {
    const taken: KeyEvent[] = [];
    const enough = new AbortController();
    for await (const lines of file.follow(from, enough.signal)) {
      for (const { text } of lines) taken.push(JSON.parse(text));
      if (taken.length >= count) enough.abort();
    }
    return taken;
  }

  it('tell of rotation, expiry and deletion in the form of Amazon EventBridge, and reach a webhook', async () => {
    const kms = fixture.client();
    const call: Call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    const KeyId = KeyMetadata?.KeyId ?? '';
    await kms.send(new RotateKeyOnDemandCommand({ KeyId }));
    const imported = await makeExternalKey(call);
    const ValidTo = new Date(fixture.region.clock.nowMs() + DAY_MS);
    const { KeyMaterialId } = await importInto(call, imported, randomBytes(32), {
      ValidTo,
      ExpirationModel: 'KEY_MATERIAL_EXPIRES',
    });
    await kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await fixture.advance(2 * DAY_MS);
    await fixture.advance(7 * DAY_MS);

    const events = await take(fixture.keyEvents as KeyEventFile, 3, 'start');
    const trail = (await fixture.events()).filter(({ eventType }) => eventType === 'AwsServiceEvent');
    const { previousKeyMaterialId, currentKeyMaterialId } = trail[0]?.serviceEventDetails ?? {};
    const envelope = (index: number, keyId: string) => ({
      version: '0',
      id: trail[index]?.eventID,
      source: 'aws.kms',
      account: ACCOUNT,
      time: trail[index]?.eventTime,
      region: 'us-east-1',
      resources: [`arn:aws:kms:us-east-1:${ACCOUNT}:key/${keyId}`],
    });
    expect(events).to.deep.equal([
      {
        ...envelope(0, KeyId),
        'detail-type': 'KMS CMK Rotation',
        detail: {
          'key-id': KeyId,
          'key-origin': 'AWS_KMS',
          'rotation-type': 'ON_DEMAND',
          'previous-key-material-id': previousKeyMaterialId,
          'current-key-material-id': currentKeyMaterialId,
        },
      },
      {
        ...envelope(1, imported),
        'detail-type': 'KMS Imported Key Material Expiration',
        detail: { 'key-id': imported, 'key-material-id': KeyMaterialId },
      },
      { ...envelope(2, KeyId), 'detail-type': 'KMS CMK Deletion', detail: { 'key-id': KeyId } },
    ]);
    expect(previousKeyMaterialId).to.be.a('string').and.not.equal(currentKeyMaterialId);
    await receiver.waitFor(3);
    expect(receiver.received).to.deep.equal(events);
  });

  it('come to a subscriber from the place that it names, and as they happen', async () => {
    const path = join(fixture.directory, 'some-events.jsonl');
    const file = await KeyEventFile.open(path);
    const events = new KeyEvents(HOME, { trail: { record: async () => undefined }, sink: file });
    const ids = async (count: number, from: KeyEventPlace) => (await take(file, count, from)).map(({ id }) => id);
    await events.record(serviceEvent('one'));
    await events.record(serviceEvent('two'));
    expect(await ids(2, 'start')).to.deep.equal(['one', 'two']);
    expect(await ids(1, { afterId: 'one' })).to.deep.equal(['two']);
    // Whoever names what nobody knows may have missed anything.
    expect(await ids(2, { afterId: 'none' })).to.deep.equal(['one', 'two']);
    const waiting = [ids(1, 'end'), ids(1, { afterId: 'two' })];
    await new Promise((resolve) => setTimeout(resolve, 50));
    await events.record(serviceEvent('three'));
    expect(await Promise.all(waiting)).to.deep.equal([['three'], ['three']]);
    await file.close();
  });

  it('are told again with their ids where telling them failed in between, and none is lost', async () => {
    const kept: ServiceEvent[] = [];
    const file = await KeyEventFile.open(join(fixture.directory, 'crashing-events.jsonl'));
    let failures = 1;
    const trail: ServiceEvents = { record: async (event) => void kept.push(event) };
    const events = new KeyEvents(HOME, {
      trail,
      sink: {
        append: async (event) => {
          failures -= 1;
          if (failures >= 0) throw new Error('the disk is full');
          await file.append(event);
        },
      },
    });
    const failure = await events.record(serviceEvent('one')).catch((error: Error) => error.message);
    expect(failure).to.equal('the disk is full');
    await events.record(serviceEvent('one'));
    expect(kept.map(({ eventId }) => eventId)).to.deep.equal(['one', 'one']);
    expect((await take(file, 1, 'start')).map(({ id }) => id)).to.deep.equal(['one']);
    await file.close();
  });

  it('wait for a webhook that does not take them, in their order, also over a restart; a new webhook gets what is new', async () => {
    const path = join(fixture.directory, 'posted-events.jsonl');
    const placesPath = join(fixture.directory, 'posted.json');
    const file = await KeyEventFile.open(path);
    const reports: string[] = [];
    const { HttpWebhookTransport } = await import('../../src/adapters/webhook_http.js');
    const deliver = (...urls: readonly string[]) =>
      new KeyEventDelivery({
        urls,
        lines: file,
        places: new DeliveryPlaceFile(placesPath),
        transport: new HttpWebhookTransport(),
        report: (failure) => reports.push(String(failure)),
        pauseMs: 5,
      });
    const events = new KeyEvents(HOME, { trail: { record: async () => undefined }, sink: file });
    await events.record(serviceEvent('before'));
    const first = deliver(receiver.url);
    await first.start();
    receiver.statuses.push(500, 429, 503);
    await events.record(serviceEvent('one'));
    await receiver.waitFor(1);
    // Refused for good.
    receiver.statuses.push(403);
    await events.record(serviceEvent('two'));
    await events.record(serviceEvent('three'));
    await receiver.waitFor(2);
    await first.stop();
    await events.record(serviceEvent('four'));
    const other = await startReceiver();
    const second = deliver(receiver.url, other.url);
    await second.start();
    await events.record(serviceEvent('five'));
    await other.waitFor(1);
    while (receiver.received.at(-1)?.id !== 'five') await receiver.waitFor(receiver.received.length + 1);
    await second.stop();
    await other.close();
    // The one that was on its way when delivery stopped may have come twice.
    expect([...new Set(receiver.received.map(({ id }) => id))]).to.deep.equal(['one', 'three', 'four', 'five']);
    expect(other.received.map(({ id }) => id)).to.deep.equal(['five']);
    expect(reports).to.have.length(1);
    expect(reports[0]).to.contain('event two was not taken').and.to.contain('status 403');
    // What a crash did to the places makes a new receiver of everybody, and nothing else.
    await writeFile(placesPath, (await readFile(placesPath, 'utf8')).slice(0, 20));
    expect(new DeliveryPlaceFile(placesPath).placeOf(receiver.url)).to.equal(undefined);
    await file.close();
  });
});

describe('The events of a region that is killed', function () {
  this.timeout(30_000);
  const RUNNER = fileURLToPath(new URL('../support/key_events_until_killed.js', import.meta.url));
  const KEYS = 12;

  for (const [number, moment] of [
    [1, 'before'],
    [7, 'before'],
    [7, 'after'],
    [KEYS, 'after'],
  ] as const) {
    it(`are told at least once, where it was killed ${moment} event ${number} was kept`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'keyferry-events-'));
      const run = async (keys: number, killedAt: number): Promise<readonly [string[], NodeJS.Signals | null]> => {
        const child = spawn(process.execPath, [RUNNER, directory, `${keys}`, `${killedAt}`, moment], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let text = '';
        child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
        const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
        return [JSON.parse(text) as string[], signal];
      };
      const linesOf = async (name: string): Promise<readonly Record<string, unknown>[]> =>
        (await readFile(join(directory, name), 'utf8'))
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      try {
        const [ids, signal] = await run(KEYS, number);
        expect(signal).to.equal('SIGKILL');
        expect((await run(0, 0))[1]).to.equal(null);
        const events = await linesOf('events.jsonl');
        const byId = new Map(events.map(({ id, detail }) => [id, (detail as Record<string, string>)['key-id']]));
        expect([...byId.values()].toSorted()).to.deep.equal(ids.toSorted());
        // One at most is told again, and by the same id.
        expect(events.length).to.equal(moment === 'after' ? KEYS + 1 : KEYS);
        const recorded = (await linesOf('trail.jsonl')).map(({ eventID }) => eventID);
        expect(new Set(recorded)).to.deep.equal(new Set(byId.keys()));
      } finally {
        await rm(directory, { recursive: true });
      }
    });
  }
});
