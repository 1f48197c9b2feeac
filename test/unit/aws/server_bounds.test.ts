import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { LIMITS } from '../../../src/limits.js';
import { serveAws, type AwsServer, type ServerBounds } from '../../../src/surfaces/aws/server.js';
import { authorizationFor, basicTime } from '../../support/sign_request.js';
import { makeSoftwareRegion, ROOT, type SoftwareRegion } from '../../support/software_region.js';

const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\n';

describe('The AWS endpoint and clients that take their time', function () {
  this.timeout(10_000);
  let fixture: SoftwareRegion;
  let server: AwsServer;
  const sockets: Socket[] = [];

  const serve = (bounds: Partial<ServerBounds>): Promise<AwsServer> =>
    serveAws(
      {
        region: fixture.region,
        credentials: [{ accessKeyId: 'AKID', secretAccessKey: 'secret', principal: ROOT }],
        signatureTimeMs: Date.now,
        trail: fixture.trail.trail,
        observe: () => undefined,
        bounds: { slownessCheckMs: 25, ...bounds },
      },
      { host: '127.0.0.1', port: 0 },
    );
  before(async () => {
    fixture = makeSoftwareRegion();
    server = await serve({ headersMs: 200, requestMs: 400, keepAliveMs: 300, silenceMs: 300, connectionsMax: 100 });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  after(async () => {
    await server.close();
    fixture.close();
  });

  /** A connection, and everything that comes over it until it is closed. */
  function open(options: { readonly allowHalfOpen?: boolean; readonly to?: AwsServer } = {}): {
    readonly socket: Socket;
    readonly closed: Promise<string>;
  } {
    const { to = server, ...others } = options;
    const { hostname, port } = new URL(to.url);
    const socket = connect({ host: hostname, port: Number(port), ...others });
    sockets.push(socket);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    return { socket, closed: new Promise((resolve) => socket.on('close', () => resolve(text))) };
  }

  /** One signed request; its connection is to be closed behind it, unless another one follows. */
  function signed(body: string, isLast = true): string {
    const time = basicTime(Date.now());
    const headers = { host: 'x', 'x-amz-date': time, 'x-amz-target': 'TrentService.GenerateRandom' };
    const lines = Object.entries({ ...headers, authorization: authorizationFor({ time, headers, body }) });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const connection = isLast ? 'Connection: close\r\n' : '';
    return `POST / HTTP/1.1\r\n${head}${connection}Content-Length: ${body.length}\r\n\r\n${body}`;
  }

  const REQUEST = '{"NumberOfBytes":8}';

  it('ends connections whose headers do not come to an end, by silence or drop by drop', async () => {
    const silent = open();
    silent.socket.write('POST / HT');
    const dripping = open();
    dripping.socket.write(HEAD);
    const drops = setInterval(() => dripping.socket.write('X-A: b\r\n'), 20);
    const startMs = Date.now();
    const answers = await Promise.all([silent.closed, dripping.closed]);
    clearInterval(drops);
    expect(Date.now() - startMs).to.be.below(5_000);
    for (const answer of answers) expect(answer === '' || answer.startsWith('HTTP/1.1 408 ')).to.equal(true);
  });

  it('ends connections whose bodies do not come to an end, by silence or drop by drop', async () => {
    const silent = open();
    silent.socket.write(`${HEAD}Content-Length: 100\r\n\r\n{`);
    const dripping = open();
    dripping.socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const drops = setInterval(() => dripping.socket.write('1\r\n{\r\n'), 20);
    const startMs = Date.now();
    await Promise.all([silent.closed, dripping.closed]);
    clearInterval(drops);
    expect(Date.now() - startMs).to.be.below(5_000);
  });

  it('ends connections that nobody uses any more', async () => {
    const idle = open();
    const used = open();
    used.socket.write(signed(REQUEST, false));
    const answer = await used.closed;
    expect(answer)
      .to.match(/^HTTP\/1\.1 200 /)
      .and.to.contain('Plaintext');
    await idle.closed;
  });

  it('answers who has closed its own side already', async () => {
    const { socket, closed } = open({ allowHalfOpen: true });
    socket.end(signed(REQUEST));
    expect(await closed).to.match(/^HTTP\/1\.1 200 /);
  });

  it('answers a few requests that were sent without waiting in their order, and ends the connection of who sends many', async () => {
    const patient = await serve({});
    const { hsm } = fixture;
    const { random } = hsm;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    hsm.random = async (octets) => held.then(() => random.call(hsm, octets));
    const { awsPipelinedMax: most } = LIMITS;
    const few = open({ to: patient });
    few.socket.write(Array.from({ length: most }, (_, index) => signed(REQUEST, index === most - 1)).join(''));
    const many = open({ to: patient });
    many.socket.write(Array.from({ length: most + 1 }, () => signed(REQUEST, false)).join(''));
    expect(await many.closed).to.equal('');
    release();
    expect((await few.closed).match(/HTTP\/1\.1 200 /g)).to.have.length(most);
    hsm.random = random;
    await patient.close();
  });

  it('takes no headers without end', async () => {
    const { socket, closed } = open();
    socket.write(`${HEAD}X-Long: ${'a'.repeat(LIMITS.awsHeaderBytesMax)}\r\n\r\n`);
    expect(await closed).to.match(/^HTTP\/1\.1 431 /);
  });

  it('holds no more unfinished bodies than there is room for, and has room again when they are gone', async () => {
    const patient = await serve({});
    const part = Buffer.alloc(LIMITS.awsBodyBytesMax - 1, 0x20);
    const room = LIMITS.awsBodiesBytesMax / LIMITS.awsBodyBytesMax;
    const greedy = Array.from({ length: room + 1 }, () => open({ to: patient }));
    for (const { socket } of greedy) {
      socket.write(`${HEAD}Content-Length: ${LIMITS.awsBodyBytesMax}\r\n\r\n`);
      socket.write(part);
    }
    expect(await Promise.any(greedy.map(({ closed }) => closed))).to.contain('ThrottlingException');
    for (const { socket } of greedy) socket.destroy();
    await sleep(100);
    const { socket, closed } = open({ to: patient });
    socket.write(signed(`{"NumberOfBytes":8,"Unknown":"${'a'.repeat(LIMITS.awsBodyBytesMax - 100)}"}`));
    expect(await closed).to.match(/^HTTP\/1\.1 200 /);
    await patient.close();
  });

  it('closes connections above so many at once, and takes new ones when others have gone', async () => {
    const held = Array.from({ length: 100 }, () => open());
    for (const { socket } of held) socket.write(HEAD);
    await sleep(50);
    const above = open();
    above.socket.write(signed(REQUEST));
    expect(await above.closed).to.equal('');
    await Promise.all(held.map(({ closed }) => closed));
    const next = open();
    next.socket.write(signed(REQUEST));
    expect(await next.closed).to.match(/^HTTP\/1\.1 200 /);
  });

  it('serves everybody else meanwhile', async () => {
    const slow = Array.from({ length: 50 }, () => open());
    for (const { socket } of slow) socket.write(`${HEAD}Content-Length: 100\r\n\r\n{`);
    const { socket, closed } = open();
    const startMs = Date.now();
    const answered = new Promise<number>((resolve) => socket.once('data', () => resolve(Date.now() - startMs)));
    socket.write(signed(REQUEST));
    expect(await answered).to.be.below(2_000);
    await closed;
  });
});
