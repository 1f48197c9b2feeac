import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { HttpTransport, TransportError } from '../../src/adapters/transport_http.js';
import { startProxy, type RunningProxy } from '../../src/compose_proxy.js';
import { hostileMode } from '../../src/proxy/delivery_mode.js';
import { PROXY_LIMITS } from '../../src/proxy/limits.js';

const octetsOf = (message: string): Uint8Array => new Uint8Array(Buffer.from(message, 'utf8'));
const text = (octets: Uint8Array): string => Buffer.from(octets).toString('utf8');

describe('HttpTransport over a proxy', () => {
  let directory: string;
  let proxy: RunningProxy;
  let open: HttpTransport[];

  const transport = (region: string, proxyUrl = proxy.url): HttpTransport => {
    const made = new HttpTransport({ proxyUrl, region, backoffMs: { first: 5, max: 50 } });
    open.push(made);
    return made;
  };
  const restartProxy = async (whileDown: () => Promise<void> = async () => undefined): Promise<void> => {
    const port = Number(new URL(proxy.url).port);
    await proxy.close();
    await whileDown();
    proxy = await startProxy({ directory, listen: { host: '127.0.0.1', port } });
  };
  const until = async (fact: () => boolean): Promise<void> => {
    for (let waitedMs = 0; !fact(); waitedMs += 5) {
      if (waitedMs > 5_000) throw new Error('waited for too long');
      await sleep(5);
    }
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-proxy-'));
    proxy = await startProxy({ directory, listen: { host: '127.0.0.1', port: 0 } });
    open = [];
  });

  afterEach(async () => {
    await Promise.all(open.map((each) => each.close()));
    await proxy.close();
    rmSync(directory, { recursive: true });
  });

  it('carries messages both ways, each long before a poll would end', async () => {
    const [a, b] = [transport('us-east-1'), transport('eu-west-1')];
    let rounds = 0;
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    b.listen(async (octets) => b.send('us-east-1', octets));
    a.listen(async (octets) => {
      rounds += 1;
      if (rounds === 20) finish();
      else await a.send('eu-west-1', octets);
    });
    await a.send('eu-west-1', octetsOf('warm up'));
    const startedMs = performance.now();
    await finished;
    expect((performance.now() - startedMs) / 40).to.be.lessThan(1_000);
  });

  it('forgets a message at the proxy once the receiver is done with it, and not before', async () => {
    const [a, b] = [transport('us-east-1'), transport('eu-west-1')];
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    const received: string[] = [];
    b.listen((octets) => {
      received.push(text(octets));
      return work;
    });
    await a.send('eu-west-1', octetsOf('one'));
    await until(() => received.length === 1);
    expect(proxy.relay.status().waiting['eu-west-1']?.messages).to.equal(1);
    finish();
    await until(() => proxy.relay.status().waiting['eu-west-1']?.messages === 0);
    expect(received).to.deep.equal(['one']);
  });

  it('offers a message again when the receiver failed, and to its next process when it went away', async () => {
    const a = transport('us-east-1');
    const first = transport('eu-west-1');
    let attempts = 0;
    first.listen(async () => {
      attempts += 1;
      throw new Error('not now');
    });
    await a.send('eu-west-1', octetsOf('one'));
    await until(() => attempts > 1);
    await first.close();
    const received: string[] = [];
    transport('eu-west-1').listen(async (octets) => void received.push(text(octets)));
    await until(() => received.length === 1);
    expect(received).to.deep.equal(['one']);
  });

  it('waits for a proxy that is away, and loses nothing over its restart', async () => {
    const [a, b] = [transport('us-east-1'), transport('eu-west-1')];
    const received: string[] = [];
    await a.send('eu-west-1', octetsOf('before'));
    let sent = false;
    let sending: Promise<void> = Promise.resolve();
    await restartProxy(async () => {
      sending = a.send('eu-west-1', octetsOf('while away')).then(() => void (sent = true));
      b.listen(async (octets) => void received.push(text(octets)));
      await sleep(100);
      expect(sent).to.equal(false);
    });
    await sending;
    await until(() => received.length === 2);
    expect(received).to.deep.equal(['before', 'while away']);
    await restartProxy();
    await a.send('eu-west-1', octetsOf('after'));
    await until(() => received.length === 3);
  });

  it('reads a new queue from its beginning when the proxy has lost its file', async () => {
    const [a, b] = [transport('us-east-1'), transport('eu-west-1')];
    const received: string[] = [];
    b.listen(async (octets) => void received.push(text(octets)));
    for (const message of ['one', 'two', 'three']) await a.send('eu-west-1', octetsOf(message));
    await until(() => received.length === 3);
    await restartProxy(async () => {
      for (const file of ['proxy.db', 'proxy.db-wal', 'proxy.db-shm']) rmSync(join(directory, file), { force: true });
    });
    await a.send('eu-west-1', octetsOf('of the new queue'));
    await until(() => received.length === 4);
    expect(received[3]).to.equal('of the new queue');
  });

  it('reports a message that the proxy will never take, and does not try it again', async () => {
    const tooLarge = new Uint8Array(PROXY_LIMITS.messageOctetsMax + 1);
    const error = await transport('us-east-1')
      .send('eu-west-1', tooLarge)
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).to.be.instanceOf(TransportError);
    expect((error as TransportError).code).to.equal('ERR_TRANSPORT_REFUSED');
  });

  it('says that a message was not sent when it is closed before the proxy had it', async () => {
    const away = transport('us-east-1', 'http://127.0.0.1:9');
    const sending = away.send('eu-west-1', octetsOf('one')).then(
      () => 'sent',
      (error: TransportError) => error.code,
    );
    await sleep(30);
    await away.close();
    expect(await sending).to.equal('ERR_TRANSPORT_CLOSED');
  });

  it('delivers what a hostile proxy makes of the messages', async () => {
    const [a, b] = [transport('us-east-1'), transport('eu-west-1')];
    proxy.relay.setMode(hostileMode({ seed: 3, tamper: 1, duplicate: 1 }), 'hostile');
    const received: string[] = [];
    b.listen(async (octets) => void received.push(text(octets)));
    await a.send('eu-west-1', octetsOf('message'));
    await until(() => received.length === 2);
    expect(received).to.not.include('message');
  });

  it('is told by the proxy what is wrong with a request of another form', async () => {
    const call = (method: string, path: string, body = ''): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request(new URL(path, proxy.url), { method }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        sent.on('error', reject);
        sent.end(body);
      });
    expect(await call('GET', '/v1/regions/eu-west-1/messages?after=x')).to.equal(400);
    expect(await call('GET', '/v1/regions/eu-west-1/messages?wait=9999999')).to.equal(400);
    expect(await call('GET', '/v1/regions/..%2f/messages')).to.equal(400);
    expect(await call('POST', '/v1/regions/eu-west-1/acknowledgements', '{"ids":["1"]}')).to.equal(400);
    expect(await call('POST', '/v1/regions/eu-west-1/acknowledgements', '[')).to.equal(400);
    expect(await call('PUT', '/mode', '{"mode":"honest"}')).to.equal(404);
    expect(await call('GET', '/healthz')).to.equal(200);
  });
});
