import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CeremonyError } from '../../../src/customer/errors.js';
import { KmsEndpoint } from '../../../src/customer/kms_endpoint.js';
import { rejection } from '../../support/failure.js';

describe('an endpoint that speaks KMS', () => {
  let directory: string;
  let server: Server;
  let caFile: string;
  let headers: IncomingHttpHeaders;
  let answer: { readonly status: number; readonly body: string };
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kf-tls-'));
    caFile = join(directory, 'cert.pem');
    const keyFile = join(directory, 'key.pem');
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=kms', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', caFile],
      ],
      { stdio: 'ignore' },
    );
    server = createServer({ cert: readFileSync(caFile), key: readFileSync(keyFile) }, (request, response) => {
      headers = request.headers;
      request.resume().on('end', () => response.writeHead(answer.status).end(answer.body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  const endpoint = (trusted = true): KmsEndpoint =>
    new KmsEndpoint({
      url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
      region: 'us-east-1',
      key: { accessKeyId: 'ASIA', secretAccessKey: 'secret', sessionToken: 'temporary' },
      ...(trusted && { caFile }),
    });

  it('is called over TLS, with the session token of a temporary key signed', async () => {
    answer = { status: 200, body: '{"KeyId":"a"}' };
    expect(await endpoint().call('DescribeKey', { KeyId: 'a' })).to.deep.equal({ KeyId: 'a' });
    expect(headers['x-amz-target']).to.equal('TrentService.DescribeKey');
    expect(headers['x-amz-security-token']).to.equal('temporary');
    expect(headers.authorization).to.contain(
      'SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,',
    );
  });

  it('is not called where its certificate is not trusted', async () => {
    const refusal = await rejection(CeremonyError, endpoint(false).call('DescribeKey', {}));
    expect(refusal.code).to.equal('ERR_CEREMONY_ENDPOINT');
    expect(refusal.message).to.contain('certificate');
  });

  it('has its refusals told by their exception, in either spelling of the service, with what to do', async () => {
    answer = { status: 400, body: '{"__type":"com.example#ExpiredImportTokenException","Message":"too late"}' };
    const refusal = await rejection(CeremonyError, endpoint().call('ImportKeyMaterial', {}));
    expect(refusal.code).to.equal('ERR_CEREMONY_REFUSED');
    expect(refusal.details['exception']).to.equal('ExpiredImportTokenException');
    expect(refusal.message).to.contain('too late');
    expect(refusal.remedy).to.contain('parameters anew');
  });

  it('that answers no JSON, or too much, is told from one that refuses', async () => {
    for (const body of ['<html>', '"text"', 'x'.repeat(300_000)]) {
      answer = { status: 200, body };
      const refusal = await rejection(CeremonyError, endpoint().call('DescribeKey', {}));
      expect(refusal.code).to.equal('ERR_CEREMONY_ENDPOINT');
    }
  });
});
