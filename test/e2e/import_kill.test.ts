import { randomBytes } from 'node:crypto';
import {
  CreateKeyCommand,
  DecryptCommand,
  DeleteImportedKeyMaterialCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { askAdmin } from '../../src/lab/admin_client.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { RegionLab, type LabRegionProcess } from '../support/lab_process.js';
import { tokenObjectCount } from '../support/region_evidence.js';
import type { SoftwareTokenKind } from '../support/token_directory.js';

const DAY_MS = 86_400_000;
const REGIONS = { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss' } as const;
const ALGORITHM = 'RSAES_OAEP_SHA_1';

/** Where the process ends, and what the key is then: as before the change, or as after it. */
interface End {
  readonly name: string;
  readonly arm: (region: LabRegionProcess, keyId: string) => void;
  readonly leaves: 'before' | 'after';
}

const atCall = (rule: string): End => ({
  name: rule,
  arm: (region) => region.setTokenFaults(rule),
  leaves: 'before',
});
/** Ends at the commit in which the query finds a row. */
const atCommit = (when: 'before' | 'after', query: (keyId: string) => string): End => ({
  name: `${when} the commit`,
  arm: (region, keyId) => region.setCommitFault({ when, query: query(keyId) }),
  leaves: when,
});
const withMaterial = (keyId: string): string =>
  `SELECT 1 FROM key_materials WHERE key_id = '${keyId}' AND exported_key_token IS NOT NULL`;
const withoutMaterial = (keyId: string): string =>
  `SELECT 1 FROM key_materials WHERE key_id = '${keyId}' AND exported_key_token IS NULL`;
const withoutKey = (keyId: string): string =>
  `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM keys WHERE key_id = '${keyId}')`;

describe('A region on a real token that is killed', function () {
  this.timeout(180_000);
  let lab: RegionLab;
  const material = randomBytes(32);

  before(async () => {
    lab = await RegionLab.start(REGIONS);
  });
  after(() => lab?.close());

  /** Both tokens have each change; where it ends, they share. */
  const onBoth = (work: (region: LabRegionProcess, kind: SoftwareTokenKind) => Promise<void>): Promise<void[]> =>
    Promise.all(Object.entries(REGIONS).map(([name, kind]) => work(lab.region(name), kind)));

  const stateOf = (region: LabRegionProcess, KeyId: string): Promise<string | undefined> =>
    region
      .client()
      .send(new DescribeKeyCommand({ KeyId }))
      .then(
        ({ KeyMetadata }) => KeyMetadata?.KeyState,
        (error: Error) => error.name,
      );

  async function makeKey(region: LabRegionProcess): Promise<string> {
    const made = await region.client().send(new CreateKeyCommand({ Origin: 'EXTERNAL' }));
    return made.KeyMetadata?.KeyId ?? '';
  }

  /** The upload, so that it can be sent more than once. */
  async function prepare(region: LabRegionProcess, KeyId: string): Promise<() => Promise<unknown>> {
    const { PublicKey = new Uint8Array(), ImportToken } = await region
      .client()
      .send(new GetParametersForImportCommand({ KeyId, WrappingAlgorithm: ALGORITHM, WrappingKeySpec: 'RSA_2048' }));
    const EncryptedKeyMaterial = wrapForImport(ALGORITHM, PublicKey, material);
    const members = { KeyId, ImportToken, EncryptedKeyMaterial };
    return () =>
      region
        .client()
        .send(new ImportKeyMaterialCommand({ ...members, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }));
  }

  /** Does what kills the process, which answers nothing, and starts the next one. */
  async function killIn(region: LabRegionProcess, end: End, keyId: string, change: () => Promise<unknown>) {
    end.arm(region, keyId);
    const answer = await Promise.race([
      change().then(
        () => 'answered',
        () => 'no answer',
      ),
      region.program.ended.then(() => 'no answer'),
    ]);
    expect(answer, `${region.name}, ${end.name}`).to.equal('no answer');
    await region.program.ended;
    region.setTokenFaults();
    region.setCommitFault(null);
    await region.program.start();
  }

  async function expectUsable(region: LabRegionProcess, KeyId: string): Promise<void> {
    const kms = region.client();
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('whole') }));
    const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(Plaintext ?? []).toString()).to.equal('whole');
  }

  it('in an import has the key without material and its parameters unused, or the key with all of it', async () => {
    const ends = {
      softhsm2: [atCall('C_UnwrapKey 2 kill'), atCommit('after', withMaterial)],
      nss: [atCall('C_WrapKey 1 kill-after'), atCommit('before', withMaterial)],
    };
    await onBoth(async (region, kind) => {
      const objects = tokenObjectCount(region.directory);
      for (const end of ends[kind]) {
        const keyId = await makeKey(region);
        const upload = await prepare(region, keyId);
        await killIn(region, end, keyId, upload);
        expect(await stateOf(region, keyId), end.name).to.equal(end.leaves === 'before' ? 'PendingImport' : 'Enabled');
        const again = await upload().then(
          () => 'imported',
          (error: Error) => error.name,
        );
        expect(again, end.name).to.equal(end.leaves === 'before' ? 'imported' : 'InvalidImportTokenException');
        await expectUsable(region, keyId);
      }
      expect(tokenObjectCount(region.directory)).to.equal(objects);
    });
  });

  it('in a deletion of material has all of it or none, and takes the same material again', async () => {
    const unloading = { ...atCall('C_DestroyObject 1 kill'), leaves: 'after' } as const;
    const ends = {
      softhsm2: [atCommit('before', withoutMaterial), unloading],
      nss: [atCommit('after', withoutMaterial), unloading],
    };
    await onBoth(async (region, kind) => {
      const objects = tokenObjectCount(region.directory);
      for (const end of ends[kind]) {
        const KeyId = await makeKey(region);
        await (
          await prepare(region, KeyId)
        )();
        await expectUsable(region, KeyId);
        await killIn(region, end, KeyId, () => region.client().send(new DeleteImportedKeyMaterialCommand({ KeyId })));
        expect(await stateOf(region, KeyId), end.name).to.equal(end.leaves === 'before' ? 'Enabled' : 'PendingImport');
        if (end.leaves === 'after') await (await prepare(region, KeyId))();
        await expectUsable(region, KeyId);
      }
      expect(tokenObjectCount(region.directory)).to.equal(objects);
    });
  });

  it('at the end of a deletion window has deleted the key when it runs again', async () => {
    const ends = { softhsm2: [atCommit('after', withoutKey)], nss: [atCommit('before', withoutKey)] };
    await onBoth(async (region, kind) => {
      const objects = tokenObjectCount(region.directory);
      for (const end of ends[kind]) {
        const KeyId = await makeKey(region);
        await (
          await prepare(region, KeyId)
        )();
        await expectUsable(region, KeyId);
        await region.client().send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
        await killIn(region, end, KeyId, () =>
          askAdmin(lab.directory.adminSocket(region.name), {
            method: 'POST',
            path: '/clock',
            body: { milliseconds: 8 * DAY_MS },
          }),
        );
        expect(await stateOf(region, KeyId), end.name).to.equal('NotFoundException');
      }
      expect(tokenObjectCount(region.directory)).to.equal(objects);
    });
  });
});
