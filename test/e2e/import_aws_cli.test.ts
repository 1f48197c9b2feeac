import { execFile } from 'node:child_process';
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KeyMetadata } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { kmsCli, kmsCliRefusal, type CliCaller } from '../support/aws_cli.js';
import {
  FIXTURE_CREDENTIAL,
  makeFixtureHsm,
  makeRegionFixture,
  type FixtureHsm,
  type RegionFixture,
} from '../support/region_fixture.js';

const run = promisify(execFile);
const DAY_MS = 86_400_000;

/** The customer's side of an import is done by `openssl` and the AWS CLI alone, with files in between. */
describe('Imports by the AWS CLI and OpenSSL, on nss', function () {
  this.timeout(120_000);
  let hsm: FixtureHsm;
  let region: RegionFixture;
  let caller: CliCaller;

  before(async () => {
    hsm = await makeFixtureHsm('nss');
    region = await makeRegionFixture({ hsm: hsm.hsm, imports: hsm.imports });
    caller = { endpoint: region.url, region: region.name, home: region.directory, ...FIXTURE_CREDENTIAL };
  });
  after(async () => {
    await region.close();
    await hsm.close();
  });

  const kms = (...args: readonly string[]): Promise<string> => kmsCli(caller, ...args);
  const file = (name: string): string => join(region.directory, name);
  const openssl = (...args: readonly string[]) => run('openssl', [...args]);

  async function makeKey(spec: string, usage: string): Promise<string> {
    const asked = ['--origin', 'EXTERNAL', '--key-spec', spec, '--key-usage', usage];
    return kms('create-key', ...asked, '--query', 'KeyMetadata.KeyId');
  }

  async function metadata(keyId: string): Promise<KeyMetadata> {
    const text = await kms('describe-key', '--key-id', keyId, '--output', 'json');
    return (JSON.parse(text) as { KeyMetadata: KeyMetadata }).KeyMetadata;
  }

  /** `openssl pkeyutl`, RSAES-OAEP with SHA-256. */
  async function oaep(name: string, input: string, output: string): Promise<void> {
    const padding = ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256', 'rsa_mgf1_md:sha256'];
    const options = padding.flatMap((option) => ['-pkeyopt', option]);
    const key = ['-pubin', '-keyform', 'DER', '-inkey', file(`${name}.der`)];
    await openssl('pkeyutl', '-encrypt', '-in', input, '-out', output, ...key, ...options);
  }

  /** Downloads, wraps and uploads. */
  async function importInto(keyId: string, material: Uint8Array, algorithm: string, expiry: readonly string[]) {
    const name = `${keyId}-${randomBytes(4).toString('hex')}`;
    const asked = ['--wrapping-algorithm', algorithm, '--wrapping-key-spec', 'RSA_3072'];
    const text = await kms(
      ...['get-parameters-for-import', '--key-id', keyId, ...asked, '--query', '[PublicKey,ImportToken]'],
    );
    const [publicKey = '', token = ''] = text.split(/\s+/);
    await writeFile(file(`${name}.der`), Buffer.from(publicKey, 'base64'));
    await writeFile(file(`${name}.token`), Buffer.from(token, 'base64'));
    await writeFile(file(`${name}.material`), material);
    const wrapped = file(`${name}.wrapped`);
    if (algorithm.startsWith('RSAES_OAEP')) await oaep(name, file(`${name}.material`), wrapped);
    else {
      const key = randomBytes(32);
      await writeFile(file(`${name}.key`), key);
      await oaep(name, file(`${name}.key`), file(`${name}.first`));
      const how = ['-id-aes256-wrap-pad', '-K', key.toString('hex'), '-iv', 'A65959A6'];
      await openssl('enc', ...how, '-in', file(`${name}.material`), '-out', file(`${name}.second`));
      await run('sh', ['-c', 'cat "$1" "$2" > "$3"', 'sh', file(`${name}.first`), file(`${name}.second`), wrapped]);
    }
    const sent = [
      '--import-token',
      `fileb://${file(`${name}.token`)}`,
      '--encrypted-key-material',
      `fileb://${wrapped}`,
    ];
    await kms('import-key-material', '--key-id', keyId, ...sent, ...expiry);
  }
  const KEPT = ['--expiration-model', 'KEY_MATERIAL_DOES_NOT_EXPIRE'];

  const pkcs8 = (key: KeyObject): Buffer => key.export({ type: 'pkcs8', format: 'der' });

  it('bring a symmetric key in, which shows the fields of a key with imported material in all its states', async () => {
    const keyId = await makeKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const material = randomBytes(32);
    const validToMs = Math.floor((region.region.clock.nowMs() + 30 * DAY_MS) / 1000) * 1000;
    const ValidTo = new Date(validToMs).toISOString();
    await importInto(keyId, material, 'RSAES_OAEP_SHA_256', ['--valid-to', ValidTo]);
    await writeFile(file('plain'), 'brought here');
    const encryption = ['--key-id', keyId, '--plaintext', `fileb://${file('plain')}`, '--query', 'CiphertextBlob'];
    await writeFile(file('sealed'), Buffer.from(await kms('encrypt', ...encryption), 'base64'));
    const enabled = await metadata(keyId);
    expect(enabled).to.include({ KeyState: 'Enabled', Enabled: true, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });

    await region.advance(30 * DAY_MS);
    const { CreationDate, ValidTo: shown, CurrentKeyMaterialId, ...expired } = await metadata(keyId);
    expect(expired).to.deep.equal({
      AWSAccountId: '111122223333',
      Arn: `arn:aws:kms:us-east-1:111122223333:key/${keyId}`,
      KeyId: keyId,
      Origin: 'EXTERNAL',
      ExpirationModel: 'KEY_MATERIAL_EXPIRES',
      Enabled: false,
      MultiRegion: false,
      Description: '',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'PendingImport',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    });
    expect(new Date(String(shown)).getTime()).to.equal(validToMs);
    expect(new Date(String(CreationDate)).getTime()).to.be.closeTo(Date.now(), 120_000);
    expect(CurrentKeyMaterialId).to.equal(enabled.CurrentKeyMaterialId);

    await importInto(keyId, material, 'RSAES_OAEP_SHA_256', KEPT);
    const opening = ['decrypt', '--ciphertext-blob', `fileb://${file('sealed')}`, '--query', 'Plaintext'];
    expect(Buffer.from(await kms(...opening), 'base64').toString()).to.equal('brought here');
    await kms('delete-imported-key-material', '--key-id', keyId);
    const deleted = await metadata(keyId);
    expect(deleted).to.include({ KeyState: 'PendingImport', Enabled: false });
    expect(deleted).to.not.have.any.keys('ExpirationModel', 'ValidTo');
    expect(await kmsCliRefusal(caller, ...opening)).to.contain('(KMSInvalidStateException)');
    const byAlias = await kmsCliRefusal(caller, 'delete-imported-key-material', '--key-id', 'alias/mine');
    expect(byAlias).to.contain('Exception)');
  });

  it('bring an HMAC, an EC and an RSA key in, which do what the same keys do outside', async () => {
    const message = ['--message', `fileb://${file('message')}`];
    await writeFile(file('message'), 'what is authenticated');
    const octets = Buffer.from('what is authenticated');
    const mac = async (): Promise<void> => {
      const keyId = await makeKey('HMAC_256', 'GENERATE_VERIFY_MAC');
      const material = randomBytes(32);
      await importInto(keyId, material, 'RSAES_OAEP_SHA_256', KEPT);
      const made = ['generate-mac', '--key-id', keyId, ...message, '--mac-algorithm', 'HMAC_SHA_256', '--query', 'Mac'];
      expect(await kms(...made)).to.equal(createHmac('sha256', material).update(octets).digest('base64'));
    };
    const signature = async (
      spec: string,
      algorithm: string,
      { privateKey, wrapping }: { readonly privateKey: KeyObject; readonly wrapping: string },
    ): Promise<void> => {
      const keyId = await makeKey(spec, 'SIGN_VERIFY');
      await importInto(keyId, pkcs8(privateKey), wrapping, KEPT);
      const publicKey = createPublicKey(privateKey);
      const how = ['--key-id', keyId, '--signing-algorithm', algorithm, ...message];
      const made = await kms('sign', ...how, '--query', 'Signature');
      expect(verify('sha256', octets, publicKey, Buffer.from(made, 'base64'))).to.equal(true);
      await writeFile(file(`${spec}.sig`), sign('sha256', octets, privateKey));
      const outside = ['--signature', `fileb://${file(`${spec}.sig`)}`, '--query', 'SignatureValid'];
      expect(await kms('verify', ...how, ...outside)).to.equal('True');
    };
    const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await Promise.all([
      mac(),
      signature('ECC_NIST_P256', 'ECDSA_SHA_256', { privateKey: ec.privateKey, wrapping: 'RSAES_OAEP_SHA_256' }),
      signature('RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', {
        privateKey: rsa.privateKey,
        wrapping: 'RSA_AES_KEY_WRAP_SHA_256',
      }),
    ]);
  });
});
