import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  ScheduleKeyDeletionCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { SqliteRegionCounts } from '../../src/adapters/region_counts_sqlite.js';
import { LIMITS } from '../../src/limits.js';
import type { KeyId } from '../../src/kms/key_id.js';
import { RegionMetrics } from '../../src/metrics/region_metrics.js';
import type { Call } from '../../src/kms/region.js';
import { serveMetrics } from '../../src/surfaces/metrics/server.js';
import { parseScrape, type Scrape } from '../support/exposition_parser.js';
import { importInto, makeExternalKey } from '../support/import_ceremony.js';
import { makeFixtureHsm, makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { makeRegionToken } from '../support/region_token.js';
import { ACCOUNT, ManualClock, ROOT } from '../support/software_region.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';

const DAY_MS = 86_400_000;
const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

describe('Metrics of a region', function () {
  this.timeout(30_000);
  let fixture: RegionFixture;
  let kms: KMSClient;

  beforeEach(async () => {
    const token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports });
    kms = fixture.client();
  });
  afterEach(() => fixture.close());

  /** Status and text of a `GET` with some headers. */
  function get(
    url: string,
    headers: Readonly<Record<string, string>> = {},
    method = 'GET',
  ): Promise<{ readonly status: number; readonly type: string | undefined; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], text }),
        );
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  async function scrape(): Promise<Scrape> {
    const { status, type, text } = await get(`${fixture.url}/metrics`);
    expect([status, type]).to.deep.equal([200, TYPE]);
    return parseScrape(text);
  }

  /** Those that are not counted anew at once. */
  function counted(): Scrape {
    const { database, region } = fixture;
    const metrics = new RegionMetrics({
      region: fixture.name,
      clock: region.clock,
      clockOffsetMs: () => 0,
      counts: new SqliteRegionCounts(database),
      countsAgeMs: 0,
      expiriesMax: 2,
    });
    return parseScrape(metrics.text());
  }

  it('are answered to whoever asks from this machine, and hold what was called', async () => {
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    const KeyId = KeyMetadata?.KeyId ?? '';
    for (let count = 0; count < 3; count += 1) {
      await kms.send(new EncryptCommand({ KeyId, Plaintext: randomBytes(8) }));
    }
    await kms.send(new DescribeKeyCommand({ KeyId: 'alias/none' })).catch(() => undefined);
    await get(fixture.url, { authorization: 'nonsense' }, 'POST');
    const found = await scrape();
    const requests = (operation: string, outcome: string): number =>
      found.value('keyferry_requests_total', { operation, outcome });
    expect(requests('Encrypt', 'success')).to.equal(3);
    expect(requests('DescribeKey', 'NotFoundException')).to.equal(1);
    expect(requests('unknown', 'IncompleteSignatureException')).to.equal(1);
    expect(found.value('keyferry_request_seconds_count', { operation: 'Encrypt' })).to.equal(3);
    expect(found.value('keyferry_region_info', { region: 'us-east-1' })).to.equal(1);
    expect(found.value('process_resident_memory_bytes')).to.be.greaterThan(1e7);
    expect(found.value('process_cpu_seconds_total')).to.be.greaterThan(0);
  });

  it('are refused to pages of browsers, other names of this machine, signed requests and other methods', async () => {
    const url = `${fixture.url}/metrics`;
    const statuses = await Promise.all([
      get(url, { origin: 'https://example.com' }),
      get(url, { host: 'rebound.example.com' }),
      get(url, { authorization: 'AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/kms/aws4_request' }),
      get(url, {}, 'POST'),
      get(`${url}?x`),
    ]);
    expect(statuses.map(({ status }) => status)).to.not.include(200);
    for (const { text } of statuses) expect(text).to.not.contain('keyferry_');
    expect((await get(url, { host: 'localhost:1' })).status).to.equal(200);
  });

  it('count keys by state as they change, without looking at the keys', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      ids.push((await kms.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId ?? '');
    }
    const [first = '', second = ''] = ids;
    await kms.send(new DisableKeyCommand({ KeyId: first }));
    await kms.send(new ScheduleKeyDeletionCommand({ KeyId: second, PendingWindowInDays: 7 }));
    const { region, database } = fixture;
    const call: Call = { region, caller: { principal: ROOT, account: ACCOUNT } };
    await makeExternalKey(call);
    const stored = (): Record<string, unknown> =>
      Object.fromEntries(
        database
          .prepare('SELECT key_state, count(*) AS count FROM keys GROUP BY key_state')
          .all()
          .map((row) => [String(row['key_state']), row['count']]),
      );
    const shown = (): Record<string, unknown> =>
      Object.fromEntries(
        counted()
          .samples.filter(({ name, value }) => name === 'keyferry_keys' && value > 0)
          .map(({ labels, value }) => [labels['state'] ?? '', value]),
      );
    expect(shown()).to.deep.equal({ Enabled: 2, Disabled: 1, PendingDeletion: 1, PendingImport: 1 });
    expect(shown()).to.deep.equal(stored());
    await fixture.advance(8 * DAY_MS);
    expect(shown()).to.deep.equal({ Enabled: 2, Disabled: 1, PendingImport: 1 });
    // What is rolled back was never counted.
    expect(() =>
      region.store.transaction(() => {
        region.store.setState(ids[2] as KeyId, 'Disabled', null);
        throw new Error('no');
      }),
    ).to.throw('no');
    expect(shown()).to.deep.equal(stored());
  });

  it('show the time until expiry of the keys where it is soonest, by the region’s clock', async () => {
    const call: Call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
    const ids: string[] = [];
    for (const days of [3, 1, 2]) {
      const keyId = await makeExternalKey(call);
      const ValidTo = new Date(fixture.region.clock.nowMs() + days * DAY_MS);
      await importInto(call, keyId, randomBytes(32), { ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
      ids.push(keyId);
    }
    const seconds = (scraped: Scrape): readonly (readonly [string | undefined, number])[] =>
      scraped.samples
        .filter(({ name }) => name === 'keyferry_seconds_until_expiry')
        .map(({ labels, value }) => [labels['key_id'], Math.ceil(value / 3600)]);
    expect(seconds(counted())).to.deep.equal([
      [ids[1], 24],
      [ids[2], 48],
    ]);
    await fixture.advance(1.5 * DAY_MS);
    expect(seconds(counted())).to.deep.equal([
      [ids[2], 12],
      [ids[0], 36],
    ]);
    expect((await scrape()).value('keyferry_clock_offset_seconds')).to.equal(1.5 * 86_400);
  });

  it('ask the database no more often than they say, however often they are asked', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const counts = {
      keys: () => {
        asked += 1;
        return new Map([['Enabled', asked]]);
      },
      replications: () => new Map<string, number>(),
      expiries: () => new Map<string, number>(),
    };
    const metrics = new RegionMetrics({
      region: 'us-east-1',
      clock,
      clockOffsetMs: () => 0,
      counts,
      countsAgeMs: LIMITS.metricsCountsAgeMs,
      expiriesMax: 1,
    });
    for (let count = 0; count < 10; count += 1) metrics.text();
    expect(asked).to.equal(1);
    clock.ms += LIMITS.metricsCountsAgeMs;
    expect(parseScrape(metrics.text()).value('keyferry_keys')).to.equal(2);
    // An end that is told twice is one end.
    metrics.observeSession({ role: 'source', intent: 'a', state: 'SENT' });
    for (const intent of ['a', 'a', 'b']) metrics.observeSession({ role: 'source', intent, state: 'DONE' });
    expect(parseScrape(metrics.text()).value('keyferry_replication_sessions_total')).to.equal(2);
  });

  it('are served on an address of their own', async () => {
    const served = await serveMetrics(() => '# nothing\n', { host: '127.0.0.1', port: 0 });
    expect(await get(served.url, { host: 'metrics.example.com' })).to.deep.equal({
      status: 200,
      type: TYPE,
      text: '# nothing\n',
    });
    expect((await get(served.url.replace('metrics', 'else'))).status).to.equal(404);
    await served.close();
  });
});

