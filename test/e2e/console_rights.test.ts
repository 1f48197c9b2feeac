import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { closeServer, formatListenAddress, listenOn } from '../../src/listen.js';
import { skipWithoutBrowser } from '../support/browser.js';
import { CONSOLE_GUEST, consoleLab, type ConsoleLab } from '../support/console_lab.js';

const MARKUP = '<img src=x onerror="window.taken=1">';
/** Headers that no answer lacks, and what is in them. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('the console from the attacker’s side', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  let keyId = '';
  let host = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    host = new URL(lab.url).host;
    kms = lab.kms('us-east-1');
    const Tags = [{ TagKey: 'owner', TagValue: 'script alert' }];
    keyId = (await kms.createKey({ Description: MARKUP, Tags })).KeyMetadata?.KeyId ?? '';
  });

  /** A request of a program that is no browser: it can say what it likes. */
  function ask(
    method: string,
    path: string,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
  ): Promise<Reply> {
    const named = { host, origin: lab.url, 'x-keyferry-console': '1', 'sec-fetch-site': 'same-origin' };
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(lab.url);
      const headers = { ...named, ...options.headers };
      const sent = httpRequest({ hostname, port, method, path, headers }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        // A stream of events does not end by itself.
        if (String(response.headers['content-type']).startsWith('text/event-stream')) sent.destroy();
        response.on('close', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      sent.on('error', reject);
      sent.end(options.body);
    });
  }

  /** Exchanges a login link for a cookie. */
  async function logIn(principal: string | null = null): Promise<{ readonly cookie: string; readonly secret: string }> {
    const secret = (await lab.link(principal)).split('#')[1] ?? '';
    const { headers } = await ask('POST', '/login', { body: JSON.stringify({ login: secret }) });
    return { cookie: (headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '', secret };
  }

  /** A request as it is written, without what a client would put right. */
  async function askRaw(text: string): Promise<string> {
    const { hostname, port } = new URL(lab.url);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    socket.write(text.replaceAll('\n', '\r\n'));
    await once(socket, 'close');
    return answer;
  }

  it('shows nothing of the lab to whoever is not logged in, on no path and with no cookie of one’s own making', async () => {
    const forged = `keyferry-${host.split(':')[1] ?? ''}=${'A'.repeat(43)}`;
    for (const headers of [{}, { cookie: forged }, { cookie: `${forged}; ${forged}` }]) {
      for (const path of ['/', `/us-east-1/keys/${keyId}`, '/us-east-1/audit', '/us-east-1/alarms', '/lab']) {
        const { status, body } = await ask('GET', path, { headers });
        expect([path, status]).to.deep.equal([path, 401]);
        expect(body).to.contain('keyferry console --login').and.not.contain('console.js');
      }
      for (const [method, path] of [
        ['GET', '/api/lab'],
        ['GET', '/api/events'],
        ['GET', '/api/operator/status'],
        ['DELETE', '/api/operator/clock'],
        ['POST', '/api/us-east-1/kms/ListKeys'],
        ['POST', '/api/us-east-1/cloudtrail/LookupEvents'],
        ['POST', '/api/us-east-1/cloudwatch/DescribeAlarms'],
      ] as const) {
        const { status, body } = await ask(method, path, { headers, ...(method === 'POST' && { body: '{}' }) });
        expect([path, status]).to.deep.equal([path, 401]);
        expect(JSON.parse(body)).to.have.property('__type', 'ERR_CONSOLE_LOGIN');
      }
    }
  });

  it('lets a login link be redeemed once, however many try at the same time', async () => {
    const body = JSON.stringify({ login: (await lab.link()).split('#')[1] });
    const replies = await Promise.all(Array.from({ length: 8 }, () => ask('POST', '/login', { body })));
    expect(replies.filter(({ status }) => status === 200)).to.have.length(1);
    expect(replies.filter(({ headers }) => headers['set-cookie'] !== undefined)).to.have.length(1);
  });

  it('makes a new session at each login, and adopts none that somebody has planted', async () => {
    const { cookie } = await logIn();
    const secret = (await lab.link(CONSOLE_GUEST.principal)).split('#')[1] ?? '';
    const body = JSON.stringify({ login: secret, principal: 'arn:aws:iam::111122223333:root' });
    const { headers } = await ask('POST', '/login', { body, headers: { cookie } });
    const [guest = '', ...flags] = (headers['set-cookie']?.[0] ?? '').split('; ');
    expect(guest).to.not.equal(cookie);
    expect(flags).to.include.members(['HttpOnly', 'SameSite=Strict', 'Path=/']);
    const whoIs = async (given: string): Promise<unknown> => {
      const { principal } = JSON.parse((await ask('GET', '/api/lab', { headers: { cookie: given } })).body) as {
        readonly principal: { readonly arn: string };
      };
      return principal.arn;
    };
    expect(await whoIs(guest)).to.equal(CONSOLE_GUEST.principal);
    expect(await whoIs(cookie)).to.equal('arn:aws:iam::111122223333:root');
  });

  it('signs with the key of who is logged in, whatever a request claims', async () => {
    const { cookie } = await logIn(CONSOLE_GUEST.principal);
    const { status, body } = await ask('POST', '/api/us-east-1/kms/DescribeKey', {
      headers: {
        cookie,
        authorization: 'AWS4-HMAC-SHA256 Credential=AKIAROOT/20260101/us-east-1/kms/aws4_request',
        'x-amz-target': 'TrentService.ListKeys',
        'x-amz-security-token': 'root',
        'x-forwarded-user': 'arn:aws:iam::111122223333:root',
      },
      body: JSON.stringify({ KeyId: keyId }),
    });
    expect([status, JSON.parse(body)]).to.deep.equal([
      400,
      {
        __type: 'AccessDeniedException',
        message: (JSON.parse(body) as { message: string }).message,
      },
    ]);
    expect(body).to.contain(`User: ${CONSOLE_GUEST.principal} is not authorized to perform: kms:DescribeKey`);
    for (const path of ['/api/operator/status', '/api/operator/trace', '/api/operator/clock', '/api/operator/proxy']) {
      const refused = await ask('GET', path, { headers: { cookie } });
      expect([path, refused.status, refused.body.includes('ERR_CONSOLE_OPERATOR')]).to.deep.equal([path, 403, true]);
    }
  });

  it('refuses requests of other origins, under other names and without its header, also with the cookie', async () => {
    const { cookie } = await logIn();
    const path = '/api/us-east-1/kms/ScheduleKeyDeletion';
    const body = JSON.stringify({ KeyId: keyId });
    for (const headers of [
      { origin: 'http://127.0.0.1:1' },
      { origin: 'null' },
      { origin: lab.url.replace('127.0.0.1', 'localhost') },
      { origin: `${lab.url}.example.com` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'x-keyferry-console': '' },
      { host: 'attacker.example' },
      { host: `attacker.example:${host.split(':')[1] ?? ''}` },
    ]) {
      const { status, body: text } = await ask('POST', path, { headers: { cookie, ...headers }, body });
      expect([headers, status]).to.satisfy(([, found]: [unknown, number]) => found === 403 || found === 421);
      expect(text).to.match(/ERR_CONSOLE_(?:CROSS_SITE|HOST)/u);
    }
    for (const method of ['GET', 'PUT', 'OPTIONS', 'DELETE']) {
      expect([method, (await ask(method, path, { headers: { cookie } })).status]).to.deep.equal([method, 404]);
    }
    expect((await kms.describeKey({ KeyId: keyId })).KeyMetadata?.KeyState).to.equal('Enabled');
  });

  it('gives pages of another origin neither an effect, nor an answer, nor a frame', async () => {
    const attacker = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>Elsewhere</title>');
    });
    const elsewhere = formatListenAddress(await listenOn(attacker, { host: '127.0.0.1', port: 0 }));
    const page = await lab.page();
    await page.goto(`http://${elsewhere}/`);
    const target = JSON.stringify(lab.url);
    const tries: Readonly<Record<string, string>> = {
      read: `fetch(${target} + '/api/lab', { credentials: 'include' }).then(() => 'answered', () => 'refused')`,
      header: `fetch(${target} + '/logout', { method: 'POST', credentials: 'include', headers: { 'x-keyferry-console': '1' } }).then(() => 'answered', () => 'refused')`,
      script: `new Promise((resolve) => { const script = document.createElement('script'); script.src = ${target} + '/assets/console.js'; script.onload = () => resolve('answered'); script.onerror = () => resolve('refused'); document.head.append(script); })`,
      stream: `new Promise((resolve) => { const source = new EventSource(${target} + '/api/events', { withCredentials: true }); source.addEventListener('hello', () => resolve('answered')); source.onerror = () => { source.close(); resolve('refused'); }; })`,
    };
    for (const [name, script] of Object.entries(tries)) {
      expect([name, await page.evaluate(script)]).to.deep.equal([name, 'refused']);
    }
    // What needs no answer: forms, as the browser sends them without asking first.
    for (const path of ['/logout', '/api/us-east-1/kms/DisableKey']) {
      await page.evaluate(
        `(() => { const frame = document.createElement('iframe'); frame.name = 'sink'; document.body.append(frame); const form = document.createElement('form'); form.method = 'post'; form.enctype = 'text/plain'; form.target = 'sink'; form.action = ${target} + ${JSON.stringify(path)}; const input = document.createElement('input'); input.name = '{"KeyId":"${keyId}","x":"'; input.value = '"}'; form.append(input); document.body.append(form); form.submit(); })()`,
      );
      await page.waitForTimeout(200);
    }
    await page.evaluate(
      `new Promise((resolve) => { const frame = document.createElement('iframe'); frame.id = 'framed'; frame.src = ${target} + '/us-east-1/keys'; frame.onload = () => resolve(null); frame.onerror = () => resolve(null); document.body.append(frame); })`,
    );
    const framed = page.frames().filter((frame) => frame.url().startsWith(lab.url));
    for (const frame of framed) expect(await frame.locator('.shell, .login').count()).to.equal(0);
    expect((await kms.describeKey({ KeyId: keyId })).KeyMetadata?.KeyState).to.equal('Enabled');
    await page.goto(`${lab.url}/us-east-1/keys`);
    await page.waitForSelector('.shell');
    await page.context().close();
    await closeServer(attacker, 10);
  });

  it('has its headers on every answer, and serves no file but the page’s', async () => {
    const { cookie } = await logIn();
    for (const [method, path, status] of [
      ['GET', '/', 200],
      ['GET', '/login', 200],
      ['GET', '/assets/console.js', 200],
      ['GET', '/assets/console.css', 200],
      ['GET', '/assets/none', 404],
      ['GET', '/api/lab', 200],
      ['GET', '/api/events', 200],
      ['GET', '/api/none', 404],
      ['POST', '/api/us-east-1/kms/ListKeys', 200],
      ['POST', '/api/us-east-1/kms/DescribeKey', 400],
      ['POST', '/elsewhere', 404],
      ['POST', '/login', 401],
    ] as const) {
      const body = path === '/login' ? '{"login":"none"}' : '{}';
      const reply = await ask(method, path, { headers: { cookie }, ...(method === 'POST' && { body }) });
      expect([path, reply.status]).to.deep.equal([path, status]);
      for (const [name, value] of Object.entries(HEADERS))
        expect([path, reply.headers[name]]).to.satisfy(([, found]: [string, string | undefined]) =>
          found?.startsWith(value),
        );
      expect(reply.headers['content-security-policy']).to.not.contain('unsafe');
      expect(reply.headers).to.not.have.property('access-control-allow-origin');
    }
    for (const path of [
      '/assets/../../../package.json',
      '/assets/..%2f..%2f..%2fpackage.json',
      '/assets/%2e%2e/%2e%2e/package.json',
      '/assets/console.js%00.css',
      '//etc/passwd',
      '/..//..//package.json',
      '/assets/index.html',
      'http://[/',
      '//[',
    ]) {
      const answer = await askRaw(`GET ${path} HTTP/1.1\nhost: ${host}\ncookie: ${cookie}\nconnection: close\n\n`);
      expect(answer, path).to.match(/^HTTP\/1\.1 (?:200|400|404) /u);
      expect(answer, path).to.not.contain('"dependencies"').and.not.contain('root:');
      if (answer.startsWith('HTTP/1.1 200')) expect(answer, path).to.contain('<div id="app">');
    }
  });

  it('shows what others have written as text, wherever it is', async () => {
    const policy = JSON.parse((await kms.getKeyPolicy({ KeyId: keyId })).Policy ?? '{}') as {
      Statement: { Sid?: string }[];
    };
    for (const statement of policy.Statement) statement.Sid = MARKUP;
    await kms.putKeyPolicy({ KeyId: keyId, Policy: JSON.stringify(policy) });
    await kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('x'), EncryptionContext: { [MARKUP]: MARKUP } });
    const { cookie } = await logIn();
    const alarm = {
      AlarmName: MARKUP,
      AlarmDescription: MARKUP,
      Namespace: 'AWS/KMS',
      MetricName: MARKUP,
      Dimensions: [{ Name: 'KeyId', Value: MARKUP }],
      Statistic: 'Minimum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
    };
    const path = '/api/us-east-1/cloudwatch/PutMetricAlarm';
    expect((await ask('POST', path, { headers: { cookie }, body: JSON.stringify(alarm) })).status).to.equal(200);
    const page = await lab.page();
    for (const [address, text] of [
      [`/us-east-1/keys/${keyId}`, MARKUP],
      [`/us-east-1/keys/${keyId}/policy`, MARKUP],
      [`/us-east-1/audit?text=${encodeURIComponent('onerror')}&name=Encrypt`, 'Encrypt'],
      ['/us-east-1/alarms', MARKUP],
      [`/us-east-1/alarms/${encodeURIComponent(MARKUP)}`, MARKUP],
      [`/us-east-1/keys/${encodeURIComponent(MARKUP)}`, MARKUP],
      [`/us-east-1/audit?name=${encodeURIComponent(MARKUP)}`, 'There are no such events'],
      [`/${encodeURIComponent(MARKUP)}/keys`, 'There is no such page'],
      ['/us-east-1/keys/%E0%A4%A', 'There is no such page'],
    ] as const) {
      await page.goto(lab.url + address);
      await page.locator('main').getByText(text).first().waitFor();
      expect([address, await foreignMarkup(page)]).to.deep.equal([address, [0, null]]);
    }
    await page.goto(`${lab.url}/us-east-1/audit?name=Encrypt&text=onerror`);
    await page.locator('tbody').getByRole('link', { name: 'Encrypt' }).first().click();
    expect(await page.getByLabel('Event as JSON').innerText()).to.contain(JSON.stringify(MARKUP));
    expect(await foreignMarkup(page)).to.deep.equal([0, null]);
    await page.context().close();
    const gone = JSON.stringify({ AlarmNames: [MARKUP] });
    await ask('POST', '/api/us-east-1/cloudwatch/DeleteAlarms', { headers: { cookie }, body: gone });
  });

  /** Elements that only markup of others or of careless pages would make, and whether any of it ran. */
  function foreignMarkup(page: Page): Promise<readonly [number, unknown]> {
    return page.evaluate(
      `[document.querySelectorAll('main img, [style], style, script:not([src]), [onclick], [onerror]').length, window.taken ?? null]`,
    );
  }

  it('shows a principal without rights AWS’s own refusal on each page, and nothing else', async () => {
    const page = await lab.page({ principal: CONSOLE_GUEST.principal });
    for (const [address, code, action] of [
      [`/us-east-1/keys/${keyId}`, 'AccessDeniedException', 'kms:DescribeKey'],
      [`/us-east-1/keys/${keyId}/tags`, 'AccessDeniedException', 'kms:DescribeKey'],
      ['/us-east-1/audit', 'AccessDeniedException', 'cloudtrail:LookupEvents'],
      ['/us-east-1/alarms', 'AccessDenied', 'cloudwatch:DescribeAlarms'],
      ['/us-east-1/alarms/expiry', 'AccessDenied', 'cloudwatch:DescribeAlarms'],
      ['/lab', 'ERR_CONSOLE_OPERATOR', 'is no administrator of this lab'],
    ] as const) {
      await page.goto(lab.url + address);
      const alert = page.getByRole('alert').first();
      await alert.waitFor();
      const text = await alert.innerText();
      expect(text).to.contain(code).and.contain(action).and.contain(CONSOLE_GUEST.principal);
      expect([address, await page.locator('main tbody, main .facts, main .chart').count()]).to.deep.equal([address, 0]);
    }
    await page.context().close();
  });

  it('ends a session for all its windows and streams when one logs out', async () => {
    const { cookie } = await logIn();
    const { hostname, port } = new URL(lab.url);
    const headers = { host, 'sec-fetch-site': 'same-origin', cookie };
    const stream = httpRequest({ hostname, port, path: '/api/events', headers }).end();
    const [response] = (await once(stream, 'response')) as [NodeJS.ReadableStream];
    const ended = once(response.resume(), 'end');
    expect((await ask('POST', '/logout', { headers: { cookie }, body: '{}' })).status).to.equal(200);
    await ended;
    expect((await ask('GET', '/api/lab', { headers: { cookie } })).status).to.equal(401);
  });

  it('leaves no secret of a login in a file of the lab, in a command line or in an environment', async () => {
    const { cookie, secret } = await logIn();
    const session = cookie.split('=')[1] ?? '';
    expect([secret.length, session.length]).to.deep.equal([43, 43]);
    await ask('GET', '/us-east-1/keys', { headers: { cookie } });
    const files = readdirSync(lab.directory.root, { recursive: true })
      .map((name) => join(lab.directory.root, String(name)))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
    expect(files.length).to.be.greaterThan(10);
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/u.test(name))
      .flatMap((name) => [`/proc/${name}/cmdline`, `/proc/${name}/environ`]);
    for (const file of [...files, ...processes]) {
      const octets = readIfThere(file);
      expect([file, octets.includes(secret), octets.includes(session)]).to.deep.equal([file, false, false]);
    }
  });

  function readIfThere(file: string): Buffer {
    try {
      return readFileSync(file);
    } catch {
      // A process that has ended, or is another user's.
      return Buffer.alloc(0);
    }
  }
});
