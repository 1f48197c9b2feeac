import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ListKeysCommand,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { labAccessKey } from '../../src/lab/aws_files.js';
import type { AccessKey } from '../../src/lab/region_config.js';
import { runLab, type RunningLab } from '../../src/lab/running_lab.js';
import { StateDirectory } from '../../src/lab/state_directory.js';
import { kmsCli, kmsCliRefusal, type CliCaller } from '../support/aws_cli.js';
import { labOf } from '../support/lab_process.js';
import {
  createPrimary,
  expectSameKey,
  expectToCross,
  untilTrue,
  waitUntilEnabled,
} from '../support/replication_client.js';

const TOKENS = { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss' } as const;
const ACCOUNT = '111122223333';

interface Way {
  readonly from: keyof typeof TOKENS;
  readonly to: keyof typeof TOKENS;
  /** Through the front door's one URL, or each region's own. */
  readonly door: 'front door' | 'region';
}

const WAYS: readonly Way[] = (['front door', 'region'] as const).flatMap((door) => [
  { from: 'us-east-1', to: 'eu-west-1', door },
  { from: 'eu-west-1', to: 'us-east-1', door },
]);

describe('Unmodified AWS clients against a lab of two regions', function () {
  this.timeout(120_000);
  let root: string;
  let lab: RunningLab;
  let key: AccessKey;
  const clients: KMSClient[] = [];

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'keyferry-clients-'));
    const directory = new StateDirectory(root);
    const file = labOf(TOKENS);
    lab = await runLab(directory, file, { showStep: (_label, work) => work() });
    key = labAccessKey(directory, file);
  });
  after(async () => {
    for (const client of clients) client.destroy();
    await lab?.stop();
    if (root !== undefined) await rm(root, { recursive: true });
  });

  const urlOf = (region: string, door: Way['door']): string =>
    door === 'front door' ? lab.summary.endpoint : (lab.summary.regions[region] ?? '');

  function sdk(region: string, door: Way['door']): KMSClient {
    const client = new KMSClient({ region, endpoint: urlOf(region, door), credentials: key, maxAttempts: 1 });
    clients.push(client);
    return client;
  }

  function cli(region: string, door: Way['door']): CliCaller {
    const { accessKeyId, secretAccessKey } = key;
    return { endpoint: urlOf(region, door), region, accessKeyId, secretAccessKey, home: root };
  }

  for (const { from, to, door } of WAYS) {
    const way = `from ${TOKENS[from]} to ${TOKENS[to]} through ${door === 'region' ? 'the regions’ own URLs' : 'the front door'}`;

    it(`replicates a key ${way} with the SDK, and either region decrypts what the other encrypts`, async () => {
      const [here, there] = [sdk(from, door), sdk(to, door)];
      const KeyId = await createPrimary(here);
      const { ReplicaKeyMetadata } = await here.send(
        new ReplicateKeyCommand({ KeyId, ReplicaRegion: to, Tags: [{ TagKey: 'of', TagValue: 'the replica' }] }),
      );
      expect(ReplicaKeyMetadata?.Arn).to.equal(`arn:aws:kms:${to}:${ACCOUNT}:key/${KeyId}`);
      await waitUntilEnabled(there, KeyId);
      await untilTrue('the primary lists its replica', async () => {
        const { KeyMetadata } = await here.send(new DescribeKeyCommand({ KeyId }));
        return KeyMetadata?.MultiRegionConfiguration?.ReplicaKeys?.[0]?.Region === to;
      });
      await expectSameKey(here, there, KeyId);
      await expectToCross(here, there, KeyId);
      await expectToCross(there, here, KeyId);
      const data = await here.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
      const opened = await there.send(new DecryptCommand({ CiphertextBlob: data.CiphertextBlob }));
      expect(opened.Plaintext).to.deep.equal(data.Plaintext);
      expect(opened.KeyId).to.equal(`arn:aws:kms:${to}:${ACCOUNT}:key/${KeyId}`);
      const { Keys } = await there.send(new ListKeysCommand({}));
      expect(Keys?.filter((listed) => listed.KeyId === KeyId)).to.have.length(1);
    });

    it(`refuses ${way} with the SDK what AWS refuses`, async () => {
      const [here, there] = [sdk(from, door), sdk(to, door)];
      const single = (await here.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId ?? '';
      const KeyId = await createPrimary(here);
      await here.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: to }));
      await waitUntilEnabled(there, KeyId);
      const { CiphertextBlob = new Uint8Array() } = await here.send(
        new EncryptCommand({ KeyId, Plaintext: Buffer.from('bound'), EncryptionContext: { a: '1' } }),
      );
      const alone = await here.send(new EncryptCommand({ KeyId: single, Plaintext: Buffer.from('stays') }));
      const tampered = Uint8Array.from(CiphertextBlob);
      tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1;
      const foreign = `arn:aws:kms:${from}:${ACCOUNT}:key/${KeyId}`;
      const refusals: Record<string, Promise<unknown>> = {
        'a single-Region key is replicated': here.send(new ReplicateKeyCommand({ KeyId: single, ReplicaRegion: to })),
        'a replica is replicated': there.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: from })),
        'a second replica in one region': here.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: to })),
        'a replica in the primary’s region': here.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: from })),
        'another encryption context': there.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: '2' } })),
        'a tampered blob': there.send(new DecryptCommand({ CiphertextBlob: tampered, EncryptionContext: { a: '1' } })),
        'another region in the ARN': there.send(new DescribeKeyCommand({ KeyId: foreign })),
        'a single-Region key’s blob in another region': there.send(
          new DecryptCommand({ CiphertextBlob: alone.CiphertextBlob }),
        ),
      };
      const names = await Promise.all(
        Object.entries(refusals).map(async ([what, request]) => [
          what,
          await request.then(
            () => 'not refused',
            (error: Error) => error.name,
          ),
        ]),
      );
      expect(Object.fromEntries(names)).to.deep.equal({
        'a single-Region key is replicated': 'UnsupportedOperationException',
        'a replica is replicated': 'UnsupportedOperationException',
        'a second replica in one region': 'AlreadyExistsException',
        'a replica in the primary’s region': 'AlreadyExistsException',
        'another encryption context': 'InvalidCiphertextException',
        'a tampered blob': 'InvalidCiphertextException',
        'another region in the ARN': 'NotFoundException',
        'a single-Region key’s blob in another region': 'AccessDeniedException',
      });
      // The same blob under its own context still opens: the refusals were about what was wrong with each.
      const opened = await there.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: '1' } }));
      expect(Buffer.from(opened.Plaintext ?? []).toString()).to.equal('bound');
    });
  }

  for (const { from, to, door } of WAYS.filter(
    ({ from: region, door: through }) => (region === 'us-east-1') === (through === 'front door'),
  )) {
    it(`replicates, crosses and refuses from ${TOKENS[from]} to ${TOKENS[to]} with the AWS CLI (${door})`, async () => {
      const [here, there] = [cli(from, door), cli(to, door)];
      const KeyId = await kmsCli(here, 'create-key', '--multi-region', '--query', 'KeyMetadata.KeyId');
      expect(KeyId).to.match(/^mrk-[0-9a-f]{32}$/);
      const replicate = ['replicate-key', '--key-id', KeyId, '--replica-region', to];
      const arn = await kmsCli(here, ...replicate, '--query', 'ReplicaKeyMetadata.Arn');
      expect(arn).to.equal(`arn:aws:kms:${to}:${ACCOUNT}:key/${KeyId}`);
      await waitUntilEnabled(sdk(to, door), KeyId);

      const text = 'from one command line to the other';
      const [plain, sealed, bad] = ['plain', 'sealed', 'bad'].map((name) => join(root, `${from}-${door[0]}-${name}`));
      await writeFile(plain ?? '', text);
      const context = ['--encryption-context', 'purpose=crossing'];
      const blob = await kmsCli(
        here,
        ...['encrypt', '--key-id', KeyId, '--plaintext', `fileb://${plain}`, ...context, '--query', 'CiphertextBlob'],
      );
      const octets = Buffer.from(blob, 'base64');
      await writeFile(sealed ?? '', octets);
      await writeFile(bad ?? '', Buffer.concat([octets.subarray(0, -1), Buffer.of((octets.at(-1) ?? 0) ^ 1)]));
      const decrypt = ['decrypt', '--ciphertext-blob', `fileb://${sealed}`];
      const opened = await kmsCli(there, ...decrypt, ...context, '--query', 'Plaintext');
      expect(Buffer.from(opened, 'base64').toString()).to.equal(text);

      const single = await kmsCli(here, 'create-key', '--query', 'KeyMetadata.KeyId');
      expect(
        await Promise.all([
          kmsCliRefusal(here, 'replicate-key', '--key-id', single, '--replica-region', to),
          kmsCliRefusal(there, 'replicate-key', '--key-id', KeyId, '--replica-region', from),
          kmsCliRefusal(here, ...replicate),
          kmsCliRefusal(there, ...decrypt, '--encryption-context', 'purpose=another'),
          kmsCliRefusal(there, 'decrypt', '--ciphertext-blob', `fileb://${bad}`, ...context),
          kmsCliRefusal(there, 'describe-key', '--key-id', arn.replace(to, from)),
        ]).then((refusals) => refusals.map((refusal) => /\((\w+)\)/u.exec(refusal)?.[1] ?? refusal)),
      ).to.deep.equal([
        'UnsupportedOperationException',
        'UnsupportedOperationException',
        'AlreadyExistsException',
        'InvalidCiphertextException',
        'InvalidCiphertextException',
        'NotFoundException',
      ]);
    });
  }
});
