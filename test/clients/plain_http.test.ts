import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { authorizationFor, basicTime } from '../support/sign_request.js';
import { clientLab, WAYS, type ClientLab } from './client_lab.js';

const run = promisify(execFile);
const AWS_JSON = 'application/x-amz-json-1.1';

/** An answer as it came. */
interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Whether it came on the connection of the answer before it. */
  readonly isOnSameConnection: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a request says otherwise than usual. */
interface Unusual {
  readonly secretAccessKey?: string;
  /** In the credential scope. */
  readonly region?: string;
  /** Sent in the place of the body that was signed. */
  readonly sentBody?: string;
  readonly host?: string;
  readonly timeMs?: number;
}

for (const { door, home, other } of WAYS) {
  describe(`A client without any SDK in ${home}, with ${door}`, function () {
    this.timeout(120_000);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let lab: ClientLab;
    let url: URL;
    before(async () => {
      lab = await clientLab();
      url = new URL(lab.url(home, door));
    });
    after(() => agent.destroy());

    /** One POST, signed by hand and sent in two pieces. */
    function post(operation: string, members: object, unusual: Unusual = {}): Promise<Answer> {
      const body = JSON.stringify(members);
      const time = basicTime(unusual.timeMs ?? Date.now());
      const headers = {
        host: unusual.host ?? url.host,
        'content-type': AWS_JSON,
        'x-amz-date': time,
        'x-amz-target': `TrentService.${operation}`,
      };
      const key = { ...lab.accessKey, ...unusual };
      const authorization = authorizationFor({ ...key, region: unusual.region ?? home, time, headers, body });
      return new Promise((resolve, reject) => {
        const sent = request(url, { method: 'POST', agent, headers: { ...headers, authorization } }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => {
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              isOnSameConnection: sent.reusedSocket,
              body: JSON.parse(text || '{}'),
            });
          });
        });
        sent.on('error', reject);
        const octets = unusual.sentBody ?? body;
        sent.write(octets.slice(0, 1));
        sent.end(octets.slice(1));
      });
    }

    it('makes a key, encrypts and decrypts, on one connection, in the words of the wire', async () => {
      const made = await post('CreateKey', {});
      expect(made.status).to.equal(200);
      expect(made.headers['content-type']).to.equal(AWS_JSON);
      expect(made.headers['x-amzn-requestid']).to.match(/^[0-9a-f-]{36}$/u);
      const metadata = made.body['KeyMetadata'] as Record<string, unknown>;
      expect(metadata['CreationDate'])
        .to.be.a('number')
        .closeTo(Date.now() / 1000, 60);
      expect(metadata['Arn']).to.match(new RegExp(`^arn:aws:kms:${home}:111122223333:key/[0-9a-f-]{36}$`, 'u'));
      const Plaintext = Buffer.from('by hand').toString('base64');
      const EncryptionContext = { ünïcode: '✓ "quoted"\n' };
      const sealed = await post('Encrypt', { KeyId: metadata['KeyId'], Plaintext, EncryptionContext });
      const { CiphertextBlob } = sealed.body;
      expect(CiphertextBlob).to.match(/^[A-Za-z0-9+/]+=*$/u);
      const opened = await post('Decrypt', { CiphertextBlob, EncryptionContext });
      expect(opened.body).to.include({ Plaintext, KeyId: metadata['Arn'], EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
      const refused = await post('Decrypt', { CiphertextBlob });
      expect([refused.status, refused.body['__type']]).to.deep.equal([400, 'InvalidCiphertextException']);
      const silent = await post('DisableKey', { KeyId: metadata['KeyId'] });
      expect([silent.status, silent.body]).to.deep.equal([200, {}]);
      const later = [sealed, opened, refused, silent];
      expect(later.map(({ isOnSameConnection }) => isOnSameConnection)).to.deep.equal([true, true, true, true]);
    });

    it('may call the service by the host name that AWS gives it', async () => {
      const { status } = await post('ListKeys', {}, { host: `kms.${home}.amazonaws.com` });
      expect(status).to.equal(200);
    });

    it('is not believed where anything of the signature is wrong', async () => {
      const refusals: readonly (readonly [Unusual, string])[] = [
        [{ secretAccessKey: 'guessed' }, 'InvalidSignatureException'],
        [{ sentBody: '{"Limit":1}' }, 'InvalidSignatureException'],
        [{ timeMs: Date.now() - 900_000 }, 'InvalidSignatureException'],
        [{ region: 'mars-north-1' }, 'InvalidSignatureException'],
      ];
      for (const [unusual, type] of refusals) {
        const { status, body } = await post('ListKeys', {}, unusual);
        expect([status, body['__type']], JSON.stringify(unusual)).to.deep.equal([400, type]);
      }
      // The front door knows the region by the signature; a region's own URL is of that region alone.
      const elsewhere = await post('ListKeys', {}, { region: other });
      expect(elsewhere.status).to.equal(door === 'one URL for all regions' ? 200 : 400);
    });

    it('may be curl, which signs by itself', async function () {
      if (spawnSync('curl', ['--aws-sigv4', 'aws:amz:a:b', '--version']).status !== 0) {
        Object.assign(this.test ?? {}, { skipReason: 'curl 7.75 or later is missing: apt-get install curl' });
        this.skip();
      }
      const { accessKeyId, secretAccessKey } = lab.accessKey;
      // The secret is in a file: what is on the command line can be read by anybody.
      const configuration = join(lab.home, 'curl');
      writeFileSync(configuration, `user = "${accessKeyId}:${secretAccessKey}"\n`, { mode: 0o600 });
      const curl = async (operation: string, members: object): Promise<Record<string, unknown>> => {
        const { stdout } = await run('curl', [
          ...['--silent', '--config', configuration, '--aws-sigv4', `aws:amz:${home}:kms`],
          ...['--header', `Content-Type: ${AWS_JSON}`, '--header', `X-Amz-Target: TrentService.${operation}`],
          ...['--data', JSON.stringify(members), url.href],
        ]);
        return JSON.parse(stdout) as Record<string, unknown>;
      };
      const { KeyMetadata: metadata } = await curl('CreateKey', { Description: 'by curl' });
      const { KeyId } = metadata as { KeyId: string };
      const Plaintext = Buffer.from('by curl').toString('base64');
      const { CiphertextBlob } = await curl('Encrypt', { KeyId, Plaintext });
      expect(await curl('Decrypt', { CiphertextBlob })).to.include({ Plaintext });
      expect(await curl('DescribeKey', { KeyId: 'nobody' })).to.include({ __type: 'NotFoundException' });
    });
  });
}
