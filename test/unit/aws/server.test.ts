import { connect } from 'node:net';
import { expect } from 'chai';
import { serveAws, type AwsServer, type RequestOutcome } from '../../../src/surfaces/aws/server.js';
import { authorizationFor, basicTime } from '../../support/sign_request.js';
import { makeSoftwareRegion, ROOT, type SoftwareRegion } from '../../support/software_region.js';

describe('The AWS endpoint', () => {
  let fixture: SoftwareRegion;
  let server: AwsServer;
  let outcomes: RequestOutcome[];
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    outcomes = [];
    server = await serveAws(
      {
        region: fixture.region,
        credentials: [
          { accessKeyId: 'AKID', secretAccessKey: 'secret', principal: ROOT },
          { accessKeyId: 'EVE', secretAccessKey: 'secret', principal: 'arn:aws:iam::999988887777:user/eve' },
        ],
        signatureTimeMs: Date.now,
        trail: fixture.trail.trail,
        observe: (outcome) => outcomes.push(outcome),
      },
      { host: '127.0.0.1', port: 0 },
    );
  });
  afterEach(async () => {
    await server.close();
    fixture.close();
  });

  async function post(
    body: string,
    options: { readonly target?: string; readonly accessKeyId?: string; readonly signed?: boolean } = {},
  ): Promise<{
    readonly status: number;
    readonly type: string | null;
    readonly id: string | null;
    readonly json: unknown;
  }> {
    const headers: Record<string, string> = {
      host: new URL(server.url).host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-date': basicTime(Date.now()),
      'x-amz-target': options.target ?? 'TrentService.ListKeys',
    };
    if (options.signed !== false) {
      headers['authorization'] = authorizationFor({
        accessKeyId: options.accessKeyId ?? 'AKID',
        time: headers['x-amz-date'] ?? '',
        headers,
        body,
      });
    }
    const response = await fetch(server.url, { method: 'POST', headers, body });
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      id: response.headers.get('x-amzn-requestid'),
      json: JSON.parse(text),
    };
  }

  it('answers AWS JSON with a request id of its own for each request', async () => {
    const [first, second] = [await post('{}'), await post('{}')];
    expect(first).to.deep.include({
      status: 200,
      type: 'application/x-amz-json-1.1',
      json: { Keys: [], Truncated: false },
    });
    expect(first.id).to.match(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(second.id).to.not.equal(first.id);
    expect(outcomes.map(({ requestId }) => requestId)).to.deep.equal([first.id, second.id]);
    expect(outcomes[0]).to.deep.include({ operation: 'ListKeys', principal: ROOT, exception: null, cause: null });
  });

  it('asks who is there before it says which operations there are', async () => {
    const unsigned = await post('{}', { signed: false, target: 'TrentService.Nothing' });
    expect(unsigned).to.deep.include({
      status: 400,
      json: { __type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' },
    });
    const signed = await post('{}', { target: 'TrentService.Nothing' });
    expect(signed).to.deep.include({ status: 400, json: { __type: 'UnknownOperationException' } });
    const elsewhere = await post('{}', { target: 'DynamoDB_20120810.ListKeys' });
    expect(elsewhere.json).to.deep.equal({ __type: 'UnknownOperationException' });
  });

  it('does not take names of object members for operations', async () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const { json } = await post('{}', { target: `TrentService.${name}` });
      expect(json).to.deep.equal({ __type: 'UnknownOperationException' });
    }
  });

  it('refuses bodies that are not JSON, and members of wrong types', async () => {
    expect((await post('{"Limit"')).json).to.include({ __type: 'SerializationException' });
    expect((await post('{"Limit":"1"}')).json).to.include({ __type: 'SerializationException' });
    expect((await post('{"Limit":0}')).json).to.include({ __type: 'ValidationException' });
  });

  it('refuses principals of other accounts', async () => {
    const { status, json } = await post('{}', { accessKeyId: 'EVE' });
    expect(status).to.equal(400);
    expect(json).to.include({ __type: 'AccessDeniedException' });
    expect(outcomes[0]).to.include({ principal: 'arn:aws:iam::999988887777:user/eve' });
  });

  it('says on /healthz that it is there, and nothing else', async () => {
    const response = await fetch(`${server.url}/healthz`);
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.equal({ status: 'ok', region: 'us-east-1' });
  });

  it('has nothing at other paths, with other methods, or behind a query', async () => {
    for (const [path, method] of [
      ['/', 'GET'],
      ['/keys', 'POST'],
      ['/?Action=ListKeys', 'POST'],
      ['/healthz', 'POST'],
    ] as const) {
      const response = await fetch(server.url + path, { method });
      expect(response.status, `${method} ${path}`).to.equal(404);
      expect(await response.json()).to.deep.equal({ __type: 'UnknownOperationException' });
    }
  });

  it('does not take signatures in a query', async () => {
    const query = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260615%2Fus-east-1%2Fkms%2Faws4_request';
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${server.url}/?Action=ListKeys&${query}&X-Amz-Signature=0`, { method });
      expect(response.status).to.equal(400);
      expect(await response.json()).to.include({ __type: 'MissingAuthenticationTokenException' });
    }
  });

  it('stops reading a body that is too long', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n');
    socket.write(Buffer.alloc(1024 * 1024 + 1));
    expect(await answer)
      .to.match(/^HTTP\/1.1 400 /)
      .and.to.contain('SerializationException');
  });

  describe('and its audit trail', () => {
    const random = (body: string, accessKeyId = 'AKID') =>
      post(body, { target: 'TrentService.GenerateRandom', accessKeyId });

    it('records every call of a known caller before it is answered, by the id of the answer', async () => {
      const answered = await random('{"NumberOfBytes":8}');
      const refused = await random('{"NumberOfBytes":0}');
      const denied = await random('{"NumberOfBytes":8}', 'EVE');
      const garbled = await random('{');
      const { events } = fixture.trail;
      expect(events.map(({ requestID, errorCode }) => [requestID, errorCode])).to.deep.equal([
        [answered.id, undefined],
        [refused.id, 'ValidationException'],
        [denied.id, 'AccessDenied'],
        [garbled.id, 'SerializationException'],
      ]);
      expect(events[0]).to.deep.include({
        eventName: 'GenerateRandom',
        requestParameters: { numberOfBytes: 8 },
        responseElements: null,
        sourceIPAddress: '127.0.0.1',
      });
      expect(events[1]?.requestParameters).to.equal(null);
      expect(events[2]?.userIdentity).to.include({ type: 'IAMUser', userName: 'eve', accessKeyId: 'EVE' });
    });

    it('records nobody whom it does not know, and no operation that there is none of', async () => {
      await post('{}', { signed: false });
      await post('{}', { accessKeyId: 'NOBODY' });
      await post('{}', { target: 'TrentService.Nothing' });
      expect(fixture.trail.events).to.deep.equal([]);
    });

    it('gives no answer that it could not record', async () => {
      fixture.trail.failure = new Error('no space left');
      const answer = await random('{"NumberOfBytes":8}');
      expect(answer).to.deep.include({ status: 500 });
      expect(answer.json).to.not.have.property('Plaintext');
      expect(outcomes[0]).to.include({ exception: 'KMSInternalException' });
      expect(String(outcomes[0]?.cause)).to.contain('no space left');
    });
  });

  it('refuses to start where the port is taken', async () => {
    const { port } = new URL(server.url);
    const options = {
      region: fixture.region,
      credentials: [],
      signatureTimeMs: Date.now,
      trail: fixture.trail.trail,
      observe: () => undefined,
    };
    try {
      const second = await serveAws(options, { host: '127.0.0.1', port: Number(port) });
      await second.close();
      expect.fail('it started');
    } catch (error) {
      expect(error).to.include({ code: 'ERR_CONFIG_PORT_BUSY' });
    }
  });

  it('finishes the answers in progress when it closes', async () => {
    const pending = post('{"NumberOfBytes":8}', { target: 'TrentService.GenerateRandom' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const [answer] = await Promise.all([pending, server.close()]);
    expect(answer.status).to.equal(200);
  });
});
