import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import {
  FIXTURE_CREDENTIAL,
  makeFixtureHsm,
  makeRegionFixture,
  type FixtureHsm,
  type RegionFixture,
} from '../support/region_fixture.js';

const run = promisify(execFile);
/** Debian's command where it is installed; another one in the path would be as good. */
const AWS = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws';

describe('The AWS CLI against a region on softhsm2', function () {
  this.timeout(60_000);
  let token: FixtureHsm;
  let fixture: RegionFixture;

  before(async () => {
    token = await makeFixtureHsm('softhsm2');
    fixture = await makeRegionFixture({ hsm: token.hsm });
  });
  after(async () => {
    await fixture?.close();
    await token?.close();
  });

  async function kms(...args: readonly string[]): Promise<string> {
    const { stdout } = await run(
      AWS,
      ['--endpoint-url', fixture.url, '--region', fixture.name, '--output', 'text', 'kms', ...args],
      {
        env: {
          PATH: process.env['PATH'],
          HOME: fixture.directory,
          AWS_ACCESS_KEY_ID: FIXTURE_CREDENTIAL.accessKeyId,
          AWS_SECRET_ACCESS_KEY: FIXTURE_CREDENTIAL.secretAccessKey,
          AWS_EC2_METADATA_DISABLED: 'true',
          AWS_MAX_ATTEMPTS: '1',
        },
      },
    );
    return stdout.trim();
  }

  it('creates a key, encrypts a file, decrypts it again, and shows refusals as the service’s', async () => {
    const arn = await kms('create-key', '--tags', 'TagKey=team,TagValue=blue', '--query', 'KeyMetadata.Arn');
    expect(arn).to.match(/^arn:aws:kms:us-east-1:111122223333:key\/[0-9a-f-]{36}$/);
    const [plain, sealed] = [join(fixture.directory, 'plain'), join(fixture.directory, 'sealed')];
    await writeFile(plain, 'from the command line');
    const context = ['--encryption-context', 'purpose=cli'];
    const blob = await kms(
      ...['encrypt', '--key-id', arn, '--plaintext', `fileb://${plain}`, ...context, '--query', 'CiphertextBlob'],
    );
    await writeFile(sealed, Buffer.from(blob, 'base64'));
    const text = await kms('decrypt', '--ciphertext-blob', `fileb://${sealed}`, ...context, '--query', 'Plaintext');
    expect(Buffer.from(text, 'base64').toString()).to.equal(await readFile(plain, 'utf8'));
    const refused = await kms('decrypt', '--ciphertext-blob', `fileb://${sealed}`).catch(
      (error: { stderr: string }) => error.stderr,
    );
    expect(refused).to.contain('(InvalidCiphertextException)');
  });
});
