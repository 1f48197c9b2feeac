import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  NotFoundException,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { findModule } from '../../src/token/module_path.js';
import { tpm2 } from '../devices/tpm2.js';
import { keyferry, labDirectory } from '../support/keyferry_command.js';
import { makeScratchToken, type ScratchToken } from '../support/token_directory.js';

const anyPort = '127.0.0.1:0';
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' };

interface Summary {
  readonly endpoint: string;
}

/** A lab file whose regions have these tokens. */
function labOf(tokens: Readonly<Record<string, object>>): object {
  return {
    endpoint: anyPort,
    proxy: { listen: anyPort },
    regions: Object.fromEntries(Object.entries(tokens).map(([name, token]) => [name, { listen: anyPort, token }])),
    credentials: [{ ...credentials, principal: 'arn:aws:iam::111122223333:root' }],
  };
}

/** Waits until a replica is there and can be used. */
async function enabled(client: KMSClient, KeyId: string): Promise<void> {
  for (let state: string | undefined; state !== 'Enabled'; await sleep(50)) {
    try {
      state = (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.KeyState;
    } catch (error) {
      if (!(error instanceof NotFoundException)) throw error;
    }
  }
}

/** A token of the user's own, as a lab file names it: by the path of its module. */
function entryOf({ kind, label, settings, userPinFile }: ScratchToken): object {
  return { module: findModule(kind), label, pin: { file: userPinFile }, ...settings };
}

describe('a module entry in lab.yaml', function () {
  this.timeout(120_000);

  describe('with the paths of SoftHSM2 and of NSS, and tokens of the user’s own', () => {
    let tokens: ScratchToken[];
    let lab: ReturnType<typeof labDirectory>;
    let endpoint: string;
    const clients: KMSClient[] = [];

    const client = (region: string): KMSClient => {
      const made = new KMSClient({ endpoint, region, credentials, maxAttempts: 6 });
      clients.push(made);
      return made;
    };

    before(async () => {
      tokens = [await makeScratchToken('softhsm2', 'shelf'), await makeScratchToken('nss', 'database')];
      const [softhsm2, nss] = tokens.map(entryOf);
      for (const token of tokens) token.module.close();
      lab = labDirectory(labOf({ 'us-east-1': softhsm2 ?? {}, 'eu-west-1': nss ?? {} }));
      const up = await keyferry('up', '--detach', '--file', lab.file, '--dir', lab.dir, '--json');
      expect(up.status, up.stderr).to.equal(0);
      ({ endpoint } = JSON.parse(up.stdout) as Summary);
    });
    after(async () => {
      for (const each of clients) each.destroy();
      await keyferry('down', '--dir', lab.dir);
      lab.remove();
      for (const { directory } of tokens) rmSync(directory, { recursive: true, force: true });
    });

    it('replicates a key from one to the other, and decrypts there', async () => {
      const [source, destination] = [client('us-east-1'), client('eu-west-1')];
      const { KeyMetadata } = await source.send(new CreateKeyCommand({ MultiRegion: true }));
      const KeyId = KeyMetadata?.KeyId ?? '';
      await source.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' }));
      const { CiphertextBlob } = await source.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('over there') }));
      await enabled(destination, KeyId);
      const { Plaintext } = await destination.send(new DecryptCommand({ CiphertextBlob }));
      expect(Buffer.from(Plaintext ?? []).toString()).to.equal('over there');
    });
  });

  it('of a module that cannot carry a region is refused by keyferry up, with what it lacks', async function () {
    const reason = tpm2.reasonToSkip();
    if (reason !== null) {
      Object.assign(this.test ?? {}, { skipReason: reason });
      this.skip();
    }
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-tpm2-'));
    const running = await tpm2.start(directory);
    const option = (name: string): string => running.options[running.options.indexOf(name) + 1] ?? '';
    const lab = labDirectory(
      labOf({
        'us-east-1': {
          module: option('--module'),
          label: 'validation',
          pin: { file: option('--pin-file') },
          environment: running.environment,
        },
      }),
    );
    try {
      Object.assign(process.env, running.environment);
      const validated = await keyferry('validate', ...running.options, '--check', 'CAP-01');
      expect(validated.status, validated.stderr).to.equal(0);
      const up = await keyferry('up', '--detach', '--file', lab.file, '--dir', lab.dir);
      expect(up.status).to.equal(1);
      expect(up.stderr).to.contain('us-east-1').and.contain('libtpm2_pkcs11');
      expect(up.stderr).to.contain('the token does not list CKM_AES_KEY_WRAP_KWP').and.contain('CKM_AES_GCM');
      expect(up.stderr).to.contain(
        'CKM_EC_KEY_PAIR_GEN for P-384: C_GenerateKeyPair returned CKR_ATTRIBUTE_VALUE_INVALID',
      );
    } finally {
      for (const name of Object.keys(running.environment)) delete process.env[name];
      await keyferry('down', '--dir', lab.dir);
      await running.close();
      lab.remove();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
