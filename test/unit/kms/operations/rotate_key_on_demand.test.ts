import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { KeyId } from '../../../../src/kms/key_id.js';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { deleteImportedKeyMaterial } from '../../../../src/kms/operations/delete_imported_key_material.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { listKeyRotations } from '../../../../src/kms/operations/list_key_rotations.js';
import { rotateKeyOnDemand } from '../../../../src/kms/operations/rotate_key_on_demand.js';
import { importInto, makeExternalKey } from '../../../support/import_ceremony.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const DAY_MS = 86_400_000;

describe('RotateKeyOnDemand', () => {
  let software: SoftwareRegion;
  let keyId: string;
  const first = randomBytes(32);
  const second = randomBytes(32);
  const metadata = async (id = keyId) => (await describeKey(software.call, { KeyId: id })).KeyMetadata;
  const everything = async () =>
    (await listKeyRotations(software.call, { KeyId: keyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).Rotations;
  const newMaterial = (octets: Buffer, members = {}) =>
    importInto(software.call, keyId, octets, { ImportType: 'NEW_KEY_MATERIAL', ...members });

  beforeEach(async () => {
    software = makeSoftwareRegion();
    keyId = await makeExternalKey(software.call);
  });
  afterEach(() => software.close());

  it('gives an imported key the material that waits, and keeps the former for decryption', async () => {
    const old = await importInto(software.call, keyId, first, { KeyMaterialDescription: 'year 1' });
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('kept') });
    const fresh = await newMaterial(second, { KeyMaterialDescription: 'year 2' });
    expect(fresh.KeyMaterialId).to.not.equal(old.KeyMaterialId);
    expect(await metadata()).to.include({ CurrentKeyMaterialId: old.KeyMaterialId, KeyState: 'Enabled' });
    expect((await decrypt(software.call, await encryptNow())).KeyMaterialId).to.equal(old.KeyMaterialId);

    software.clock.ms += DAY_MS;
    expect(await rotateKeyOnDemand(software.call, { KeyId: keyId })).to.deep.equal({ KeyId: (await metadata()).Arn });
    expect(await metadata()).to.have.property('CurrentKeyMaterialId', fresh.KeyMaterialId);
    expect((await decrypt(software.call, { CiphertextBlob })).KeyMaterialId).to.equal(old.KeyMaterialId);
    expect((await decrypt(software.call, await encryptNow())).KeyMaterialId).to.equal(fresh.KeyMaterialId);

    const common = { KeyId: (await metadata()).Arn, ImportState: 'IMPORTED' };
    const never = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
    const current = {
      ...common,
      ...never,
      KeyMaterialId: fresh.KeyMaterialId,
      KeyMaterialDescription: 'year 2',
      KeyMaterialState: 'CURRENT',
      RotationDate: new Date(software.clock.ms),
      RotationType: 'ON_DEMAND',
    };
    expect(await everything()).to.deep.equal([
      {
        ...common,
        ...never,
        KeyMaterialId: old.KeyMaterialId,
        KeyMaterialDescription: 'year 1',
        KeyMaterialState: 'NON_CURRENT',
      },
      current,
    ]);
    expect((await listKeyRotations(software.call, { KeyId: keyId })).Rotations).to.deep.equal([current]);

    await software.deadlines.runDue();
    const event = software.trail.events.find(({ eventName }) => eventName === 'RotateKey');
    expect(event?.serviceEventDetails).to.deep.equal({
      keyId,
      rotationType: 'ON_DEMAND',
      keyOrigin: 'EXTERNAL',
      previousKeyMaterialId: old.KeyMaterialId,
      currentKeyMaterialId: fresh.KeyMaterialId,
    });
  });

  const encryptNow = async () => {
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('now') });
    return { CiphertextBlob };
  };

  it('needs material that waits, and a key that is not pending import', async () => {
    const { Arn } = await metadata();
    expect(await refusalOf(rotateKeyOnDemand(software.call, { KeyId: keyId }))).to.deep.equal({
      code: 'KMSInvalidStateException',
      message: `${Arn} is pending import.`,
    });
    await importInto(software.call, keyId, first);
    expect(await refusalOf(rotateKeyOnDemand(software.call, { KeyId: keyId }))).to.deep.equal({
      code: 'KMSInvalidStateException',
      message: `No available key material pending rotation for the key: ${Arn}.`,
    });
  });

  it('lets one material wait at a time, which may be imported again, deleted and replaced', async () => {
    await importInto(software.call, keyId, first);
    const waiting = await newMaterial(second);
    const third = randomBytes(32);
    const refusal = await refusalOf(newMaterial(third));
    expect(refusal.code).to.equal('KMSInvalidStateException');
    expect(refusal.message).to.match(
      new RegExp(
        `^New key material \\(id: [0-9a-f]{64}\\) cannot be imported into KMS key ${keyId}, because another key material \\(id: ${waiting.KeyMaterialId}\\) is pending rotation\\.$`,
      ),
    );
    await newMaterial(second, { ValidTo: new Date(software.clock.ms + DAY_MS) });
    await importInto(software.call, keyId, second, { ImportType: 'EXISTING_KEY_MATERIAL' });
    expect((await refusalOf(newMaterial(first))).code).to.equal('IncorrectKeyMaterialException');
    await deleteImportedKeyMaterial(software.call, { KeyId: keyId, KeyMaterialId: waiting.KeyMaterialId ?? '' });
    expect(await metadata()).to.have.property('KeyState', 'Enabled');
    expect(await everything()).to.have.lengthOf(1);
    await newMaterial(third);
    await rotateKeyOnDemand(software.call, { KeyId: keyId });
    expect((await everything()).map(({ KeyMaterialState }) => KeyMaterialState)).to.deep.equal([
      'NON_CURRENT',
      'CURRENT',
    ]);
  });

  it('forgets waiting material that expires, without touching the key', async () => {
    await importInto(software.call, keyId, first);
    await newMaterial(second, { ValidTo: new Date(software.clock.ms + DAY_MS) });
    expect(await metadata()).to.have.deep.property('ValidTo', new Date(software.clock.ms + DAY_MS));
    software.clock.ms += DAY_MS;
    await software.deadlines.runDue();
    expect(await metadata())
      .to.have.property('KeyState', 'Enabled')
      .and.not.have.property('ValidTo');
    expect(await everything()).to.have.lengthOf(1);
  });

  it('leaves the key pending import until every material that belongs to it is back', async () => {
    const old = await importInto(software.call, keyId, first);
    const fresh = await newMaterial(second);
    await rotateKeyOnDemand(software.call, { KeyId: keyId });
    for (const KeyMaterialId of [old.KeyMaterialId ?? '', fresh.KeyMaterialId ?? '']) {
      await deleteImportedKeyMaterial(software.call, { KeyId: keyId, KeyMaterialId });
      expect(await metadata()).to.have.property('KeyState', 'PendingImport');
    }
    expect((await everything()).map(({ ImportState }) => ImportState)).to.deep.equal([
      'PENDING_IMPORT',
      'PENDING_IMPORT',
    ]);
    expect((await everything())[0]).to.not.have.property('ExpirationModel');
    await importInto(software.call, keyId, second, { KeyMaterialId: fresh.KeyMaterialId ?? '' });
    expect(await metadata()).to.have.property('KeyState', 'PendingImport');
    const mistaken = importInto(software.call, keyId, first, { KeyMaterialId: fresh.KeyMaterialId ?? '' });
    expect((await refusalOf(mistaken)).code).to.equal('IncorrectKeyMaterialException');
    await importInto(software.call, keyId, first);
    expect(await metadata()).to.include({ KeyState: 'Enabled', CurrentKeyMaterialId: fresh.KeyMaterialId });
  });

  it('makes fresh material for a key of origin AWS_KMS, 25 times at most', async () => {
    const { KeyMetadata } = await createKey(software.call, {});
    const id = KeyMetadata.KeyId;
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: id, Plaintext: Buffer.from('kept') });
    for (let time = 0; time < 25; time += 1) await rotateKeyOnDemand(software.call, { KeyId: id });
    expect(await refusalOf(rotateKeyOnDemand(software.call, { KeyId: id }))).to.deep.equal({
      code: 'LimitExceededException',
      message: `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${KeyMetadata.Arn}`,
    });
    expect((await metadata(id)).CurrentKeyMaterialId).to.not.equal(KeyMetadata.CurrentKeyMaterialId);
    expect((await decrypt(software.call, { CiphertextBlob })).KeyMaterialId).to.equal(KeyMetadata.CurrentKeyMaterialId);
    const seen: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await listKeyRotations(software.call, {
        KeyId: id,
        IncludeKeyMaterial: 'ALL_KEY_MATERIAL',
        Limit: 10,
        ...(Marker !== undefined && { Marker }),
      });
      expect(page.Truncated).to.equal(page.NextMarker !== undefined);
      seen.push(...page.Rotations.map(({ KeyMaterialId }) => KeyMaterialId));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(seen).to.have.lengthOf(26);
    expect(new Set(seen).size).to.equal(26);
    const stray = listKeyRotations(software.call, { KeyId: id, Marker: Buffer.from('v1:x').toString('base64url') });
    expect((await refusalOf(stray)).code).to.equal('InvalidMarkerException');
  });

  it('is refused for keys that have one material for ever', async () => {
    const { KeyMetadata } = await createKey(software.call, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const request = { KeyId: KeyMetadata.KeyId };
    for (const refused of [rotateKeyOnDemand(software.call, request), listKeyRotations(software.call, request)]) {
      expect((await refusalOf(refused)).code).to.equal('UnsupportedOperationException');
    }
  });

  it('keeps the ids of materials of two keys with the same octets apart (R60)', async () => {
    const other = await makeExternalKey(software.call);
    const mine = await importInto(software.call, keyId, first);
    const theirs = await importInto(software.call, other, first);
    expect(theirs.KeyMaterialId).to.not.equal(mine.KeyMaterialId);
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('bound') });
    expect((await refusalOf(decrypt(software.call, { CiphertextBlob, KeyId: other }))).code).to.equal(
      'IncorrectKeyException',
    );
    // Also where the blob is made to name the other key's material.
    const blob = Buffer.from(CiphertextBlob);
    const at = blob.indexOf(Buffer.from(mine.KeyMaterialId ?? '', 'hex'));
    expect(at).to.be.greaterThan(0);
    Buffer.from(theirs.KeyMaterialId ?? '', 'hex').copy(blob, at);
    expect((await refusalOf(decrypt(software.call, { CiphertextBlob: blob, KeyId: other }))).code).to.equal(
      'InvalidCiphertextException',
    );
    expect(software.region.store.key(other as KeyId)?.state).to.equal('Enabled');
  });
});
