import { expect } from 'chai';
import { serveAws, type AwsServer, type RequestOutcome } from '../../../src/surfaces/aws/server.js';
import type { AwsService, ServiceRequest } from '../../../src/surfaces/aws/service.js';
import { authorizationFor, basicTime, type RequestToSign } from '../../support/sign_request.js';
import { makeSoftwareRegion, ROOT, type SoftwareRegion } from '../../support/software_region.js';

describe('Services beside AWS KMS', () => {
  let fixture: SoftwareRegion;
  let server: AwsServer;
  let outcomes: RequestOutcome[];
  let asked: ServiceRequest[];
  let failure: Error | undefined;

  const weather: AwsService = {
    signingName: 'weather',
    answer: async (request) => {
      asked.push(request);
      if (failure !== undefined) throw failure;
      const body = Buffer.from([0xbf, 0xff]);
      return {
        status: 200,
        contentType: 'application/cbor',
        body,
        operation: 'Forecast',
        headers: { 'smithy-protocol': 'rpc-v2-cbor' },
      };
    },
    refuse: ({ exception, status }) => ({ status, contentType: 'text/xml', body: `<Code>${exception}</Code>` }),
  };
  const mute: AwsService = { signingName: 'mute', answer: () => Promise.reject(new Error('never')) };

  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    outcomes = [];
    asked = [];
    failure = undefined;
    server = await serveAws(
      {
        region: fixture.region,
        credentials: [{ accessKeyId: 'AKID', secretAccessKey: 'secret', principal: ROOT }],
        signatureTimeMs: Date.now,
        trail: fixture.trail.trail,
        observe: (outcome) => outcomes.push(outcome),
        services: [weather, mute],
      },
      { host: '127.0.0.1', port: 0 },
    );
  });
  afterEach(async () => {
    await server.close();
    fixture.close();
  });

  async function ask(target: string, sign: Partial<RequestToSign>): Promise<Response> {
    const time = basicTime(Date.now());
    const headers = { host: new URL(server.url).host, 'x-amz-date': time };
    const body = sign.body === undefined ? {} : { body: Buffer.from(sign.body) };
    const authorization = authorizationFor({ time, headers, service: 'weather', ...sign });
    return fetch(server.url + target, {
      method: sign.method ?? 'POST',
      headers: { ...headers, authorization },
      ...body,
    });
  }

  it('are asked by the service in the credential scope, at paths and with methods of their own', async () => {
    const answer = await ask('/service/W1/operation/Forecast', {
      canonicalPath: '/service/W1/operation/Forecast',
      body: 'x',
    });
    expect(answer.status).to.equal(200);
    expect(answer.headers.get('content-type')).to.equal('application/cbor');
    expect(answer.headers.get('smithy-protocol')).to.equal('rpc-v2-cbor');
    expect(Buffer.from(await answer.arrayBuffer()).toString('hex')).to.equal('bfff');
    const [request] = asked;
    expect(request).to.deep.include({ method: 'POST', path: '/service/W1/operation/Forecast' });
    expect(request?.caller).to.include({ principal: ROOT, account: '111122223333' });
    expect(Buffer.from(request?.body ?? []).toString()).to.equal('x');
    expect(request?.requestId).to.equal(answer.headers.get('x-amzn-requestid'));
    expect(outcomes[0]).to.deep.include({ service: 'weather', operation: 'Forecast', status: 200, exception: null });
    expect(outcomes[0]?.elapsedMs).to.be.within(0, 10_000);
    expect(fixture.trail.events).to.deep.equal([]);
  });

  it('get paths and queries that were signed as signers write them', async () => {
    const canonical = { canonicalPath: '/a%2520b/c', canonicalQuery: 'A=&A=2&b=%20%2A' };
    const answer = await ask('/a%20b//x/../c?b=+*&A=2&A', { ...canonical, method: 'GET' });
    expect(answer.status, await answer.text()).to.equal(200);
    expect(asked[0]?.query.getAll('A')).to.deep.equal(['2', '']);
    const other = await ask('/a%20b/d?b=+*&A=2&A', { ...canonical, method: 'GET' });
    expect(other.status).to.equal(400);
    expect(asked).to.have.length(1);
  });

  it('say refusals in their own words, where the scope names them', async () => {
    const refused = await ask('/', { secretAccessKey: 'guess' });
    expect([refused.status, refused.headers.get('content-type'), await refused.text()]).to.deep.equal([
      400,
      'text/xml',
      '<Code>InvalidSignatureException</Code>',
    ]);
    expect(outcomes[0]).to.deep.include({ service: null, exception: 'InvalidSignatureException' });
  });

  it('that fail are an internal failure, whose cause is for the log only', async () => {
    failure = new Error('rain');
    const failed = await ask('/', {});
    expect([failed.status, await failed.text()]).to.deep.equal([500, '<Code>KMSInternalException</Code>']);
    expect(outcomes[0]).to.include({ service: 'weather', cause: failure });
    const other = await ask('/', { service: 'mute' });
    expect(other.status).to.equal(500);
    expect(await other.json()).to.include({ __type: 'KMSInternalException' });
  });

  it('are not taken for AWS KMS, nor for one another', async () => {
    const target = 'TrentService.ListKeys';
    const time = basicTime(Date.now());
    const headers = { host: new URL(server.url).host, 'x-amz-date': time, 'x-amz-target': target };
    const authorization = authorizationFor({ time, headers, service: 'weather', body: '{}' });
    const misdirected = await fetch(server.url, {
      method: 'POST',
      headers: { ...headers, authorization: authorization.replace('/weather/', '/kms/') },
      body: '{}',
    });
    expect(await misdirected.json()).to.include({ __type: 'InvalidSignatureException' });
    const unknown = await ask('/', { service: 'sqs' });
    expect(await unknown.json()).to.deep.equal({
      __type: 'InvalidSignatureException',
      message: "Credential should be scoped to correct service: 'kms'.",
    });
    expect(asked).to.deep.equal([]);
  });
});
