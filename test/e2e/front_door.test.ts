import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { startFrontDoor } from '../../src/compose_front_door.js';
import { FRONT_DOOR_LIMITS } from '../../src/surfaces/front_door/limits.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

const signedFor = (region: string): string =>
  `AWS4-HMAC-SHA256 Credential=testing/20261121/${region}/kms/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`;

/** A server that answers with what it got, octet for octet. */
async function startEcho(name: string): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      const seen = {
        name,
        method: incoming.method,
        url: incoming.url,
        rawHeaders: incoming.rawHeaders,
        octets: body.length,
        body: body.toString('base64'),
      };
      response.writeHead(418, 'Odd', ['X-Mixed-Case', 'kept', 'content-type', 'application/json']);
      response.end(JSON.stringify(seen));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('the front door', () => {
  let east: Awaited<ReturnType<typeof startEcho>>;
  let west: Awaited<ReturnType<typeof startEcho>>;
  let door: Awaited<ReturnType<typeof startFrontDoor>>;

  const send = (options: {
    headers?: Record<string, string>;
    path?: string;
    method?: string;
    body?: string | Buffer;
  }): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { headers = {}, path = '/', method = 'POST', body = '{}' } = options;
      const sent = request(new URL(path, door.url), { method, headers, agent: false }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            body: Buffer.concat(parts).toString('utf8'),
          }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });

  beforeEach(async () => {
    east = await startEcho('east');
    west = await startEcho('west');
    door = await startFrontDoor({
      listen: { host: '127.0.0.1', port: 0 },
      regions: { 'us-east-1': east.url, 'eu-west-1': west.url },
    });
  });

  afterEach(async () => {
    await door.close();
    for (const { server } of [east, west]) {
      server.closeAllConnections();
      server.close();
    }
  });

  it('sends each request to the region in its credential scope', async () => {
    for (const [region, name] of [
      ['us-east-1', 'east'],
      ['eu-west-1', 'west'],
    ] as const) {
      const answer = await send({ headers: { authorization: signedFor(region) } });
      expect((JSON.parse(answer.body) as { name: string }).name).to.equal(name);
    }
  });

  it('passes method, path, query, headers and body on as they came, and the answer back as it came', async () => {
    const body = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    const answer = await send({
      method: 'PUT',
      path: '/some/other%2Fpath?b=2&a=1',
      headers: {
        Host: 'kms.eu-west-1.amazonaws.com',
        'X-Amz-TARGET': 'TrentService.Encrypt',
        Authorization: signedFor('eu-west-1'),
        'x-twice': 'a,  b',
      },
      body,
    });
    const seen = JSON.parse(answer.body) as { method: string; url: string; rawHeaders: string[]; body: string };
    expect([seen.method, seen.url]).to.deep.equal(['PUT', '/some/other%2Fpath?b=2&a=1']);
    expect(Buffer.from(seen.body, 'base64').equals(body)).to.equal(true);
    expect(seen.rawHeaders.slice(0, 8)).to.deep.equal([
      'Host',
      'kms.eu-west-1.amazonaws.com',
      'X-Amz-TARGET',
      'TrentService.Encrypt',
      'Authorization',
      signedFor('eu-west-1'),
      'x-twice',
      'a,  b',
    ]);
    expect(answer.status).to.equal(418);
    expect(answer.rawHeaders).to.include('X-Mixed-Case');
    expect(answer.rawHeaders.filter((name) => name.toLowerCase() === 'date')).to.have.length(1);
  });

  it('finds the region of a presigned URL', async () => {
    const answer = await send({
      method: 'GET',
      path: '/?X-Amz-Credential=testing%2F20261121%2Fus-east-1%2Fkms%2Faws4_request',
      body: '',
    });
    expect((JSON.parse(answer.body) as { name: string }).name).to.equal('east');
  });

  const refusals: readonly (readonly [string, Record<string, string>, string])[] = [
    ['no signature', {}, 'MissingAuthenticationTokenException'],
    ['another scheme', { authorization: 'Bearer abc' }, 'IncompleteSignatureException'],
    [
      'no credential',
      { authorization: 'AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0' },
      'IncompleteSignatureException',
    ],
    [
      'a scope that is none',
      { authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c, Signature=0' },
      'IncompleteSignatureException',
    ],
    ['an unknown region', { authorization: signedFor('mars-north-1') }, 'InvalidSignatureException'],
  ];
  for (const [title, headers, type] of refusals) {
    it(`answers a request with ${title} as AWS does`, async () => {
      const answer = await send({ headers });
      expect(answer.status).to.equal(400);
      expect(answer.headers['content-type']).to.equal('application/x-amz-json-1.1');
      expect(answer.headers['x-amzn-requestid']).to.match(/^[0-9a-f-]{36}$/u);
      expect((JSON.parse(answer.body) as { __type: string }).__type).to.equal(type);
    });
  }

  it('is understood by an unmodified SDK when it refuses', async () => {
    const client = new KMSClient({
      endpoint: door.url,
      region: 'mars-north-1',
      credentials: { accessKeyId: 'testing', secretAccessKey: 'testing' },
    });
    const error = await client.send(new ListKeysCommand({})).then(
      () => undefined,
      (reason: Error) => reason,
    );
    client.destroy();
    expect(error?.name).to.equal('InvalidSignatureException');
    expect(error?.message).to.contain('Regions here: us-east-1, eu-west-1');
  });

  it('says that a region does not answer, and goes on serving the others', async () => {
    east.server.closeAllConnections();
    await new Promise((resolve) => east.server.close(resolve));
    const answer = await send({ headers: { authorization: signedFor('us-east-1') } });
    expect(answer.status).to.equal(503);
    expect((JSON.parse(answer.body) as { __type: string }).__type).to.equal('ServiceUnavailableException');
    expect((await send({ headers: { authorization: signedFor('eu-west-1') } })).status).to.equal(418);
  });

  it('does not carry more than its bound, in whatever pieces it comes', async () => {
    const port = Number(new URL(door.url).port);
    const head = `POST / HTTP/1.1\r\nHost: x\r\nAuthorization: ${signedFor('us-east-1')}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let received = '';
      socket.on('data', (part) => (received += part.toString('latin1')));
      socket.on('error', () => resolve(received));
      socket.on('close', () => resolve(received));
      socket.on('connect', () => {
        socket.write(head);
        const piece = Buffer.alloc(1024 * 1024, 'x');
        for (let sent = 0; sent <= FRONT_DOOR_LIMITS.bodyOctetsMax; sent += piece.length) {
          socket.write(`${piece.length.toString(16)}\r\n`);
          socket.write(piece);
          socket.write('\r\n');
        }
      });
      setTimeout(() => reject(new Error('no end')), 5_000).unref();
    });
    expect(answer).to.match(/^HTTP\/1\.1 413 /u);
  }).timeout(8_000);
});
