import {
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
  constants,
} from 'node:crypto';
import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteImportedKeyMaterialCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateMacCommand,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  ListKeyRotationsCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  VerifyCommand,
  VerifyMacCommand,
  type AlgorithmSpec,
  type CreateKeyCommandInput,
  type ImportKeyMaterialCommandInput,
  type KMSClient,
  type KeyMetadata,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { KeyId as LocalKeyId } from '../../src/kms/key_id.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { makeFixtureHsm, makeRegionFixture, type FixtureHsm, type RegionFixture } from '../support/region_fixture.js';

const DAY_MS = 86_400_000;

for (const kind of ['softhsm2', 'nss'] as const) {
  describe(`Imported key material, by the AWS SDK, on ${kind}`, function () {
    this.timeout(60_000);
    let hsm: FixtureHsm;
    let region: RegionFixture;
    let kms: KMSClient;

    before(async () => {
      hsm = await makeFixtureHsm(kind);
      region = await makeRegionFixture({ hsm: hsm.hsm, imports: hsm.imports });
      kms = region.client();
    });
    after(async () => {
      await region.close();
      await hsm.close();
    });

    async function makeKey(request: CreateKeyCommandInput = {}): Promise<string> {
      const { KeyMetadata: made } = await kms.send(new CreateKeyCommand({ ...request, Origin: 'EXTERNAL' }));
      return made?.KeyId ?? '';
    }

    async function metadata(KeyId: string): Promise<KeyMetadata> {
      const { KeyMetadata: found } = await kms.send(new DescribeKeyCommand({ KeyId }));
      if (found === undefined) throw new Error('nothing is described');
      return found;
    }

    async function importInto(
      KeyId: string,
      material: Uint8Array,
      request: Partial<ImportKeyMaterialCommandInput> & { readonly algorithm?: AlgorithmSpec } = {},
    ): Promise<string | undefined> {
      const { algorithm = 'RSAES_OAEP_SHA_256', ...members } = request;
      const parameters = await kms.send(
        new GetParametersForImportCommand({ KeyId, WrappingAlgorithm: algorithm, WrappingKeySpec: 'RSA_2048' }),
      );
      const { PublicKey = new Uint8Array(), ImportToken, ParametersValidTo } = parameters;
      expect(ParametersValidTo?.getTime()).to.be.closeTo(region.region.clock.nowMs() + DAY_MS, 5000);
      const answer = await kms.send(
        new ImportKeyMaterialCommand({
          KeyId,
          ImportToken,
          EncryptedKeyMaterial: wrapForImport(algorithm as 'RSAES_OAEP_SHA_256', PublicKey, material),
          ...(members.ValidTo === undefined && { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }),
          ...members,
        }),
      );
      return answer.KeyMaterialId;
    }

    const failure = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'nothing failed',
        (error: Error) => error.name,
      );

    it('takes long HMAC material of every length, or names the mechanism that it lacks for some and keeps nothing', async () => {
      const usage = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const;
      for (const [algorithm, lengths] of [
        ['RSAES_OAEP_SHA_1', [63, 65, 72]],
        ['RSAES_OAEP_SHA_256', [127, 128]],
      ] as const) {
        for (const octets of lengths) {
          const KeyId = await makeKey(usage);
          const material = randomBytes(octets);
          const refusal = await importInto(KeyId, material, { algorithm }).catch((error: Error) => error);
          if (kind === 'softhsm2' && octets > 64 && octets % 8 !== 0) {
            expect(refusal, `${octets} octets`).to.have.property('name', 'UnsupportedOperationException');
            expect(refusal).to.have.property('message').that.includes('CKM_AES_KEY_WRAP_KWP');
            expect(await metadata(KeyId)).to.have.property('KeyState', 'PendingImport');
            expect(region.region.materials.versions(KeyId as LocalKeyId)).to.deep.equal([]);
            continue;
          }
          expect(refusal, `${octets} octets`).to.equal(undefined);
          const { Mac } = await kms.send(
            new GenerateMacCommand({ KeyId, MacAlgorithm: 'HMAC_SHA_256', Message: Buffer.from('m') }),
          );
          expect(Buffer.from(Mac ?? []).equals(createHmac('sha256', material).update('m').digest())).to.equal(true);
        }
      }
    });

    it('lets a symmetric key live: imported, expired at its date, imported again, deleted, imported again', async () => {
      const material = randomBytes(32);
      const KeyId = await makeKey();
      const ValidTo = new Date(Math.floor(region.region.clock.nowMs() / 1000) * 1000 + 30 * DAY_MS);
      const materialId = await importInto(KeyId, material, { ValidTo });
      expect(await metadata(KeyId)).to.deep.include({
        Origin: 'EXTERNAL',
        KeyState: 'Enabled',
        ExpirationModel: 'KEY_MATERIAL_EXPIRES',
        ValidTo,
        CurrentKeyMaterialId: materialId,
      });
      const { CiphertextBlob, Plaintext = new Uint8Array() } = await kms.send(
        new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }),
      );
      const loaded = createSecretKey(Plaintext);
      await region.advance(30 * DAY_MS);
      expect(await metadata(KeyId)).to.deep.include({
        KeyState: 'PendingImport',
        Enabled: false,
        ExpirationModel: 'KEY_MATERIAL_EXPIRES',
        ValidTo,
        MultiRegion: false,
        Description: '',
        KeyUsage: 'ENCRYPT_DECRYPT',
        KeyManager: 'CUSTOMER',
        KeySpec: 'SYMMETRIC_DEFAULT',
        CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
        EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      });
      // A data key that was handed out works on; the key is needed to open it again (R54).
      expect(createHmac('sha256', loaded).update('x').digest()).to.have.lengthOf(32);
      expect(await failure(kms.send(new DecryptCommand({ CiphertextBlob })))).to.equal('KMSInvalidStateException');
      expect(await failure(importInto(KeyId, randomBytes(32)))).to.equal('IncorrectKeyMaterialException');
      expect(await importInto(KeyId, material, { algorithm: 'RSAES_OAEP_SHA_1' })).to.equal(materialId);
      const opened = await kms.send(new DecryptCommand({ CiphertextBlob }));
      expect(Buffer.from(opened.Plaintext ?? []).equals(Buffer.from(loaded.export()))).to.equal(true);

      const deleted = await kms.send(new DeleteImportedKeyMaterialCommand({ KeyId }));
      expect(deleted).to.include({ KeyMaterialId: materialId });
      const described = await metadata(KeyId);
      expect(described).to.include({ KeyState: 'PendingImport', CurrentKeyMaterialId: materialId });
      expect(described).to.not.have.any.keys('ExpirationModel', 'ValidTo');
      await importInto(KeyId, material);
      await kms.send(new DecryptCommand({ CiphertextBlob }));
    });

    it('rotates to further material and lists both', async () => {
      const KeyId = await makeKey();
      const first = await importInto(KeyId, randomBytes(32), { KeyMaterialDescription: 'first' });
      const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('kept') }));
      const second = await importInto(KeyId, randomBytes(32), { ImportType: 'NEW_KEY_MATERIAL' });
      expect((await metadata(KeyId)).CurrentKeyMaterialId).to.equal(first);
      await kms.send(new RotateKeyOnDemandCommand({ KeyId }));
      expect((await metadata(KeyId)).CurrentKeyMaterialId).to.equal(second);
      expect((await kms.send(new DecryptCommand({ CiphertextBlob }))).KeyMaterialId).to.equal(first);
      const { Rotations } = await kms.send(
        new ListKeyRotationsCommand({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }),
      );
      expect(Rotations?.map((entry) => [entry.KeyMaterialId, entry.KeyMaterialState])).to.deep.equal([
        [first, 'NON_CURRENT'],
        [second, 'CURRENT'],
      ]);
      expect(Rotations?.[1]?.RotationDate).to.be.instanceOf(Date);
    });

    it('binds symmetric ciphertexts to their key: the same material under another key does not decrypt (R60)', async () => {
      const material = randomBytes(32);
      const [one, two] = [await makeKey(), await makeKey()];
      const ids = [await importInto(one, material), await importInto(two, material)];
      expect(ids[0]).to.not.equal(ids[1]);
      const { CiphertextBlob = new Uint8Array() } = await kms.send(
        new EncryptCommand({ KeyId: one, Plaintext: Buffer.from('bound') }),
      );
      expect(await failure(kms.send(new DecryptCommand({ CiphertextBlob, KeyId: two })))).to.equal(
        'IncorrectKeyException',
      );
      const forged = Buffer.from(CiphertextBlob);
      Buffer.from(ids[1] ?? '', 'hex').copy(forged, forged.indexOf(Buffer.from(ids[0] ?? '', 'hex')));
      expect(await failure(kms.send(new DecryptCommand({ CiphertextBlob: forged, KeyId: two })))).to.equal(
        'InvalidCiphertextException',
      );
      await kms.send(new ScheduleKeyDeletionCommand({ KeyId: one, PendingWindowInDays: 7 }));
      await region.advance(7 * DAY_MS);
      expect(await failure(kms.send(new DecryptCommand({ CiphertextBlob })))).to.equal('AccessDeniedException');
    });

    it('makes the same MACs in another key and outside (R61, R62)', async () => {
      const material = randomBytes(32);
      const request = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const;
      const [one, two] = [await makeKey(request), await makeKey(request)];
      await importInto(one, material);
      await importInto(two, material);
      const Message = Buffer.from('message');
      const MacAlgorithm = 'HMAC_SHA_256';
      const { Mac } = await kms.send(new GenerateMacCommand({ KeyId: one, Message, MacAlgorithm }));
      expect(Buffer.from(Mac ?? [])).to.deep.equal(createHmac('sha256', material).update(Message).digest());
      const { MacValid } = await kms.send(new VerifyMacCommand({ KeyId: two, Message, Mac, MacAlgorithm }));
      expect(MacValid).to.equal(true);
    });

    it('signs so that another key and others can verify, with an imported EC key (R61, R62)', async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
      const request = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const;
      const [one, two] = [await makeKey(request), await makeKey(request)];
      for (const KeyId of [one, two]) await importInto(KeyId, pkcs8, { algorithm: 'RSA_AES_KEY_WRAP_SHA_256' });
      const Message = Buffer.from('message');
      const SigningAlgorithm = 'ECDSA_SHA_256';
      const { Signature } = await kms.send(new SignCommand({ KeyId: one, Message, SigningAlgorithm }));
      expect(verify('sha256', Message, createPublicKey(privateKey), Signature ?? new Uint8Array())).to.equal(true);
      const theirs = sign('sha256', Message, privateKey);
      for (const signature of [Signature, theirs]) {
        const checked = await kms.send(
          new VerifyCommand({ KeyId: two, Message, SigningAlgorithm, Signature: signature }),
        );
        expect(checked.SignatureValid).to.equal(true);
      }
    });

    it('decrypts what others encrypted under an imported RSA key, and the reverse (R61, R62)', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
      const KeyId = await makeKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
      await importInto(KeyId, pkcs8, { algorithm: 'RSA_AES_KEY_WRAP_SHA_1' });
      const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
      const EncryptionAlgorithm = 'RSAES_OAEP_SHA_1';
      const theirs = publicEncrypt({ key: publicKey, ...padding }, Buffer.from('theirs'));
      const opened = await kms.send(new DecryptCommand({ KeyId, EncryptionAlgorithm, CiphertextBlob: theirs }));
      expect(Buffer.from(opened.Plaintext ?? []).toString()).to.equal('theirs');
      const made = await kms.send(new EncryptCommand({ KeyId, EncryptionAlgorithm, Plaintext: Buffer.from('ours') }));
      expect(
        privateDecrypt({ key: privateKey, ...padding }, Buffer.from(made.CiphertextBlob ?? [])).toString(),
      ).to.equal('ours');
    });

    it('schedules a deletion, takes it back, and tells the rest in the audit trail', async () => {
      const KeyId = await makeKey();
      await importInto(KeyId, randomBytes(32));
      const scheduled = await kms.send(new ScheduleKeyDeletionCommand({ KeyId }));
      expect(scheduled).to.include({ KeyState: 'PendingDeletion', PendingWindowInDays: 30 });
      expect((await metadata(KeyId)).DeletionDate?.getTime()).to.equal(scheduled.DeletionDate?.getTime());
      await kms.send(new CancelKeyDeletionCommand({ KeyId }));
      expect(await metadata(KeyId)).to.include({ KeyState: 'Disabled' });
      const names = new Set((await region.events()).map(({ eventName }) => eventName));
      for (const name of [
        'CreateKey',
        'GetParametersForImport',
        'ImportKeyMaterial',
        'DeleteImportedKeyMaterial',
        'DeleteExpiredKeyMaterial',
        'ScheduleKeyDeletion',
        'CancelKeyDeletion',
        'DeleteKey',
        'RotateKey',
        'RotateKeyOnDemand',
      ]) {
        expect(names, name).to.include(name);
      }
      const imported = (await region.events()).find(({ eventName }) => eventName === 'ImportKeyMaterial');
      expect(imported?.additionalEventData).to.include.keys('strategy', 'outsideToken');
    });
  });
}
