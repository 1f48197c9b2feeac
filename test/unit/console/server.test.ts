import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { expect } from 'chai';
import type { ConsoleLab, LabEvent } from '../../../src/console/console_lab.js';
import { ownHosts } from '../../../src/console/guard.js';
import { createConsoleServer } from '../../../src/console/server.js';
import { ConsoleSessions } from '../../../src/console/sessions.js';
import { closeServer, formatListenAddress, listenOn } from '../../../src/listen.js';

const ROOT = 'arn:aws:iam::111122223333:root';
const GUEST = 'arn:aws:iam::111122223333:user/guest';
const SECRET = 'the secret access key of the root';

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('the server of the console', () => {
  let endpoint: Server;
  let server: Server;
  let sessions: ConsoleSessions;
  let host = '';
  let tellPages: (event: LabEvent) => void = () => undefined;
  const seen: { headers: IncomingHttpHeaders; body: string }[] = [];
  const failures: unknown[] = [];

  before(async () => {
    endpoint = createServer((asked, response) => {
      let body = '';
      asked.setEncoding('utf8').on('data', (text: string) => (body += text));
      asked.on('end', () => {
        seen.push({ headers: asked.headers, body });
        response.writeHead(400, { 'x-amzn-requestid': 'request-7' });
        response.end('{"__type":"AccessDeniedException","message":"User: … is not authorized"}');
      });
    });
    const endpointUrl = `http://${formatListenAddress(await listenOn(endpoint, { host: '127.0.0.1', port: 0 }))}`;
    const lab: ConsoleLab = {
      principals: [
        { arn: ROOT, key: { accessKeyId: 'AKIAROOT', secretAccessKey: SECRET }, isOperator: true },
        { arn: GUEST, key: { accessKeyId: 'AKIAGUEST', secretAccessKey: 'another' }, isOperator: false },
      ],
      facts: () => ({
        partition: 'aws',
        account: '111122223333',
        endpoint: endpointUrl,
        profile: 'full',
        regions: ['us-east-1'],
        isLab: true,
        clockOffsetMs: { 'us-east-1': 0 },
      }),
      endpoint: () => ({ url: endpointUrl }),
      operate: async ({ method, path, body }) => (path === 'status' ? { method, body: body ?? null } : undefined),
      validationPage: (name) => (name === 'nss' ? Buffer.from('<script>1</script>') : undefined),
      watch: (tell, signal) => {
        tellPages = tell;
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    sessions = new ConsoleSessions(() => performance.now());
    let hosts: ReadonlySet<string> = new Set();
    server = createConsoleServer({ lab, sessions, hosts: () => hosts, report: (failure) => failures.push(failure) });
    const address = await listenOn(server, { host: '127.0.0.1', port: 0 });
    hosts = ownHosts(address);
    host = formatListenAddress(address);
  });

  after(async () => {
    await Promise.all([closeServer(server, 10), closeServer(endpoint, 10)]);
    expect(failures).to.deep.equal([]);
  });

  function ask(
    method: string,
    path: string,
    options: { readonly headers?: Readonly<Record<string, string | undefined>>; readonly body?: string } = {},
  ): Promise<Reply> {
    const named = { host, origin: `http://${host}`, 'x-keyferry-console': '1', 'sec-fetch-site': 'same-origin' };
    const headers = Object.entries({ ...named, ...options.headers }).filter(([, value]) => value !== undefined);
    return new Promise((resolve, reject) => {
      const [hostname, port] = host.split(':');
      const sent = request(
        { host: hostname, port, method, path, headers: Object.fromEntries(headers) as Record<string, string> },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
        },
      );
      sent.on('error', reject);
      sent.end(options.body);
    });
  }

  async function cookieOf(principal: string): Promise<string> {
    const body = JSON.stringify({ login: sessions.issueLogin(principal) });
    const { headers } = await ask('POST', '/login', { body });
    return (headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '';
  }

  const codeOf = ({ body }: Reply): string => String((JSON.parse(body) as { __type: string }).__type);

  it('answers nothing of the lab without a session', async () => {
    for (const [method, path] of [
      ['GET', '/api/lab'],
      ['GET', '/api/events'],
      ['GET', '/api/operator/status'],
      ['POST', '/api/us-east-1/kms/ListKeys'],
    ] as const) {
      const reply = await ask(method, path, { headers: { cookie: 'keyferry-1=x; other' } });
      expect([path, reply.status, codeOf(reply)]).to.deep.equal([path, 401, 'ERR_CONSOLE_LOGIN']);
    }
    expect(seen).to.deep.equal([]);
  });

  it('gives a cookie that no script reads and no other site sends, for a login link that works once', async () => {
    const body = JSON.stringify({ login: sessions.issueLogin(ROOT) });
    const first = await ask('POST', '/login', { body });
    expect(first.status).to.equal(200);
    expect(first.headers['set-cookie']?.[0]).to.match(
      /^keyferry-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/u,
    );
    const second = await ask('POST', '/login', { body });
    expect([second.status, codeOf(second), second.headers['set-cookie']]).to.deep.equal([
      401,
      'ERR_CONSOLE_LOGIN',
      undefined,
    ]);
  });

  it('ends a session when one logs out', async () => {
    const cookie = await cookieOf(ROOT);
    expect((await ask('GET', '/api/lab', { headers: { cookie } })).status).to.equal(200);
    expect((await ask('POST', '/logout', { headers: { cookie } })).status).to.equal(200);
    expect((await ask('GET', '/api/lab', { headers: { cookie } })).status).to.equal(401);
  });

  it('refuses what pages of other origins send, other ports of this machine included', async () => {
    const cookie = await cookieOf(ROOT);
    const before = seen.length;
    for (const headers of [
      { origin: 'https://example.com' },
      { origin: 'http://127.0.0.1:1' },
      { origin: 'null' },
      { origin: undefined },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'x-keyferry-console': undefined },
    ]) {
      const reply = await ask('POST', '/api/us-east-1/kms/ListKeys', { headers: { cookie, ...headers }, body: '{}' });
      expect([headers, codeOf(reply)]).to.deep.equal([headers, 'ERR_CONSOLE_CROSS_SITE']);
    }
    const read = await ask('GET', '/api/lab', {
      headers: { cookie, 'sec-fetch-site': 'same-site', origin: undefined },
    });
    expect(codeOf(read)).to.equal('ERR_CONSOLE_CROSS_SITE');
    const login = JSON.stringify({ login: sessions.issueLogin(ROOT) });
    const planted = await ask('POST', '/login', { headers: { origin: 'https://example.com' }, body: login });
    expect(codeOf(planted)).to.equal('ERR_CONSOLE_CROSS_SITE');
    expect(seen.length).to.equal(before);
  });

  it('refuses to answer under another name', async () => {
    const cookie = await cookieOf(ROOT);
    for (const name of ['keys.example.com', `keys.example.com:${host.split(':')[1] ?? ''}`, '127.0.0.1']) {
      const reply = await ask('GET', '/api/lab', { headers: { cookie, host: name, origin: undefined } });
      expect([name, reply.status, codeOf(reply)]).to.deep.equal([name, 421, 'ERR_CONSOLE_HOST']);
    }
  });

  it('signs with the principal’s own key, and hands on AWS’s own answer', async () => {
    const cookie = await cookieOf(GUEST);
    const reply = await ask('POST', '/api/us-east-1/cloudwatch/PutMetricAlarm', {
      headers: { cookie },
      body: '{"a":1}',
    });
    expect([reply.status, codeOf(reply), reply.headers['x-amzn-requestid']]).to.deep.equal([
      400,
      'AccessDeniedException',
      'request-7',
    ]);
    const { headers, body } = seen.at(-1) ?? { headers: {}, body: '' };
    expect(headers.authorization).to.match(/Credential=AKIAGUEST\/\d{8}\/us-east-1\/monitoring\/aws4_request/u);
    expect(headers['x-amz-target']).to.equal('GraniteServiceVersion20100801.PutMetricAlarm');
    expect(headers['content-type']).to.equal('application/x-amz-json-1.0');
    expect([headers.cookie, body]).to.deep.equal([undefined, '{"a":1}']);
  });

  it('knows its regions, services and operations only', async () => {
    const cookie = await cookieOf(ROOT);
    const before = seen.length;
    for (const path of [
      '/api/eu-west-1/kms/ListKeys',
      '/api/us-east-1/s3/ListBuckets',
      '/api/us-east-1/__proto__/ListKeys',
      '/api/us-east-1/kms/List%20Keys',
      '/api/us-east-1/kms/ListKeys/more',
    ]) {
      expect([path, (await ask('POST', path, { headers: { cookie }, body: '{}' })).status]).to.satisfy(
        ([, status]: [string, number]) => status === 404 || status === 400,
      );
    }
    expect(seen.length).to.equal(before);
  });

  it('lets administrators of the lab operate it, and nobody else', async () => {
    const [root, guest] = [await cookieOf(ROOT), await cookieOf(GUEST)];
    const allowed = await ask('GET', '/api/operator/status', { headers: { cookie: root } });
    expect(JSON.parse(allowed.body)).to.deep.equal({ method: 'GET', body: null });
    const refused = await ask('GET', '/api/operator/status', { headers: { cookie: guest } });
    expect([refused.status, codeOf(refused)]).to.deep.equal([403, 'ERR_CONSOLE_OPERATOR']);
    expect((await ask('GET', '/api/operator/other', { headers: { cookie: root } })).status).to.equal(404);
  });

  it('serves the page of a validation report to its own frames and to administrators, as one that may do nothing', async () => {
    const [root, guest] = [await cookieOf(ROOT), await cookieOf(GUEST)];
    const page = await ask('GET', '/api/operator/validation/nss', { headers: { cookie: root } });
    expect([page.status, page.body]).to.deep.equal([200, '<script>1</script>']);
    const rules = String(page.headers['content-security-policy']).split('; ');
    expect(rules).to.include.members(["default-src 'none'", "frame-ancestors 'self'", 'sandbox']);
    expect(rules.join()).to.not.match(/script-src|connect-src|allow-/u);
    expect((await ask('GET', '/api/operator/validation/nss', { headers: { cookie: guest } })).status).to.equal(403);
    for (const name of ['other', '..', '%2e%2e', 'nss/more']) {
      const { status } = await ask('GET', `/api/operator/validation/${name}`, { headers: { cookie: root } });
      expect([name, status]).to.deep.equal([name, 404]);
    }
  });

  it('tells all pages that something changed, and what the trace says to operators only', async () => {
    const streams = await Promise.all([ROOT, GUEST].map(async (arn) => stream(await cookieOf(arn))));
    tellPages({ type: 'trace', replications: ['intent'] });
    tellPages({ type: 'changed', region: 'us-east-1', names: ['CreateKey'] });
    const [root = '', guest = ''] = await Promise.all(streams.map(({ until }) => until('event: changed')));
    expect(root).to.contain('event: trace\ndata: {"replications":["intent"]}');
    expect(guest).to.contain('data: {"region":"us-east-1","names":["CreateKey"]}').and.not.contain('trace');
    for (const { close } of streams) close();
  });

  function stream(cookie: string): Promise<{ until: (text: string) => Promise<string>; close: () => void }> {
    return new Promise((resolve, reject) => {
      const sent = request(`http://${host}/api/events`, { headers: { cookie } }, (response) => {
        let body = '';
        let look = (): void => undefined;
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
          look();
        });
        response.on('error', () => undefined);
        const until = (text: string): Promise<string> =>
          new Promise((found) => {
            look = () => body.includes(text) && found(body);
            look();
          });
        until('hello').then(() => resolve({ until, close: () => sent.destroy() }), reject);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  it('forbids pages everything but what it serves itself, and never shows a key', async () => {
    const cookie = await cookieOf(ROOT);
    const facts = await ask('GET', '/api/lab', { headers: { cookie } });
    expect(facts.body).to.contain(ROOT).and.not.contain(SECRET).and.not.contain('AKIA');
    const page = await ask('GET', '/us-east-1/keys', { headers: { cookie, 'sec-fetch-site': 'none' } });
    const policy = String(page.headers['content-security-policy']);
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
      expect(policy).to.contain(part);
    }
    expect(policy).to.not.match(/unsafe|\*|https?:/u);
    expect(page.headers).to.include({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });

  it('serves no file but those of the page', async () => {
    for (const path of ['/assets/../../package.json', '/assets/index.html', '/assets/constructor', '/assets/.']) {
      const reply = await ask('GET', path, { headers: { 'sec-fetch-site': 'none' } });
      expect([path, reply.body.includes('dependencies')]).to.deep.equal([path, false]);
      expect(reply.status).to.be.oneOf([401, 404]);
    }
  });
});
