import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  CreateKeyCommand,
  DecryptCommand,
  DeleteImportedKeyMaterialCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  KMSClient,
  ListKeyRotationsCommand,
  ReplicateKeyCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { askAdmin } from '../../src/lab/admin_client.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { keyferry, labDirectory, startKeyferry, type StartedCommand } from '../support/keyferry_command.js';
import { storedKeys, tokenObjectCount } from '../support/region_evidence.js';
import { expectToCross, untilTrue, waitUntilEnabled } from '../support/replication_client.js';

const anyPort = '127.0.0.1:0';
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' };
const IN_TOKEN = 'us-east-1';
const WRAPPED = 'eu-west-1';
const WEEK_MS = 7 * 24 * 3600 * 1000;

interface Summary {
  readonly endpoint: string;
}
interface Programs {
  readonly programs: Readonly<
    Record<string, { readonly restarts: number; readonly process?: { readonly pid: number } }>
  >;
}

describe('a lab with keys in the token in one region, and wrapped in the other', function () {
  this.timeout(90_000);
  const lab = labDirectory({
    endpoint: anyPort,
    proxy: { listen: anyPort },
    console: 'off',
    regions: {
      [IN_TOKEN]: { listen: anyPort, keyStorage: 'token' },
      [WRAPPED]: { listen: anyPort, token: { module: 'nss' } },
    },
    credentials: [{ ...credentials, principal: 'arn:aws:iam::111122223333:root' }],
  });
  const other = join(lab.root, 'other');
  const snapshot = join(lab.root, 'snapshot');
  let up: StartedCommand | undefined;
  let clients: readonly KMSClient[] = [];
  let here: KMSClient;
  let there: KMSClient;
  let objectsAtFirst: number;
  let shared: string;
  let imported: string;
  const blobs = new Map<string, Uint8Array>();

  const start = async (dir: string): Promise<void> => {
    up = startKeyferry(['up', '--file', lab.file, '--dir', dir, '--json']);
    const { endpoint } = JSON.parse(await up.firstLine) as Summary;
    clients = [IN_TOKEN, WRAPPED].map((region) => new KMSClient({ endpoint, region, credentials, maxAttempts: 8 }));
    here = clients[0] as KMSClient;
    there = clients[1] as KMSClient;
  };
  const stop = async (dir: string): Promise<void> => {
    for (const client of clients) client.destroy();
    await keyferry('down', '--dir', dir);
    await up?.ended;
    up = undefined;
  };
  const directory = (dir: string, region: string): string => join(dir, 'regions', region);
  /** Token objects that are keys, and materials that the database knows. */
  const inToken = (dir = lab.dir): { readonly objects: number; readonly materials: number } => ({
    objects: tokenObjectCount(directory(dir, IN_TOKEN)) - objectsAtFirst,
    materials: [...storedKeys(directory(dir, IN_TOKEN)).values()].flatMap(({ materialIds }) => materialIds).length,
  });
  const encrypt = async (KeyId: string): Promise<void> => {
    const { CiphertextBlob } = await here.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from(KeyId) }));
    blobs.set(KeyId, CiphertextBlob ?? new Uint8Array());
  };
  const decrypts = async (client: KMSClient, KeyId: string): Promise<boolean> => {
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob: blobs.get(KeyId) }));
    return Buffer.from(Plaintext ?? []).toString() === KeyId;
  };

  before(async () => {
    await start(lab.dir);
    objectsAtFirst = tokenObjectCount(directory(lab.dir, IN_TOKEN));
  });
  after(async () => {
    if (up !== undefined) {
      up.child.kill('SIGTERM');
      await up.ended;
    }
    lab.remove();
  });

  it('replicates keys both ways, one object for each key in the token', async () => {
    const [own, foreign] = await Promise.all(
      [here, there].map(async (client) => {
        const { KeyMetadata } = await client.send(new CreateKeyCommand({ MultiRegion: true }));
        return KeyMetadata?.KeyId ?? '';
      }),
    );
    shared = own ?? '';
    const KeyId = foreign ?? '';
    await here.send(new ReplicateKeyCommand({ KeyId: shared, ReplicaRegion: WRAPPED }));
    await there.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: IN_TOKEN }));
    await Promise.all([waitUntilEnabled(there, shared), waitUntilEnabled(here, KeyId)]);
    await expectToCross(here, there, shared);
    await expectToCross(here, there, KeyId);
    await encrypt(shared);
    expect(inToken()).to.deep.equal({ objects: 2, materials: 2 });
  });

  it('rotates a key in both, and decrypts with every material', async () => {
    await here.send(new RotateKeyOnDemandCommand({ KeyId: shared }));
    await untilTrue('the replica has rotated', async () => {
      const { Rotations } = await there.send(new ListKeyRotationsCommand({ KeyId: shared }));
      return Rotations?.length === 1;
    });
    await expectToCross(here, there, shared);
    expect(await decrypts(there, shared)).to.equal(true);
    expect(inToken()).to.deep.equal({ objects: 3, materials: 3 });
  });

  it('imports material into the token', async () => {
    const { KeyMetadata } = await here.send(new CreateKeyCommand({ Origin: 'EXTERNAL' }));
    imported = KeyMetadata?.KeyId ?? '';
    const parameters = await here.send(
      new GetParametersForImportCommand({
        KeyId: imported,
        WrappingAlgorithm: 'RSAES_OAEP_SHA_1',
        WrappingKeySpec: 'RSA_2048',
      }),
    );
    await here.send(
      new ImportKeyMaterialCommand({
        KeyId: imported,
        ImportToken: parameters.ImportToken,
        EncryptedKeyMaterial: wrapForImport(
          'RSAES_OAEP_SHA_1',
          parameters.PublicKey ?? new Uint8Array(),
          randomBytes(32),
        ),
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      }),
    );
    await encrypt(imported);
    expect(inToken()).to.deep.equal({ objects: 4, materials: 4 });
  });

  it('is saved; then keys and imported material that are deleted take their objects with them', async () => {
    const saved = await keyferry('snapshot', snapshot, '--dir', lab.dir);
    expect(saved.status, saved.stderr).to.equal(0);
    await here.send(new DeleteImportedKeyMaterialCommand({ KeyId: imported }));
    await untilTrue('the object of imported material is gone', async () => inToken().objects === 3);
    const { KeyMetadata } = await here.send(new CreateKeyCommand({}));
    const KeyId = KeyMetadata?.KeyId ?? '';
    expect(inToken().objects).to.equal(4);
    await here.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await askAdmin(join(directory(lab.dir, IN_TOKEN), 'admin.sock'), {
      method: 'POST',
      path: '/clock',
      body: { milliseconds: WEEK_MS + 1000 },
    });
    await untilTrue('the object of a deleted key is gone', async () => inToken().objects === 3);
  });

  it('has every key after kill -9, and no object besides', async () => {
    const programs = async (): Promise<Programs['programs'][string]> => {
      const { stdout } = await keyferry('status', '--dir', lab.dir, '--json');
      const found = (JSON.parse(stdout) as Programs).programs[`region ${IN_TOKEN}`];
      if (found === undefined) throw new Error('there is no such program');
      return found;
    };
    const creating = here.send(new CreateKeyCommand({})).catch(() => undefined);
    process.kill((await programs()).process?.pid ?? 0, 'SIGKILL');
    await creating;
    await untilTrue('the region works again', () => decrypts(here, shared).catch(() => false));
    const { objects, materials } = inToken();
    const withoutMaterial = 1;
    expect(objects).to.equal(materials - withoutMaterial);
  });

  it('comes back elsewhere from what was saved, with the keys of that moment', async () => {
    await stop(lab.dir);
    const restored = await keyferry('restore', snapshot, '--dir', other);
    expect(restored.status, restored.stderr).to.equal(0);
    await start(other);
    expect(await decrypts(here, shared)).to.equal(true);
    expect(await decrypts(there, shared)).to.equal(true);
    expect(await decrypts(here, imported)).to.equal(true);
    expect(inToken(other)).to.deep.equal({ objects: 4, materials: 4 });
    const described = await here.send(new DescribeKeyCommand({ KeyId: imported }));
    expect(described.KeyMetadata?.KeyState).to.equal('Enabled');
    await stop(other);
  });
});
