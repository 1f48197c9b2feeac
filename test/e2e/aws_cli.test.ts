import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { fixtureCaller, kmsCli } from '../support/aws_cli.js';
import { makeFixtureHsm, makeRegionFixture, type FixtureHsm, type RegionFixture } from '../support/region_fixture.js';

const run = promisify(execFile);

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

  const kms = (...args: readonly string[]): Promise<string> => kmsCli(fixtureCaller(fixture), ...args);

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

  it('signs what OpenSSL verifies, and decrypts what OpenSSL encrypts', async () => {
    const file = (name: string): string => join(fixture.directory, name);
    await writeFile(file('message'), 'from the command line');
    const create = (spec: string, usage: string): Promise<string> =>
      kms('create-key', '--key-spec', spec, '--key-usage', usage, '--query', 'KeyMetadata.Arn');
    const publicKey = async (arn: string): Promise<void> => {
      const key = await kms('get-public-key', '--key-id', arn, '--query', 'PublicKey');
      await writeFile(file('public.der'), Buffer.from(key, 'base64'));
    };

    const signer = await create('ECC_NIST_P384', 'SIGN_VERIFY');
    const signing = ['--key-id', signer, '--message', `fileb://${file('message')}`];
    const algorithm = ['--signing-algorithm', 'ECDSA_SHA_384'];
    const signature = await kms('sign', ...signing, ...algorithm, '--query', 'Signature');
    await writeFile(file('signature'), Buffer.from(signature, 'base64'));
    await publicKey(signer);
    const verified = await run('openssl', [
      ...['dgst', '-sha384', '-verify', file('public.der'), '-keyform', 'DER'],
      ...['-signature', file('signature'), file('message')],
    ]);
    expect(verified.stdout.trim()).to.equal('Verified OK');
    const verify = [...signing, ...algorithm, '--signature', `fileb://${file('signature')}`];
    expect(await kms('verify', ...verify, '--query', 'SignatureValid')).to.equal('True');

    const recipient = await create('RSA_2048', 'ENCRYPT_DECRYPT');
    await publicKey(recipient);
    await run('openssl', [
      ...['pkeyutl', '-encrypt', '-pubin', '-inkey', file('public.der'), '-keyform', 'DER'],
      ...['-pkeyopt', 'rsa_padding_mode:oaep', '-in', file('message'), '-out', file('sealed')],
    ]);
    const opened = await kms(
      ...['decrypt', '--key-id', recipient, '--ciphertext-blob', `fileb://${file('sealed')}`],
      ...['--encryption-algorithm', 'RSAES_OAEP_SHA_1', '--query', 'Plaintext'],
    );
    expect(Buffer.from(opened, 'base64').toString()).to.equal('from the command line');
  });

  it('makes a MAC and verifies it, and shows a wrong one as the service does', async () => {
    const message = join(fixture.directory, 'authenticated');
    await writeFile(message, 'from the command line');
    const arn = await kms(
      ...['create-key', '--key-spec', 'HMAC_384', '--key-usage', 'GENERATE_VERIFY_MAC'],
      ...['--query', 'KeyMetadata.Arn'],
    );
    const common = ['--key-id', arn, '--message', `fileb://${message}`, '--mac-algorithm', 'HMAC_SHA_384'];
    const mac = Buffer.from(await kms('generate-mac', ...common, '--query', 'Mac'), 'base64');
    expect(mac).to.have.length(48);
    await writeFile(`${message}.mac`, mac);
    const verify = ['verify-mac', ...common, '--mac', `fileb://${message}.mac`] as const;
    expect(await kms(...verify, '--query', 'MacValid')).to.equal('True');
    await writeFile(`${message}.mac`, mac.subarray(1));
    const refused = await kms(...verify).catch((error: { stderr: string }) => error.stderr);
    expect(refused).to.contain('(KMSInvalidMacException)');
  });

  it('gives a key an alias and tags, uses it by its alias, and stops when it is disabled', async () => {
    const keyId = await kms('create-key', '--query', 'KeyMetadata.KeyId');
    expect(await kms('create-alias', '--alias-name', 'alias/cli', '--target-key-id', keyId)).to.equal('');
    await kms('tag-resource', '--key-id', keyId, '--tags', 'TagKey=team,TagValue=blue');
    expect(await kms('list-resource-tags', '--key-id', keyId, '--query', 'Tags[]')).to.equal('team\tblue');
    const arn = await kms(
      ...['generate-data-key-without-plaintext', '--key-id', 'alias/cli', '--key-spec', 'AES_256'],
      ...['--query', 'KeyId'],
    );
    expect(arn).to.match(new RegExp(`:key/${keyId}$`));
    const listed = await kms('list-aliases', '--key-id', keyId, '--query', 'Aliases[].[AliasName,TargetKeyId]');
    expect(listed).to.equal(`alias/cli\t${keyId}`);
    await kms('disable-key', '--key-id', keyId);
    const refused = await kms('generate-data-key', '--key-id', 'alias/cli', '--key-spec', 'AES_256').catch(
      (error: { stderr: string }) => error.stderr,
    );
    expect(refused).to.contain('(DisabledException)').and.contain(`${arn} is disabled.`);
  });
});
