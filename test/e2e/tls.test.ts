import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { GenerateRandomCommand, KMSClient } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { TrailEvent } from '../../src/audit/trail_event.js';
import { AWS_CLI } from '../support/aws_cli.js';
import { keyferry, labDirectory, startKeyferry, type StartedCommand } from '../support/keyferry_command.js';
import { writeSelfSigned } from '../support/self_signed.js';

const run = promisify(execFile);
const anyPort = '127.0.0.1:0';
const principal = 'arn:aws:iam::111122223333:root';

describe('A lab with a certificate', function () {
  this.timeout(60_000);
  const lab = labDirectory({
    endpoint: anyPort,
    tls: { certificate: 'cert.pem', key: 'key.pem' },
    proxy: { listen: anyPort },
    regions: { 'us-east-1': { listen: anyPort } },
    credentials: [
      { accessKeyId: 'test', secretAccessKey: 'test', principal },
      {
        accessKeyId: 'ASIATEMPORARY',
        secretAccessKey: 'x',
        principal,
        sessionToken: 'tok/en==',
        expires: '2999-01-01T00:00:00Z',
      },
      {
        accessKeyId: 'ASIAENDED',
        secretAccessKey: 'x',
        principal,
        sessionToken: 'tok/en==',
        expires: '2020-01-01T00:00:00Z',
      },
    ],
    seed: { keys: [{ aliases: ['alias/made-over-tls'], region: 'us-east-1' }] },
  });
  let up: StartedCommand;
  let summary: { readonly endpoint: string; readonly regions: Readonly<Record<string, string>> };
  let environment: Record<string, string>;

  before(async () => {
    writeSelfSigned(lab.root);
    up = startKeyferry(['up', '--file', lab.file, '--dir', lab.dir, '--json']);
    summary = JSON.parse(await up.firstLine);
    const { stdout } = await keyferry('env', '--dir', lab.dir, '--json');
    environment = JSON.parse(stdout);
  });
  after(async () => {
    up.child.kill('SIGTERM');
    await up.ended;
    lab.remove();
  });

  const aws = (args: readonly string[], variables: Record<string, string>): Promise<string> =>
    run(AWS_CLI, ['--output', 'json', ...args], {
      env: {
        PATH: process.env['PATH'],
        HOME: lab.root,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_MAX_ATTEMPTS: '1',
        ...variables,
      },
    }).then(
      ({ stdout }) => stdout,
      (error: { stderr?: string }) => error.stderr ?? String(error),
    );
  /** A call through the SDK: what it answers, or the name of its failure. */
  const call = async (
    url: string,
    credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string },
  ): Promise<string> => {
    const client = new KMSClient({
      region: 'us-east-1',
      endpoint: url,
      credentials,
      maxAttempts: 1,
      requestHandler: { httpsAgent: { ca: readFileSync(join(lab.root, 'cert.pem')) } },
    });
    return client
      .send(new GenerateRandomCommand({ NumberOfBytes: 8 }))
      .then(
        ({ Plaintext }) => `${Plaintext?.length} octets`,
        (error: Error) => error.name,
      )
      .finally(() => client.destroy());
  };

  it('is prepared, and answers the AWS CLI with the variables of keyferry env, and over each region’s own URL', async () => {
    expect(summary.endpoint).to.match(/^https:\/\/127\.0\.0\.1:/);
    expect(environment).to.include({ AWS_CA_BUNDLE: join(lab.root, 'cert.pem') });
    const listed = await aws(['--endpoint-url', summary.endpoint, 'kms', 'list-keys'], environment);
    expect(JSON.parse(listed).Keys).to.have.length(1);
    const direct = summary.regions['us-east-1'] ?? '';
    expect(direct).to.match(/^https:/);
    expect(await call(direct, { accessKeyId: 'test', secretAccessKey: 'test' })).to.equal('8 octets');
    const trail = join(lab.dir, 'regions', 'us-east-1', 'trail.jsonl');
    expect(existsSync(trail)).to.equal(true);
    const events = readFileSync(trail, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line): TrailEvent => JSON.parse(line));
    const { tlsDetails } = events.findLast(({ eventName }) => eventName === 'GenerateRandom') ?? {};
    expect(tlsDetails?.tlsVersion).to.match(/^TLSv1\.[23]$/);
    expect(tlsDetails?.clientProvidedHostHeader).to.equal(new URL(direct).host);
    expect(tlsDetails?.cipherSuite).to.match(/^TLS_/);
  });

  it('knows temporary access keys by their session token, until they end', async () => {
    const as = (accessKeyId: string, sessionToken?: string): Promise<string> =>
      call(summary.endpoint, {
        accessKeyId,
        secretAccessKey: 'x',
        ...(sessionToken !== undefined && { sessionToken }),
      });
    expect(await as('ASIATEMPORARY', 'tok/en==')).to.equal('8 octets');
    expect(await as('ASIATEMPORARY', 'another')).to.equal('UnrecognizedClientException');
    expect(await as('ASIATEMPORARY')).to.equal('UnrecognizedClientException');
    expect(await as('ASIAENDED', 'tok/en==')).to.equal('ExpiredTokenException');
  });

  it('speaks nothing older than TLS 1.2, neither at the front door nor in a region', async () => {
    for (const url of [summary.endpoint, summary.regions['us-east-1'] ?? '']) {
      const { hostname, port } = new URL(url);
      const attempt = (maxVersion: 'TLSv1.1' | 'TLSv1.2'): Promise<string> =>
        new Promise((resolve) => {
          const options = { ca: readFileSync(join(lab.root, 'cert.pem')), minVersion: 'TLSv1', maxVersion } as const;
          const socket = connect(
            { host: hostname, port: Number(port), ciphers: 'DEFAULT:@SECLEVEL=0', ...options },
            () => {
              resolve(socket.getProtocol() ?? '');
              socket.destroy();
            },
          );
          socket.on('error', () => resolve('refused'));
        });
      expect([await attempt('TLSv1.1'), await attempt('TLSv1.2')]).to.deep.equal(['refused', 'TLSv1.2']);
    }
  });
});
