import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../../src/errors.js';
import { askAdmin } from '../../../src/lab/admin_client.js';
import { LabError } from '../../../src/lab/errors.js';
import { EventBuffer, type RegionAdmin } from '../../../src/surfaces/admin/region_admin.js';
import { serveAdmin } from '../../../src/surfaces/admin/server.js';

describe('the administration socket of a region', () => {
  let directory: string;
  let socket: string;
  let events: EventBuffer;
  let calls: unknown[];
  let server: { close(): Promise<void> };
  let admin: RegionAdmin;

  const refusal = async (method: 'GET' | 'POST', path: string, body?: unknown): Promise<string> => {
    try {
      await askAdmin(socket, { method, path, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      if (error instanceof LabError)
        return `${String(error.details['status'])} ${String(error.details['code'])} ${error.message}`;
      throw error;
    }
    return 'accepted';
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kf-admin-'));
    socket = join(directory, 'admin.sock');
    events = new EventBuffer();
    calls = [];
    admin = {
      status: async () => ({ region: 'us-east-1' }),
      events,
      keyEvents: {
        follow: async function* (from, signal) {
          calls.push(from);
          yield [
            { id: 'one', text: '{"id":"one"}' },
            { id: 'two', text: '{"id":"two"}' },
          ];
          await once(signal, 'abort');
        },
      },
      takeRosters: async (rosters) => {
        calls.push(rosters);
        if (rosters[0] === 'bad') throw new ConfigError('ERR_CONFIG_STATE', 'the roster is refused');
        return { epoch: '4' };
      },
      makeSigningKey: async (challenge) => ({ kid: 'kid', enrolment: challenge }),
      destroySigningKey: async (kid) => void calls.push(kid),
      createKey: async (chosen) => ({ KeyMetadata: { KeyId: chosen.keyId } }),
      metrics: () => ({ SecondsUntilKeyMaterialExpiration: [{ keyId: 'a', seconds: 60 }] }),
      time: {
        read: () => ({ now: '2026-01-01T00:00:00.000Z', offsetMs: 7 }),
        advance: async (milliseconds) => {
          if (milliseconds === 13) throw new TypeError('secret detail');
          return { now: '2026-01-02T00:00:00.000Z', offsetMs: milliseconds };
        },
        reset: async () => ({ now: '2026-01-01T00:00:00.000Z', offsetMs: 0 }),
      },
    };
    server = await serveAdmin(admin, socket);
  });

  afterEach(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });

  it('can be used by its user only, and by one process', async () => {
    expect(statSync(socket).mode & 0o777).to.equal(0o600);
    const second = await serveAdmin(admin, socket).then(
      () => 'served',
      (error: ConfigError) => error.code,
    );
    expect(second).to.equal('ERR_CONFIG_STATE');
    expect(await askAdmin(socket, { method: 'GET', path: '/status' })).to.deep.equal({ region: 'us-east-1' });
  });

  it('passes rosters, signing keys and the clock on', async () => {
    expect(await askAdmin(socket, { method: 'POST', path: '/roster', body: { rosters: ['a', 'b'] } })).to.deep.equal({
      epoch: '4',
    });
    const challenge = 'c'.repeat(43);
    expect(await askAdmin(socket, { method: 'POST', path: '/rsk', body: { challenge } })).to.deep.equal({
      kid: 'kid',
      enrolment: challenge,
    });
    await askAdmin(socket, { method: 'DELETE', path: '/rsk/some-kid' });
    expect(await askAdmin(socket, { method: 'POST', path: '/clock', body: { milliseconds: 5 } })).to.deep.equal({
      now: '2026-01-02T00:00:00.000Z',
      offsetMs: 5,
    });
    expect(await askAdmin(socket, { method: 'GET', path: '/clock' })).to.have.property('offsetMs', 7);
    expect(await askAdmin(socket, { method: 'GET', path: '/metrics' })).to.deep.equal({
      SecondsUntilKeyMaterialExpiration: [{ keyId: 'a', seconds: 60 }],
    });
    expect(await askAdmin(socket, { method: 'DELETE', path: '/clock' })).to.have.property('offsetMs', 0);
    expect(calls).to.deep.equal([['a', 'b'], 'some-kid']);
  });

  it('says why a region refuses, and nothing of a failure that nobody foresaw', async () => {
    expect(await refusal('POST', '/roster', { rosters: ['bad'] })).to.equal(
      '409 ERR_CONFIG_STATE the roster is refused',
    );
    const failure = await refusal('POST', '/clock', { milliseconds: 13 });
    expect(failure)
      .to.match(/^500 ERR_ADMIN_INTERNAL/u)
      .and.to.not.contain('secret detail');
  });

  it('refuses what is not of the agreed form', async () => {
    expect(await refusal('POST', '/roster', { rosters: [] })).to.match(/^400 ERR_ADMIN_FORM/u);
    expect(await refusal('POST', '/roster', { rosters: ['a'], more: 1 })).to.match(/^400 ERR_ADMIN_FORM/u);
    expect(await refusal('POST', '/rsk', { challenge: 'short' })).to.match(/^400 ERR_ADMIN_FORM/u);
    expect(await refusal('POST', '/clock', { milliseconds: -1 })).to.match(/^400 ERR_ADMIN_FORM/u);
    expect(await refusal('GET', '/events?after=-1')).to.match(/^400 ERR_ADMIN_FORM/u);
    expect(await refusal('GET', '/elsewhere')).to.match(/^404 ERR_ADMIN_FORM/u);
  });

  it('gives events from a place on, and waits for the next one', async () => {
    events.add('one');
    events.add('two');
    const read = (after: number, waitMs: number): Promise<unknown> =>
      askAdmin(socket, { method: 'GET', path: `/events?after=${after}&wait=${waitMs}` });
    expect(await read(0, 0)).to.deep.equal({
      events: [
        { number: 1, event: 'one' },
        { number: 2, event: 'two' },
      ],
    });
    expect(await read(1, 0)).to.deep.equal({ events: [{ number: 2, event: 'two' }] });
    expect(await read(2, 10)).to.deep.equal({ events: [] });
    setTimeout(() => events.add('three'), 30);
    expect(await read(2, 5_000)).to.deep.equal({ events: [{ number: 3, event: 'three' }] });
  });

  it('hands the events of keys on as server-sent events, until the subscriber goes', async () => {
    const subscribe = (path: string, headers: Record<string, string> = {}): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request({ socketPath: socket, path, headers }, (response) => {
          response.setEncoding('utf8').once('data', (text: string) => {
            resolve(`${response.headers['content-type']}\n${text}`);
            sent.destroy();
          });
        });
        sent.on('error', reject);
        sent.end();
      });
    const text = 'text/event-stream\nid: one\ndata: {"id":"one"}\n\nid: two\ndata: {"id":"two"}\n\n';
    expect(await subscribe('/key-events')).to.equal(text);
    expect(await subscribe('/key-events?from=start')).to.equal(text);
    expect(await subscribe('/key-events', { 'Last-Event-ID': 'one' })).to.equal(text);
    expect(calls).to.deep.equal(['end', 'start', { afterId: 'one' }]);
    expect(await subscribe('/key-events?from=nowhere')).to.contain('ERR_ADMIN_FORM');
    expect(await subscribe('/key-events', { 'Last-Event-ID': '../x' })).to.contain('ERR_ADMIN_FORM');
  });

  it('keeps the newest events only, under the numbers that they had', async () => {
    for (let count = 1; count <= 5_100; count += 1) events.add(count);
    const [first] = await events.read({ after: 0, max: 1, waitMs: 0, signal: new AbortController().signal });
    expect(first).to.deep.equal({ number: 101, event: 101 });
  });

  it('numbers the events of a later process beyond those of the one before, so that a reader goes on where it was', async () => {
    const read = (from: EventBuffer, after: number): ReturnType<EventBuffer['read']> =>
      from.read({ after, max: 10, waitMs: 0, signal: new AbortController().signal });
    const earlier = new EventBuffer(1_000);
    earlier.add('before the restart');
    const [seen] = await read(earlier, 0);
    expect(seen).to.deep.equal({ number: 1_001, event: 'before the restart' });
    const later = new EventBuffer(2_000);
    expect(await read(later, 1_001)).to.deep.equal([]);
    later.add('after the restart');
    expect(await read(later, 1_001)).to.deep.equal([{ number: 2_001, event: 'after the restart' }]);
  });
});
