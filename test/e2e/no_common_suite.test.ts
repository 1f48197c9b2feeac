import {
  CreateKeyCommand,
  KMSClient,
  ListKeysCommand,
  ReplicateKeyCommand,
  UnsupportedOperationException,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { keyferry, labDirectory, startKeyferry, type StartedCommand } from '../support/keyferry_command.js';

const CKM_AES_CBC_ENCRYPT_DATA = '0x1105';
const anyPort = '127.0.0.1:0';

interface UpSummary {
  readonly endpoint: string;
  readonly awsCredentialsFile: string;
}

describe('Two regions whose tokens share no replication suite', () => {
  let token: FaultyToken;
  let lab: ReturnType<typeof labDirectory>;
  let up: StartedCommand;
  let summary: UpSummary;

  before(async () => {
    token = await makeFaultyToken('softhsm2', 'own token');
    token.setFaults(`* * no-mechanism ${CKM_AES_CBC_ENCRYPT_DATA}`);
    // From here on the token is the region's: one process has it open at a time.
    token.module.close();
    lab = labDirectory({
      endpoint: anyPort,
      proxy: { listen: anyPort },
      regions: {
        'us-east-1': {
          listen: anyPort,
          token: { module: token.modulePath, label: token.label, pin: { file: token.userPinFile } },
        },
        'eu-west-1': { listen: anyPort, token: { module: 'nss' } },
      },
    });
    up = startKeyferry(['up', '--file', lab.file, '--dir', lab.dir, '--json']);
    summary = JSON.parse(await up.firstLine) as UpSummary;
  });

  after(async () => {
    up.child.kill('SIGTERM');
    await up.ended;
    lab.remove();
    token.dispose();
  });

  it('are told so by the status, with the mechanisms that each of them lacks', async () => {
    const { stdout } = await keyferry('status', '--dir', lab.dir);
    expect(stdout).to.contain('share no replication suite');
    expect(stdout).to.match(/us-east-1 \(.*CBCDERIVE-A256KWP needs CKM_AES_CBC_ENCRYPT_DATA/u);
    expect(stdout).to.match(/us-east-1 \(.*HKDF384-A256KWP needs CKM_HKDF_DERIVE/u);
    expect(stdout).to.contain('OSKDF-A256KWP needs CKD_SHA384_KDF_SP800');
  });

  it('refuse ReplicateKey with the same reason, and make no replica', async () => {
    const client = clientOf('eu-west-1');
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ MultiRegion: true }));
    const message = await refusal(
      client.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: 'us-east-1' })),
    );
    client.destroy();
    expect(message).to.contain('CBCDERIVE-A256KWP needs CKM_AES_CBC_ENCRYPT_DATA');
  });

  it('refuse multi-Region keys where the token has no replication suite at all, before anything is made', async () => {
    const client = clientOf('us-east-1');
    const message = await refusal(client.send(new CreateKeyCommand({ MultiRegion: true })));
    expect(message).to.match(/can wrap no SYMMETRIC_DEFAULT key for another region: .*CKM_AES_CBC_ENCRYPT_DATA/u);
    expect((await client.send(new ListKeysCommand({}))).Keys).to.deep.equal([]);
    client.destroy();
  });

  function clientOf(region: string): KMSClient {
    const credentials = readFileSync(summary.awsCredentialsFile, 'utf8');
    const member = (name: string): string => new RegExp(`${name} = (\\S+)`, 'u').exec(credentials)?.[1] ?? '';
    return new KMSClient({
      region,
      endpoint: summary.endpoint,
      credentials: {
        accessKeyId: member('aws_access_key_id'),
        secretAccessKey: member('aws_secret_access_key'),
      },
      maxAttempts: 1,
    });
  }

  /** The text of an UnsupportedOperationException. */
  async function refusal(work: Promise<unknown>): Promise<string> {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(UnsupportedOperationException);
    return (error as UnsupportedOperationException).message;
  }
});
