import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  ListGrantsCommand,
  ListResourceTagsCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { keyferry, labDirectory, startKeyferry, type StartedCommand } from '../support/keyferry_command.js';

const anyPort = '127.0.0.1:0';
const SIGNING = '1234abcd-12ab-34cd-56ef-1234567890ab';
const SHARED = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const WORKER = 'arn:aws:iam::111122223333:role/worker';

/** The lab of the README's example, on ports that the system chooses. */
const labWith = (...more: object[]): object => ({
  endpoint: anyPort,
  proxy: { listen: anyPort },
  regions: { 'us-east-1': { listen: anyPort }, 'eu-west-1': { listen: anyPort, token: { module: 'nss' } } },
  credentials: [{ accessKeyId: 'testing', secretAccessKey: 'testing', principal: 'arn:aws:iam::111122223333:root' }],
  seed: {
    keys: [
      {
        aliases: ['alias/orders'],
        description: 'encrypts orders',
        tags: { team: 'orders' },
        rotation: { periodDays: 180 },
        grants: [{ name: 'worker', granteePrincipal: WORKER, operations: ['Decrypt'] }],
      },
      { keyId: SIGNING, region: 'eu-west-1', keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY' },
      {
        keyId: SHARED,
        aliases: ['alias/shared'],
        origin: 'EXTERNAL',
        replicas: ['eu-west-1'],
        material: { file: 'material.bin', validFor: '30d' },
      },
      ...more,
    ],
  },
});

interface Summary {
  readonly endpoint: string;
  readonly seed: readonly { readonly name: string; readonly made: boolean; readonly added: readonly string[] }[];
}

describe('a lab that is prepared by its file, saved and brought back', function () {
  this.timeout(120_000);
  const lab = labDirectory(labWith());
  const other = join(lab.root, 'other');
  const snapshot = join(lab.root, 'snapshot');
  let up: StartedCommand | undefined;
  let clients: KMSClient[] = [];

  const start = async (dir: string): Promise<Summary> => {
    up = startKeyferry(['up', '--file', lab.file, '--dir', dir, '--json']);
    const summary = JSON.parse(await up.firstLine) as Summary;
    const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' };
    clients = ['us-east-1', 'eu-west-1'].map(
      (region) => new KMSClient({ endpoint: summary.endpoint, region, credentials, maxAttempts: 1 }),
    );
    return summary;
  };
  const stop = async (dir: string): Promise<void> => {
    for (const client of clients) client.destroy();
    clients = [];
    await keyferry('down', '--dir', dir);
    await up?.ended;
    up = undefined;
  };
  const client = (region: 'us-east-1' | 'eu-west-1'): KMSClient => {
    const found = clients[region === 'us-east-1' ? 0 : 1];
    if (found === undefined) throw new Error('no lab is running');
    return found;
  };

  let blob: Uint8Array;
  let later: string;

  before(() => writeFileSync(join(lab.root, 'material.bin'), randomBytes(32)));
  after(async () => {
    if (up !== undefined) {
      up.child.kill('SIGTERM');
      await up.ended;
    }
    lab.remove();
  });

  it('has its keys when it is ready: named, tagged, granted, imported, replicated, and under the ids that were chosen', async () => {
    const { seed } = await start(lab.dir);
    expect(seed.map(({ name, made }) => [name, made])).to.deep.equal([
      ['alias/orders', true],
      [SIGNING, true],
      ['alias/shared', true],
    ]);
    const here = client('us-east-1');
    const orders = await here.send(new DescribeKeyCommand({ KeyId: 'alias/orders' }));
    expect(orders.KeyMetadata).to.include({ Description: 'encrypts orders', KeyState: 'Enabled' });
    const KeyId = orders.KeyMetadata?.KeyId ?? '';
    const { Tags } = await here.send(new ListResourceTagsCommand({ KeyId }));
    expect(Tags).to.deep.equal([{ TagKey: 'team', TagValue: 'orders' }]);
    const { Grants } = await here.send(new ListGrantsCommand({ KeyId }));
    expect(Grants?.map(({ Name, GranteePrincipal }) => [Name, GranteePrincipal])).to.deep.equal([['worker', WORKER]]);
    const signing = await client('eu-west-1').send(new DescribeKeyCommand({ KeyId: SIGNING }));
    expect(signing.KeyMetadata).to.include({ KeySpec: 'ECC_NIST_P256', KeyState: 'Enabled' });

    const sealed = await here.send(new EncryptCommand({ KeyId: SHARED, Plaintext: Buffer.from('hello') }));
    blob = sealed.CiphertextBlob ?? new Uint8Array();
    const opened = await client('eu-west-1').send(new DecryptCommand({ CiphertextBlob: blob, KeyId: 'alias/shared' }));
    expect(Buffer.from(opened.Plaintext ?? []).toString()).to.equal('hello');
    const replica = await client('eu-west-1').send(new DescribeKeyCommand({ KeyId: SHARED }));
    expect(replica.KeyMetadata).to.include({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', Origin: 'EXTERNAL' });
  });

  it('is saved while it runs', async () => {
    const saved = await keyferry('snapshot', snapshot, '--dir', lab.dir, '--json');
    expect(saved.status, saved.stderr).to.equal(0);
    expect(JSON.parse(saved.stdout)).to.include({ partition: 'aws' });
    expect(statSync(snapshot).mode & 0o777).to.equal(0o700);
    const made = await client('us-east-1').send(new CreateKeyCommand({}));
    later = made.KeyMetadata?.KeyId ?? '';
    const refused = await keyferry('restore', snapshot, '--dir', lab.dir, '--json');
    expect(refused.status).to.not.equal(0);
    expect(refused.stderr).to.match(/A lab is running/u);
  });

  it('comes back elsewhere as it was saved, and is given what its file says since then', async () => {
    await stop(lab.dir);
    const restored = await keyferry('restore', snapshot, '--dir', other, '--json');
    expect(restored.status, restored.stderr).to.equal(0);
    writeFileSync(lab.file, JSON.stringify(labWith({ aliases: ['alias/new'], region: 'eu-west-1' })));
    const { seed } = await start(other);
    expect(seed.map(({ name, made, added }) => [name, made, added])).to.deep.equal([
      ['alias/orders', false, []],
      [SIGNING, false, []],
      ['alias/shared', false, []],
      ['alias/new', true, []],
    ]);
    for (const region of ['us-east-1', 'eu-west-1'] as const) {
      const { Plaintext } = await client(region).send(new DecryptCommand({ CiphertextBlob: blob }));
      expect(Buffer.from(Plaintext ?? []).toString(), region).to.equal('hello');
    }
    const gone = await client('us-east-1')
      .send(new DescribeKeyCommand({ KeyId: later }))
      .catch((error: unknown) => error);
    expect(gone).to.have.property('name', 'NotFoundException');
    const config = readFileSync(join(other, 'regions', 'us-east-1', 'config.json'), 'utf8');
    expect(config).to.contain(other).and.not.to.contain(`${lab.dir}/`);
    await stop(other);
  });
});
