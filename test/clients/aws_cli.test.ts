import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { untilTrue } from '../support/replication_client.js';
import { AwsCliSession, awsCliVersion } from './aws_cli_session.js';
import { clientLab, DOORS, GUEST, TOKENS, uniqueAlias, type ClientLab, type RegionName } from './client_lab.js';
import { OpenSsl } from './openssl.js';
import { onlyWithFurtherClients, pythonPackages } from './python_packages.js';

const [HOME, OTHER] = ['us-east-1', 'eu-west-1'] as const;
const MESSAGE = Buffer.from('from the command line');

/** What commands print, as far as it is looked at. */
interface Printed {
  readonly KeyMetadata: { readonly KeyId: string; readonly Arn: string; readonly KeyState: string };
  readonly CiphertextBlob: string;
  readonly Plaintext: string;
  readonly PublicKey: string;
  readonly [member: string]: unknown;
}

/** Debian's AWS CLI and a newer one in the path, in one process each; else any that there is. */
function installed(): readonly { readonly version: string; readonly python?: string }[] {
  const packages = pythonPackages('awscli');
  const version = awsCliVersion();
  return packages.length > 0 || version === undefined ? packages : [{ version }];
}

const versions = installed();
if (versions.length === 0) {
  it('the AWS CLI uses a lab of two regions', function () {
    Object.assign(this.test ?? {}, { skipReason: 'the AWS CLI is missing: apt-get install awscli' });
    this.skip();
  });
}