describe('Metrics of a token', function () {
  this.timeout(60_000);

  it('count its jobs by strategy, with their time, and its sessions', async () => {
    const token = await makeRegionToken('nss');
    try {
      expect(token.hsm).to.be.instanceOf(RegionHsm);
      await token.hsm.random(16);
      const stats = token.executor.stats();
      const counts = { keys: () => new Map(), replications: () => new Map(), expiries: () => new Map() };
      const metrics = new RegionMetrics({
        region: 'us-east-1',
        clock: new ManualClock(),
        clockOffsetMs: () => 0,
        jobs: () => stats,
        counts,
        countsAgeMs: 0,
        expiriesMax: 1,
      });
      const found = parseScrape(metrics.text());
      const jobs = found.samples.filter(({ name }) => name === 'keyferry_token_jobs_total');
      expect(jobs.length).to.be.greaterThan(3);
      expect(jobs.reduce((sum, { value }) => sum + value, 0)).to.equal(stats.jobs);
      const random = { job: 'random', strategy: 'C_GenerateRandom' };
      expect(found.value('keyferry_token_jobs_total', { ...random, outcome: 'success' })).to.be.greaterThan(0);
      expect(found.value('keyferry_token_seconds_total', random)).to.be.greaterThan(0);
      expect(found.value('keyferry_token_sessions')).to.equal(2);
    } finally {
      await token.close();
    }
  });
});
