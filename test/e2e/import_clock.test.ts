import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  ScheduleKeyDeletionCommand,
  type ImportKeyMaterialCommandInput,
  type KeyMetadata,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { askAdmin } from '../../src/lab/admin_client.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { RegionLab, type LabRegionProcess } from '../support/lab_process.js';
import { readDatabaseCopy, tokenObjectCount } from '../support/region_evidence.js';

const NAME = 'us-east-1';
const DAY_MS = 86_400_000;

interface Reading {
  readonly now: string;
  readonly offsetMs: number;
}

describe('A region whose time is moved, and that is killed', function () {
  this.timeout(120_000);
  let lab: RegionLab;
  let region: LabRegionProcess;
  const material = randomBytes(32);

  before(async () => {
    lab = await RegionLab.start({ [NAME]: 'softhsm2', 'eu-west-1': 'softhsm2' });
    region = lab.region(NAME);
  });
  after(() => lab?.close());

  const clock = async (method: 'GET' | 'POST' | 'DELETE', milliseconds?: number): Promise<Reading> =>
    (await askAdmin(lab.directory.adminSocket(NAME), {
      method,
      path: '/clock',
      ...(milliseconds !== undefined && { body: { milliseconds } }),
    })) as Reading;

  async function importInto(KeyId: string, members: Partial<ImportKeyMaterialCommandInput>): Promise<void> {
    const kms = region.client();
    const WrappingAlgorithm = 'RSAES_OAEP_SHA_1';
    const { PublicKey = new Uint8Array(), ImportToken } = await kms.send(
      new GetParametersForImportCommand({ KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' }),
    );
    const EncryptedKeyMaterial = wrapForImport(WrappingAlgorithm, PublicKey, material);
    await kms.send(new ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ...members }));
  }

  async function makeKey(): Promise<string> {
    const { KeyMetadata: made } = await region.client().send(new CreateKeyCommand({ Origin: 'EXTERNAL' }));
    return made?.KeyId ?? '';
  }

  async function metadata(KeyId: string): Promise<KeyMetadata | undefined> {
    return (await region.client().send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;
  }

  function eventsOf(keyId: string, eventName: string): readonly { readonly eventID: string }[] {
    return readFileSync(join(region.directory, 'trail.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { eventID: string; eventName: string; resources: { ARN: string }[] })
      .filter((event) => event.eventName === eventName && event.resources[0]?.ARN.endsWith(keyId) === true);
  }

  it('expires material and deletes keys before a move of the clock is answered', async () => {
    const objects = tokenObjectCount(region.directory);
    const [expiring, going] = [await makeKey(), await makeKey()];
    const now = Date.parse((await clock('GET')).now);
    await importInto(expiring, { ValidTo: new Date(now + 10 * DAY_MS) });
    await importInto(going, { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' });
    await region.client().send(new ScheduleKeyDeletionCommand({ KeyId: going, PendingWindowInDays: 7 }));
    expect((await clock('POST', 11 * DAY_MS)).offsetMs).to.equal(11 * DAY_MS);
    expect(await metadata(expiring)).to.include({ KeyState: 'PendingImport', Enabled: false });
    expect(eventsOf(expiring, 'DeleteExpiredKeyMaterial')).to.have.lengthOf(1);
    const gone = await metadata(going).catch((error: Error) => error.name);
    expect(gone).to.equal('NotFoundException');
    expect(eventsOf(going, 'DeleteKey')).to.have.lengthOf(1);
    const rows = readDatabaseCopy(region.directory, (database) =>
      ['keys', 'key_materials', 'import_parameters', 'key_tags'].map(
        (table) => database.prepare(`SELECT count(*) AS count FROM ${table} WHERE key_id = ?`).get(going)?.['count'],
      ),
    );
    expect(rows).to.deep.equal([0, 0, 0, 0]);
    expect(tokenObjectCount(region.directory)).to.equal(objects);
  });

  it('keeps its time over a kill, and expires what fell due while it was down, once', async () => {
    const keyId = await makeKey();
    const now = Date.parse((await clock('GET')).now);
    await importInto(keyId, { ValidTo: new Date(now + 4_000) });
    expect(await metadata(keyId)).to.have.property('KeyState', 'Enabled');
    region.program.kill();
    await region.program.ended;
    await sleep(4_500);
    await region.program.start();
    expect((await clock('GET')).offsetMs).to.equal(11 * DAY_MS);
    expect(await metadata(keyId)).to.have.property('KeyState', 'PendingImport');
    expect(eventsOf(keyId, 'DeleteExpiredKeyMaterial')).to.have.lengthOf(1);
    expect((await region.status()) as object).to.have.nested.property('time.offsetMs', 11 * DAY_MS);
    region.program.kill();
    await region.program.ended;
    await region.program.start();
    expect(eventsOf(keyId, 'DeleteExpiredKeyMaterial')).to.have.lengthOf(1);
    await importInto(keyId, { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' });
    expect(await metadata(keyId)).to.have.property('KeyState', 'Enabled');
  });

  it('expires material within a second of its date while it runs', async () => {
    const keyId = await makeKey();
    const validToMs = Date.parse((await clock('GET')).now) + 2_000;
    await importInto(keyId, { ValidTo: new Date(validToMs) });
    let state: string | undefined;
    let atMs = 0;
    while (state !== 'PendingImport' && atMs < validToMs + 5_000) {
      atMs = Date.now() + 11 * DAY_MS;
      state = (await metadata(keyId))?.KeyState;
    }
    expect(state).to.equal('PendingImport');
    expect(atMs - validToMs).to.be.within(-200, 1_000);
  });

  it('goes back to the machine’s time, and what happened stays', async () => {
    const reading = await clock('DELETE');
    expect(reading.offsetMs).to.equal(0);
    expect(Date.parse(reading.now)).to.be.closeTo(Date.now(), 5_000);
    region.program.kill();
    await region.program.ended;
    await region.program.start();
    expect((await clock('GET')).offsetMs).to.equal(0);
  });
});
