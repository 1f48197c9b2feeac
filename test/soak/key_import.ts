import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import type { ModelKey } from './key_model.js';
import { stateOf } from './key_reading.js';
import type { Asker } from './soak_world.js';

/** Imports material into a key, the same each time, or deletes it. */
export async function changeMaterial(asker: Asker, key: ModelKey): Promise<void> {
  if (key.kind !== 'imported') return;
  if (key.state === 'PendingImport') return importMaterial(asker, key);
  if (key.state !== 'Enabled') return;
  const isMade = await asker.change({
    region: key.region,
    operation: 'DeleteImportedKeyMaterial',
    request: { KeyId: key.keyId },
    look: () => stateOf(asker, key),
    before: 'Enabled',
    after: 'PendingImport',
  });
  if (isMade) key.state = 'PendingImport';
}

/** One attempt to import a key's material; now and then material of another key is offered first, which must be refused. */
export async function importMaterial(asker: Asker, key: ModelKey): Promise<void> {
  if (key.material !== null && asker.chance.next() < 0.2) await offer(asker, key, randomBytes(32));
  const material = key.material ?? randomBytes(32);
  const answer = await offer(asker, key, material);
  if (answer === 'refused') return;
  const state = answer === 'done' ? 'Enabled' : await stateOf(asker, key);
  if (state === 'Enabled') {
    key.material = material;
    key.state = 'Enabled';
  } else if (state !== 'PendingImport') asker.violate(`${key.keyId} is ${state} after an import without an answer`);
}

async function offer(asker: Asker, key: ModelKey, material: Buffer): Promise<'done' | 'refused' | 'open'> {
  const parameters = await asker.expect(key.region, 'GetParametersForImport', {
    KeyId: key.keyId,
    WrappingAlgorithm: 'RSAES_OAEP_SHA_1',
    WrappingKeySpec: 'RSA_2048',
  });
  // Nothing was sent that could change the key.
  if (parameters?.kind !== 'done') return 'refused';
  const publicKey = createPublicKey({
    key: Buffer.from(String(parameters.value['PublicKey']), 'base64'),
    format: 'der',
    type: 'spki',
  });
  const wrapped = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    material,
  );
  const isOther = key.material !== null && !key.material.equals(material);
  const answer = await asker.expect(
    key.region,
    'ImportKeyMaterial',
    {
      KeyId: key.keyId,
      ImportToken: parameters.value['ImportToken'],
      EncryptedKeyMaterial: wrapped.toString('base64'),
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    },
    [isOther ? 'IncorrectKeyMaterialException' : undefined],
  );
  return answer?.kind ?? 'refused';
}