for (const { version, python } of versions) {
  const isFurther = version !== versions[0]?.version;

  describe(`The AWS CLI ${version} against a lab of two regions`, function () {
    this.timeout(120_000);
    let lab: ClientLab;
    let openssl: OpenSsl;
    let session: AwsCliSession;
    let guest: AwsCliSession;

    before(async function () {
      if (isFurther) onlyWithFurtherClients(this);
      lab = await clientLab();
      openssl = new OpenSsl(lab.home);
      const settings = { HOME: lab.home, AWS_EC2_METADATA_DISABLED: 'true', AWS_PAGER: '' };
      const as = ({ accessKeyId, secretAccessKey }: typeof GUEST): AwsCliSession =>
        new AwsCliSession(
          { ...settings, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
          python,
        );
      session = as(lab.accessKey);
      guest = as(GUEST);
    });
    after(async () => {
      await session?.end();
      await guest?.end();
    });

    for (const door of isFurther ? DOORS.slice(0, 1) : DOORS) {
      describe(`with ${door}`, () => {
        /** What takes long is done once on each token, and once through each door. */
        const region = door === 'one URL for all regions' ? HOME : OTHER;

        async function run(who: AwsCliSession, region: RegionName, args: readonly string[]) {
          const where = ['--endpoint-url', lab.url(region, door), '--region', region, '--output', 'json'];
          return who.run([...where, 'kms', ...args]);
        }

        /** Runs a command that succeeds. */
        async function kms(region: RegionName, ...args: readonly string[]): Promise<Printed> {
          const { status, stdout, stderr } = await run(session, region, args);
          expect(status, `${args.join(' ')}: ${stderr}`).to.equal(0);
          return (stdout === '' ? {} : JSON.parse(stdout)) as Printed;
        }

        /** The exception with which a command is refused. */
        async function refusal(who: AwsCliSession, region: RegionName, ...args: readonly string[]): Promise<string> {
          const { status, stderr } = await run(who, region, args);
          // Version 1 says 255 where version 2 says 254.
          expect(status, stderr).to.be.oneOf([254, 255]);
          return /An error occurred \((\w+)\)/u.exec(stderr)?.[1] ?? stderr;
        }

        const makeKey = async (region: RegionName, ...args: readonly string[]): Promise<string> =>
          (await kms(region, 'create-key', ...args)).KeyMetadata.Arn;
        const file = (octets: Uint8Array | string): string => `fileb://${openssl.file(octets)}`;
        const blob = (base64: string): string => file(Buffer.from(base64, 'base64'));

        it('leads a key through its life', async () => {
          const { KeyMetadata: made } = await kms(
            HOME,
            'create-key',
            '--description',
            'first',
            '--tags',
            'TagKey=a,TagValue=1',
          );
          const key = ['--key-id', made.KeyId] as const;
          await kms(HOME, 'update-key-description', ...key, '--description', 'sécond');
          await kms(HOME, 'tag-resource', ...key, '--tags', 'TagKey=b,TagValue=2');
          await kms(HOME, 'untag-resource', ...key, '--tag-keys', 'a');
          expect(await kms(HOME, 'list-resource-tags', ...key)).to.deep.include({
            Tags: [{ TagKey: 'b', TagValue: '2' }],
          });
          expect((await kms(HOME, 'describe-key', ...key)).KeyMetadata).to.include({ Description: 'sécond' });
          const alias = uniqueAlias();
          await kms(HOME, 'create-alias', '--alias-name', alias, '--target-key-id', made.KeyId);
          const listed = await kms(
            HOME,
            'list-keys',
            '--page-size',
            '7',
            '--query',
            `{Keys:Keys[?KeyId=='${made.KeyId}']}`,
          );
          expect(listed['Keys']).to.deep.equal([{ KeyId: made.KeyId, KeyArn: made.Arn }]);
          await kms(HOME, 'disable-key', ...key);
          const encryption = ['encrypt', '--key-id', alias, '--plaintext', file(MESSAGE)] as const;
          expect(await refusal(session, HOME, ...encryption)).to.equal('DisabledException');
          await kms(HOME, 'enable-key', ...key);
          const { CiphertextBlob } = await kms(HOME, ...encryption);
          await kms(HOME, 'delete-alias', '--alias-name', alias);
          expect(await refusal(session, HOME, ...encryption)).to.equal('NotFoundException');
          await kms(HOME, 'schedule-key-deletion', ...key, '--pending-window-in-days', '7');
          const decryption = ['decrypt', '--ciphertext-blob', blob(CiphertextBlob)] as const;
          expect(await refusal(session, HOME, ...decryption)).to.equal('KMSInvalidStateException');
          await kms(HOME, 'cancel-key-deletion', ...key);
          await kms(HOME, 'enable-key', ...key);
          expect(plaintextOf(await kms(HOME, ...decryption))).to.equal(String(MESSAGE));
        });

        it('encrypts in one region, after a rotation and a change of the primary, and decrypts in the other', async () => {
          const { KeyMetadata: made } = await kms(HOME, 'create-key', '--multi-region');
          const key = ['--key-id', made.KeyId] as const;
          await kms(HOME, 'replicate-key', ...key, '--replica-region', OTHER);
          const stateThere = async (): Promise<string> => {
            const { status, stdout } = await run(session, OTHER, ['describe-key', ...key]);
            if (status !== 0) return 'absent';
            const { KeyMetadata } = JSON.parse(stdout) as { KeyMetadata: Record<string, unknown> };
            const set = KeyMetadata['MultiRegionConfiguration'] as { MultiRegionKeyType: string };
            return `${set.MultiRegionKeyType} ${String(KeyMetadata['KeyState'])}`;
          };
          await untilTrue('the replica is there', async () => (await stateThere()) === 'REPLICA Enabled');
          const context = ['--encryption-context', 'purpose=cli,who=me'] as const;
          const sealed = await kms(HOME, 'encrypt', ...key, '--plaintext', file(MESSAGE), ...context);
          await kms(HOME, 'enable-key-rotation', ...key);
          expect(await kms(HOME, 'get-key-rotation-status', ...key)).to.include({ KeyRotationEnabled: true });
          const decryption = ['decrypt', '--ciphertext-blob', blob(sealed.CiphertextBlob), ...context] as const;
          expect(plaintextOf(await kms(OTHER, ...decryption))).to.equal(String(MESSAGE));
          await untilTrue('the primary knows its replica', async () => {
            const { status } = await run(session, HOME, ['update-primary-region', ...key, '--primary-region', OTHER]);
            return status === 0;
          });
          await untilTrue('the replica is the primary', async () => (await stateThere()) === 'PRIMARY Enabled');
          expect(plaintextOf(await kms(HOME, ...decryption))).to.equal(String(MESSAGE));
        });

        it('lets another principal decrypt by a key policy, and by a grant', async () => {
          const arn = await makeKey(HOME);
          const key = ['--key-id', arn] as const;
          const { CiphertextBlob } = await kms(HOME, 'encrypt', ...key, '--plaintext', file(MESSAGE));
          const decryption = ['decrypt', '--ciphertext-blob', blob(CiphertextBlob)] as const;
          expect(await refusal(guest, HOME, ...decryption)).to.equal('AccessDeniedException');
          const grantee = ['--grantee-principal', GUEST.principal, '--operations', 'Decrypt'] as const;
          const { GrantId } = await kms(HOME, 'create-grant', ...key, ...grantee);
          expect((await run(guest, HOME, decryption)).status).to.equal(0);
          expect((await kms(HOME, 'list-grants', ...key))['Grants']).to.have.length(1);
          await kms(HOME, 'revoke-grant', ...key, '--grant-id', String(GrantId));
          expect(await refusal(guest, HOME, ...decryption)).to.equal('AccessDeniedException');
          const { Policy } = await kms(HOME, 'get-key-policy', ...key, '--policy-name', 'default');
          const policy = JSON.parse(String(Policy)) as { Statement: object[] };
          policy.Statement.push({
            Effect: 'Allow',
            Principal: { AWS: GUEST.principal },
            Action: 'kms:Decrypt',
            Resource: '*',
          });
          const text = openssl.file(JSON.stringify(policy));
          await kms(HOME, 'put-key-policy', ...key, '--policy-name', 'default', '--policy', `file://${text}`);
          expect((await run(guest, HOME, decryption)).status).to.equal(0);
        });

        it(`makes on ${TOKENS[region]} what OpenSSL verifies, and opens what it seals`, async () => {
          const signatures = [
            ['ECC_NIST_P256', 'ECDSA_SHA_256', ['-sha256']],
            ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512', ['-sha512']],
            [
              'RSA_2048',
              'RSASSA_PSS_SHA_256',
              ['-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'],
            ],
          ] as const;
          for (const [spec, algorithm, options] of signatures) {
            const key = ['--key-id', await makeKey(region, '--key-spec', spec, '--key-usage', 'SIGN_VERIFY')] as const;
            const publicKey = Buffer.from((await kms(region, 'get-public-key', ...key)).PublicKey, 'base64');
            const how = ['--message', file(MESSAGE), '--signing-algorithm', algorithm] as const;
            const made = await kms(region, 'sign', ...key, ...how);
            const signature = Buffer.from(String(made['Signature']), 'base64');
            expect(openssl.verifies(publicKey, { message: MESSAGE, signature }, options), algorithm).to.equal(true);
            const other = Buffer.from('another message');
            expect(openssl.verifies(publicKey, { message: other, signature }, options), algorithm).to.equal(false);
          }
          const recipient = await makeKey(region, '--key-spec', 'RSA_2048', '--key-usage', 'ENCRYPT_DECRYPT');
          const { PublicKey } = await kms(region, 'get-public-key', '--key-id', recipient);
          const sealed = openssl.encrypt(Buffer.from(PublicKey, 'base64'), MESSAGE, 'sha1');
          const opening = ['--encryption-algorithm', 'RSAES_OAEP_SHA_1', '--ciphertext-blob', file(sealed)] as const;
          expect(plaintextOf(await kms(region, 'decrypt', '--key-id', recipient, ...opening))).to.equal(
            String(MESSAGE),
          );
        });

        it('imports a key that OpenSSL wrapped, and makes the MAC that it makes', async () => {
          const asked = ['--origin', 'EXTERNAL', '--key-spec', 'HMAC_256', '--key-usage', 'GENERATE_VERIFY_MAC'];
          const key = ['--key-id', await makeKey(region, ...asked)] as const;
          const wrapping = ['--wrapping-algorithm', 'RSAES_OAEP_SHA_1', '--wrapping-key-spec', 'RSA_2048'] as const;
          const parameters = await kms(region, 'get-parameters-for-import', ...key, ...wrapping);
          const material = randomBytes(32);
          const wrapped = openssl.encrypt(Buffer.from(parameters.PublicKey, 'base64'), material, 'sha1');
          const sent = [
            '--import-token',
            blob(String(parameters['ImportToken'])),
            '--encrypted-key-material',
            file(wrapped),
          ];
          await kms(
            region,
            'import-key-material',
            ...key,
            ...sent,
            '--expiration-model',
            'KEY_MATERIAL_DOES_NOT_EXPIRE',
          );
          const how = ['--message', file(MESSAGE), '--mac-algorithm', 'HMAC_SHA_256'] as const;
          const { Mac } = await kms(region, 'generate-mac', ...key, ...how);
          expect(Mac).to.equal(openssl.hmac(material, MESSAGE).toString('base64'));
          await kms(region, 'delete-imported-key-material', ...key);
          expect(await refusal(session, region, 'generate-mac', ...key, ...how)).to.equal('KMSInvalidStateException');
        });
      });
    }
  });
}

function plaintextOf({ Plaintext }: Printed): string {
  return Buffer.from(Plaintext, 'base64').toString();
}
