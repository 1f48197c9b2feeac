import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { HsmError } from '../../../../src/hsm/errors.js';
import { decrypt } from '../../../../src/kms/operations/decrypt.js';
import { deleteImportedKeyMaterial } from '../../../../src/kms/operations/delete_imported_key_material.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import { getParametersForImport } from '../../../../src/kms/operations/get_parameters_for_import.js';
import { importKeyMaterial } from '../../../../src/kms/operations/import_key_material.js';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { scheduleKeyDeletion } from '../../../../src/kms/operations/schedule_key_deletion.js';
import { WRAPPING_ALGORITHMS } from '../../../../src/kms/import_rules.js';
import type { CallNote } from '../../../../src/kms/region.js';
import { importInto, makeExternalKey, prepareImport } from '../../../support/import_ceremony.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const DAY_MS = 86_400_000;

describe('ImportKeyMaterial', () => {
  let software: SoftwareRegion;
  let keyId: string;
  const material = randomBytes(32);
  const metadata = async (id = keyId) => (await describeKey(software.call, { KeyId: id })).KeyMetadata;

  beforeEach(async () => {
    software = makeSoftwareRegion();
    keyId = await makeExternalKey(software.call);
  });
  afterEach(() => software.close());

  it('finds a key of origin EXTERNAL pending import, without any material', async () => {
    const described = await metadata();
    expect(described).to.include({ Origin: 'EXTERNAL', KeyState: 'PendingImport', Enabled: false });
    expect(described).to.not.have.any.keys('ExpirationModel', 'ValidTo', 'CurrentKeyMaterialId');
    expect(software.hsm.calls).to.not.include('createMaterial');
    const refusal = await refusalOf(encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('x') }));
    expect(refusal).to.deep.include({
      code: 'KMSInvalidStateException',
      message: `${described.Arn} is pending import.`,
    });
  });

  it('enables the key, which then decrypts what it encrypted', async () => {
    const answer = await importInto(software.call, keyId, material);
    const described = await metadata();
    expect(described).to.include({
      KeyState: 'Enabled',
      Enabled: true,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    });
    expect(described).to.not.have.property('ValidTo');
    expect(answer).to.deep.equal({ KeyId: described.Arn, KeyMaterialId: described.CurrentKeyMaterialId });
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('secret') });
    const { Plaintext } = await decrypt(software.call, { CiphertextBlob });
    expect(Buffer.from(Plaintext).toString()).to.equal('secret');
  });

  it('shows the date at which the material expires', async () => {
    const ValidTo = new Date(software.clock.ms + 30 * DAY_MS);
    await importInto(software.call, keyId, material, { ValidTo });
    expect(await metadata()).to.deep.include({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo });
  });

  it('takes the same material again under another wrapping key and algorithm, and lets the expiry change', async () => {
    const first = await importInto(software.call, keyId, material, { algorithm: 'RSAES_OAEP_SHA_1' });
    const { CiphertextBlob } = await encrypt(software.call, { KeyId: keyId, Plaintext: Buffer.from('secret') });
    const ValidTo = new Date(software.clock.ms + DAY_MS);
    const again = await importInto(software.call, keyId, material, { wrappingKeySpec: 'RSA_3072', ValidTo });
    expect(again.KeyMaterialId).to.equal(first.KeyMaterialId);
    expect(await metadata()).to.deep.include({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo });
    await importInto(software.call, keyId, material);
    expect(await metadata()).to.not.have.property('ValidTo');
    expect(await decrypt(software.call, { CiphertextBlob })).to.have.property('KeyMaterialId', first.KeyMaterialId);
  });

  it('tells the audit alone what is wrong with what came with a good token', async () => {
    const refusals: unknown[] = [];
    const watched = { ...software.call, note: ({ refusal }: CallNote) => void (refusal && refusals.push(refusal)) };
    await importInto(software.call, keyId, material);
    const blob = (octets: Uint8Array) => importInto(watched, keyId, octets);
    const garbage = importInto(watched, keyId, material, { EncryptedKeyMaterial: randomBytes(256) });
    const codes = [];
    for (const attempt of [blob(randomBytes(31)), blob(randomBytes(32)), garbage]) {
      codes.push((await refusalOf(attempt)).code);
    }
    expect(codes).to.deep.equal([
      'IncorrectKeyMaterialException',
      'IncorrectKeyMaterialException',
      'InvalidCiphertextException',
    ]);
    expect(refusals.toSorted()).to.deep.equal([
      'ERR_IMPORT_MATERIAL_KIND',
      'ERR_IMPORT_MATERIAL_OTHER',
      'ERR_IMPORT_MATERIAL_UNWRAP',
    ]);
  });

  it('refuses other material than the one that the key is tied to, also after it was deleted', async () => {
    await importInto(software.call, keyId, material);
    for (const state of ['Enabled', 'PendingImport']) {
      expect(await metadata()).to.have.property('KeyState', state);
      const refusal = await refusalOf(importInto(software.call, keyId, randomBytes(32)));
      expect(refusal.code).to.equal('IncorrectKeyMaterialException');
      await deleteImportedKeyMaterial(software.call, { KeyId: keyId });
    }
    await importInto(software.call, keyId, material);
    expect(await metadata()).to.have.property('KeyState', 'Enabled');
  });

  it('takes parameters for one import only', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    const request = { KeyId: keyId, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ...parameters } as const;
    await importKeyMaterial(software.call, request);
    expect((await refusalOf(importKeyMaterial(software.call, request))).code).to.equal('InvalidImportTokenException');
    expect(software.importHsm.unwrapped).to.equal(1);
  });

  it('lets one of two imports with the same token reach the HSM', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    const request = { KeyId: keyId, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ...parameters } as const;
    const outcomes = await Promise.allSettled([
      importKeyMaterial(software.call, request),
      importKeyMaterial(software.call, request),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected']);
    expect(software.importHsm.unwrapped).to.equal(1);
  });

  it('uses up the parameters by a blob that does not unwrap, and tells nothing about why', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    const broken = Buffer.from(parameters.EncryptedKeyMaterial);
    broken[40] = (broken[40] ?? 0) ^ 1;
    const request = { KeyId: keyId, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ...parameters } as const;
    const refusal = await refusalOf(importKeyMaterial(software.call, { ...request, EncryptedKeyMaterial: broken }));
    expect(refusal).to.deep.equal({ code: 'InvalidCiphertextException', message: '' });
    expect((await refusalOf(importKeyMaterial(software.call, request))).code).to.equal('InvalidImportTokenException');
    expect(await metadata()).to.have.property('KeyState', 'PendingImport');
  });

  it('keeps the parameters where the HSM could not try', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    const request = { KeyId: keyId, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ...parameters } as const;
    software.importHsm.failure = new HsmError('ERR_HSM_UNAVAILABLE', 'the token is away');
    expect((await refusalOf(importKeyMaterial(software.call, request))).code).to.equal('KeyUnavailableException');
    await importKeyMaterial(software.call, request);
    expect(await metadata()).to.have.property('KeyState', 'Enabled');
  });

  it('refuses material of another length', async () => {
    const refusal = await refusalOf(importInto(software.call, keyId, randomBytes(16)));
    expect(refusal.code).to.equal('IncorrectKeyMaterialException');
    expect(software.region.materials.versions((await metadata()).KeyId as never)).to.deep.equal([]);
  });

  it('refuses a token of another key, a changed one, and one with another download’s blob', async () => {
    const other = await makeExternalKey(software.call);
    const theirs = await prepareImport(software.call, other, material);
    const own = await prepareImport(software.call, keyId, material);
    const changed = Buffer.from(own.ImportToken);
    changed[50] = (changed[50] ?? 0) ^ 1;
    for (const ImportToken of [theirs.ImportToken, changed, Buffer.from('{}')]) {
      const refusal = await refusalOf(
        importKeyMaterial(software.call, {
          KeyId: keyId,
          ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
          ImportToken,
          EncryptedKeyMaterial: own.EncryptedKeyMaterial,
        }),
      );
      expect(refusal.code).to.equal('InvalidImportTokenException');
    }
  });

  it('refuses a token after 24 hours as expired, before and after its wrapping key was destroyed', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    const request = { KeyId: keyId, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ...parameters } as const;
    software.clock.ms += DAY_MS;
    expect((await refusalOf(importKeyMaterial(software.call, request))).code).to.equal('ExpiredImportTokenException');
    expect(software.region.materials.countParameters(keyId as never)).to.equal(1);
    await software.deadlines.runDue();
    expect(software.region.materials.countParameters(keyId as never)).to.equal(0);
    expect((await refusalOf(importKeyMaterial(software.call, request))).code).to.equal('ExpiredImportTokenException');
  });

  it('accepts no expiry that is missing, past, too far or forbidden', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    const now = software.clock.ms;
    const texts = [
      [{}, 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES'],
      [{ ValidTo: new Date(now) }, 'ValidTo must be in the future'],
      [{ ValidTo: new Date(now + 365 * DAY_MS + 1) }, 'ValidTo must be at most 365 days from now'],
      [
        { ValidTo: new Date(now + 1), ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' },
        'A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE',
      ],
    ] as const;
    for (const [members, message] of texts) {
      const refusal = await refusalOf(importKeyMaterial(software.call, { KeyId: keyId, ...parameters, ...members }));
      expect(refusal).to.deep.equal({ code: 'ValidationException', message });
    }
    const furthest = new Date(now + 365 * DAY_MS);
    await importKeyMaterial(software.call, { KeyId: keyId, ...parameters, ValidTo: furthest });
    expect(await metadata()).to.have.deep.property('ValidTo', furthest);
  });

  it('is refused for keys of origin AWS_KMS, by alias, and while the key is to be deleted', async () => {
    const { KeyMetadata } = await createKey(software.call, {});
    const request = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' } as const;
    expect(
      await refusalOf(getParametersForImport(software.call, { KeyId: KeyMetadata.KeyId, ...request })),
    ).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: `${KeyMetadata.Arn} origin is AWS_KMS which is not valid for this operation.`,
    });
    expect((await refusalOf(getParametersForImport(software.call, { KeyId: 'alias/a', ...request }))).code).to.equal(
      'NotFoundException',
    );
    const parameters = await prepareImport(software.call, keyId, material);
    await scheduleKeyDeletion(software.call, { KeyId: keyId });
    const importing = importKeyMaterial(software.call, {
      KeyId: keyId,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      ...parameters,
    });
    expect((await refusalOf(importing)).message).to.match(/is pending deletion\.$/);
    expect((await refusalOf(getParametersForImport(software.call, { KeyId: keyId, ...request }))).code).to.equal(
      'KMSInvalidStateException',
    );
  });

  it('does not import into a key that was scheduled to go while the HSM unwrapped', async () => {
    const parameters = await prepareImport(software.call, keyId, material);
    let open: () => void = () => undefined;
    software.importHsm.gate = new Promise((resolve) => (open = resolve));
    const importing = refusalOf(
      importKeyMaterial(software.call, {
        KeyId: keyId,
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
        ...parameters,
      }),
    );
    await scheduleKeyDeletion(software.call, { KeyId: keyId });
    open();
    expect((await importing).code).to.equal('KMSInvalidStateException');
    expect(await metadata()).to.have.property('KeyState', 'PendingDeletion');
  });

  it('allows each wrapping algorithm for the specs that AWS KMS allows it for', async () => {
    const allowed = {
      SYMMETRIC_DEFAULT: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
      HMAC_512: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
      RSA_2048: ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'],
      ECC_NIST_P256: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'],
      ECC_NIST_P521: ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'],
    } as const;
    const usages = {
      SYMMETRIC_DEFAULT: 'ENCRYPT_DECRYPT',
      HMAC_512: 'GENERATE_VERIFY_MAC',
      RSA_2048: 'SIGN_VERIFY',
      ECC_NIST_P256: 'SIGN_VERIFY',
      ECC_NIST_P521: 'SIGN_VERIFY',
    } as const;
    for (const keySpec of Object.keys(allowed) as (keyof typeof allowed)[]) {
      const id = await makeExternalKey(software.call, { KeySpec: keySpec, KeyUsage: usages[keySpec] });
      const taken: string[] = [];
      for (const WrappingAlgorithm of WRAPPING_ALGORITHMS) {
        const asked = getParametersForImport(software.call, {
          KeyId: id,
          WrappingAlgorithm,
          WrappingKeySpec: 'RSA_2048',
        });
        try {
          await asked;
          taken.push(WrappingAlgorithm);
        } catch {
          expect((await refusalOf(asked)).code).to.equal('UnsupportedOperationException');
        }
      }
      expect(taken, keySpec).to.deep.equal(allowed[keySpec]);
    }
  });

  it('says why the HSM cannot unwrap an algorithm', async () => {
    software.importHsm.refusals.set('RSAES_OAEP_SHA_256', 'The token lacks CKM_RSA_PKCS_OAEP with CKM_SHA256.');
    const refusal = await refusalOf(prepareImport(software.call, keyId, material));
    expect(refusal).to.deep.equal({
      code: 'UnsupportedOperationException',
      message: 'The token lacks CKM_RSA_PKCS_OAEP with CKM_SHA256.',
    });
  });

  it('imports an EC key twice under two keys, and shows no material id', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
    for (const _ of [1, 2]) {
      const id = await makeExternalKey(software.call, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
      const answer = await importInto(software.call, id, pkcs8, { algorithm: 'RSA_AES_KEY_WRAP_SHA_256' });
      expect(answer).to.not.have.property('KeyMaterialId');
      const described = await metadata(id);
      expect(described).to.include({ KeyState: 'Enabled' }).and.not.have.property('CurrentKeyMaterialId');
      const record = software.region.store.key(described.KeyId as never);
      expect(record?.currentMaterial?.publicKey).to.deep.equal(publicKey.export({ type: 'spki', format: 'der' }));
      await deleteImportedKeyMaterial(software.call, { KeyId: id });
      const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
        type: 'pkcs8',
        format: 'der',
      });
      expect((await refusalOf(importInto(software.call, id, other))).code).to.equal('IncorrectKeyMaterialException');
      await importInto(software.call, id, pkcs8);
    }
  });

  it('takes members that belong to symmetric keys for those only', async () => {
    const id = await makeExternalKey(software.call, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    for (const members of [
      { ImportType: 'NEW_KEY_MATERIAL' },
      { KeyMaterialDescription: 'mine' },
      { KeyMaterialId: 'ab'.repeat(32) },
    ] as const) {
      const refusal = await refusalOf(importInto(software.call, id, material, members));
      expect(refusal.code).to.equal('UnsupportedOperationException');
    }
    const refusal = await refusalOf(
      importInto(software.call, keyId, material, { ImportType: 'NEW_KEY_MATERIAL', KeyMaterialId: 'ab'.repeat(32) }),
    );
    expect(refusal.code).to.equal('ValidationException');
  });

  it('notes the strategy that ran, for the audit', async () => {
    const notes: object[] = [];
    await importInto({ ...software.call, note: (note) => notes.push(note) }, keyId, material);
    expect(notes).to.deep.include({
      keyArn: (await metadata()).Arn,
      keyMaterialId: (await metadata()).CurrentKeyMaterialId,
      strategy: 'software RSAES_OAEP_SHA_256',
      outsideToken: true,
    });
  });
});
