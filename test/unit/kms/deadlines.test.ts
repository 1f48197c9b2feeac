import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { secondsUntilExpiration } from '../../../src/kms/expiration_metric.js';
import { Deadlines } from '../../../src/kms/deadlines.js';
import type { KeyId } from '../../../src/kms/key_id.js';
import { cancelKeyDeletion } from '../../../src/kms/operations/cancel_key_deletion.js';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../src/kms/operations/decrypt.js';
import { deleteImportedKeyMaterial } from '../../../src/kms/operations/delete_imported_key_material.js';
import { describeKey } from '../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../src/kms/operations/encrypt.js';
import { scheduleKeyDeletion } from '../../../src/kms/operations/schedule_key_deletion.js';
import { importInto, makeExternalKey, prepareImport } from '../../support/import_ceremony.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../support/software_region.js';

const DAY_MS = 86_400_000;

describe('What waits for time', () => {
  let software: SoftwareRegion;
  let keyId: string;
  let directory: string;
  const material = randomBytes(32);
  const metadata = async () => (await describeKey(software.call, { KeyId: keyId })).KeyMetadata;
  const inDays = (days: number): Date => new Date(software.clock.ms + days * DAY_MS);
  const serviceEvents = () => software.trail.events.filter(({ eventType }) => eventType === 'AwsServiceEvent');
  /** Whether octets are in any file of the database. */
  const isOnDisk = (octets: Uint8Array): boolean =>
    readdirSync(directory).some((name) => readFileSync(join(directory, name)).includes(Buffer.from(octets)));

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-deadlines-'));
    software = makeSoftwareRegion({ database: join(directory, 'region.db') });
    keyId = await makeExternalKey(software.call);
  });
  afterEach(async () => {
    await software.deadlines.stop();
    software.close();
    rmSync(directory, { recursive: true });
  });

  describe('expiry', () => {
    it('destroys the material at its date and not before, on disk and in the token, and says so', async () => {
      const ValidTo = inDays(1);
      const { KeyMaterialId } = await importInto(software.call, keyId, material, { ValidTo });
      const stored = software.region.store.key(keyId as KeyId)?.currentMaterial;
      if (stored === null || stored === undefined) throw new Error('nothing was imported');
      expect(isOnDisk(stored.exportedKeyToken)).to.equal(true);
      expect(secondsUntilExpiration(software.region)).to.deep.equal([{ keyId, seconds: 86_400 }]);
      software.clock.ms = ValidTo.getTime() - 1;
      await software.deadlines.runDue();
      expect(await metadata()).to.have.property('KeyState', 'Enabled');
      software.clock.ms += 1;
      await software.deadlines.runDue();
      expect(await metadata()).to.deep.include({
        KeyState: 'PendingImport',
        Enabled: false,
        ExpirationModel: 'KEY_MATERIAL_EXPIRES',
        ValidTo,
        CurrentKeyMaterialId: KeyMaterialId,
      });
      expect(isOnDisk(stored.exportedKeyToken)).to.equal(false);
      expect(software.hsm.unloaded).to.deep.equal([KeyMaterialId]);
      expect(serviceEvents()).to.have.lengthOf(1);
      expect(serviceEvents()[0]).to.deep.include({
        eventName: 'DeleteExpiredKeyMaterial',
        serviceEventDetails: { keyId, keyMaterialId: KeyMaterialId },
      });
      expect(secondsUntilExpiration(software.region)).to.deep.equal([]);
    });

    it('stops every use until the same material is imported again, which brings back what it encrypted', async () => {
      await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
      const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('kept') });
      software.clock.ms += DAY_MS;
      await software.deadlines.runDue();
      expect(await refusalOf(decrypt(software.call, { CiphertextBlob }))).to.deep.equal({
        code: 'KMSInvalidStateException',
        message: `${(await metadata()).Arn} is pending import.`,
      });
      expect((await refusalOf(importInto(software.call, keyId, randomBytes(32)))).code).to.equal(
        'IncorrectKeyMaterialException',
      );
      await importInto(software.call, keyId, material);
      const { Plaintext } = await decrypt(software.call, { CiphertextBlob });
      expect(Buffer.from(Plaintext).toString()).to.equal('kept');
    });

    it('does not happen at the former date once the material was imported again with another', async () => {
      await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
      await importInto(software.call, keyId, material, { ValidTo: inDays(3) });
      software.clock.ms += 2 * DAY_MS;
      await software.deadlines.runDue();
      expect(await metadata()).to.have.property('KeyState', 'Enabled');
      await importInto(software.call, keyId, material);
      software.clock.ms += 2 * DAY_MS;
      await software.deadlines.runDue();
      expect(await metadata()).to.have.property('KeyState', 'Enabled');
      expect(serviceEvents()).to.deep.equal([]);
    });

    it('happens also to a key that is to be deleted, which stays so and waits for material when that is taken back', async () => {
      await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
      await scheduleKeyDeletion(software.call, { KeyId: keyId });
      software.clock.ms += DAY_MS;
      await software.deadlines.runDue();
      expect(await metadata()).to.have.property('KeyState', 'PendingDeletion');
      await cancelKeyDeletion(software.call, { KeyId: keyId });
      expect(await metadata()).to.have.property('KeyState', 'PendingImport');
    });

    it('is made up for when the region starts after it, once', async () => {
      await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
      software.clock.ms += 40 * DAY_MS;
      await software.deadlines.start();
      expect(await metadata()).to.have.property('KeyState', 'PendingImport');
      await software.deadlines.runDue();
      expect(serviceEvents()).to.have.lengthOf(1);
    });

    it('happens within a second of the region’s clock while it runs', async () => {
      await software.deadlines.start();
      await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
      software.clock.ms += DAY_MS;
      const began = Date.now();
      while ((await metadata()).KeyState !== 'PendingImport') {
        if (Date.now() - began > 1000) throw new Error('a second has gone by');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
  });

  it('deletes by request what a later look at the clock finds no more', async () => {
    await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
    const stored = software.region.store.key(keyId as KeyId)?.currentMaterial;
    const answer = await deleteImportedKeyMaterial(software.call, { KeyId: keyId });
    const described = await metadata();
    expect(answer).to.deep.equal({ KeyId: described.Arn, KeyMaterialId: described.CurrentKeyMaterialId });
    expect(described).to.have.property('KeyState', 'PendingImport');
    expect(described).to.not.have.any.keys('ExpirationModel', 'ValidTo');
    expect(isOnDisk(stored?.exportedKeyToken ?? Buffer.from('SQLite'))).to.equal(false);
    software.clock.ms += 2 * DAY_MS;
    await software.deadlines.runDue();
    expect(serviceEvents()).to.deep.equal([]);
    await deleteImportedKeyMaterial(software.call, { KeyId: keyId });
  });

  it('leaves nothing of a key on disk when its window has passed', async () => {
    await importInto(software.call, keyId, material);
    await prepareImport(software.call, keyId, material);
    const id = keyId as KeyId;
    const stored = software.region.store.key(id)?.currentMaterial;
    if (stored === null || stored === undefined) throw new Error('nothing was imported');
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('lost') });
    const scheduled = await scheduleKeyDeletion(software.call, { KeyId: keyId, PendingWindowInDays: 7 });
    expect(scheduled).to.deep.include({ KeyState: 'PendingDeletion', DeletionDate: inDays(7), PendingWindowInDays: 7 });
    expect(await metadata()).to.deep.include({ KeyState: 'PendingDeletion', DeletionDate: inDays(7) });
    software.clock.ms += 7 * DAY_MS - 1;
    await software.deadlines.runDue();
    expect(await metadata()).to.have.property('KeyState', 'PendingDeletion');
    software.clock.ms += 1;
    await software.deadlines.runDue();
    expect((await refusalOf(metadata())).code).to.equal('NotFoundException');
    expect((await refusalOf(decrypt(software.call, { CiphertextBlob }))).code).to.equal('AccessDeniedException');
    expect(isOnDisk(stored.exportedKeyToken)).to.equal(false);
    expect(isOnDisk(Buffer.from(keyId)), 'the key id').to.equal(false);
    expect(software.hsm.unloaded).to.deep.equal([stored.binding.materialId]);
    expect(serviceEvents()).to.have.lengthOf(1);
    expect(serviceEvents()[0]).to.deep.include({ eventName: 'DeleteKey', serviceEventDetails: { keyId } });
    expect(serviceEvents()[0]?.resources[0]?.ARN).to.equal(scheduled.KeyId);
  });

  it('deletes nothing once the deletion was taken back', async () => {
    const { KeyMetadata } = await createKey(software.call, {});
    await scheduleKeyDeletion(software.call, { KeyId: KeyMetadata.KeyId });
    expect(await cancelKeyDeletion(software.call, { KeyId: KeyMetadata.KeyId })).to.deep.equal({
      KeyId: KeyMetadata.Arn,
    });
    software.clock.ms += 31 * DAY_MS;
    await software.deadlines.runDue();
    const { KeyMetadata: now } = await describeKey(software.call, { KeyId: KeyMetadata.KeyId });
    expect(now).to.have.property('KeyState', 'Disabled');
    expect(now).to.not.have.property('DeletionDate');
    expect((await refusalOf(cancelKeyDeletion(software.call, { KeyId: KeyMetadata.KeyId }))).message).to.equal(
      `${KeyMetadata.Arn} is not pending deletion.`,
    );
  });

  it('takes a window of 7 to 30 days, 30 where none is named', async () => {
    for (const PendingWindowInDays of [6, 31]) {
      const refusal = await refusalOf(scheduleKeyDeletion(software.call, { KeyId: keyId, PendingWindowInDays }));
      expect(refusal.code).to.equal('ValidationException');
    }
    const { DeletionDate } = await scheduleKeyDeletion(software.call, { KeyId: keyId });
    expect(DeletionDate).to.deep.equal(inDays(30));
    expect((await refusalOf(scheduleKeyDeletion(software.call, { KeyId: keyId }))).code).to.equal(
      'KMSInvalidStateException',
    );
  });

  it('delivers an event again, under the same id, where the audit failed, and goes on with the rest', async () => {
    await importInto(software.call, keyId, material, { ValidTo: inDays(1) });
    const recorded: string[] = [];
    let failing = true;
    const deadlines = new Deadlines(
      {
        ...software.region,
        events: {
          record: async (event) => {
            recorded.push(event.eventId);
            if (failing) throw new Error('the disk is full');
          },
        },
      },
      { report: (failure) => software.failures.push(failure) },
    );
    software.clock.ms += DAY_MS;
    await deadlines.runDue();
    expect(software.failures).to.have.lengthOf(1);
    expect(await metadata()).to.have.property('KeyState', 'PendingImport');
    failing = false;
    await deadlines.runDue();
    await deadlines.runDue();
    expect(recorded).to.have.lengthOf(2);
    expect(new Set(recorded).size).to.equal(1);
  });
});
