import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Database } from '../../src/adapters/database.js';
import { openConfiguredToken } from '../../src/compose_token.js';
import type { MaterialBinding, StoredMaterial } from '../../src/hsm/material.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import { readRegionConfig } from '../../src/lab/region_config.js';
import type { DataSuite } from '../../src/wire/ciphertext_blob.js';
import { keyWrapPad, softwareMaterialId, softwareSource } from './software_source.js';

/**
 * Run as a program while the region is down: gives one of its multi-Region keys material whose octets are known, as if a region
 * without a token had sent it. Arguments: the region's configuration and the key id; the material comes in hexadecimal by standard input.
 */
const [, , configFile = '', keyId = ''] = process.argv;
const material = Buffer.from((await text(process.stdin)).trim(), 'hex');
const config = readRegionConfig(configFile);
const opened = await openConfiguredToken(config.token, join(config.directory, 'profile.json'), 'region');
const hsm = await RegionHsm.open({ runner: opened.token.executor, capabilities: opened.capabilities });
const database = Database.open(join(config.directory, 'region.db'));
const row = database.prepare('SELECT data_suite FROM keys WHERE key_id = ?').get(keyId);
const stored = await receive({
  keyId,
  keySpec: 'SYMMETRIC_DEFAULT',
  keyUsage: 'ENCRYPT_DECRYPT',
  multiRegion: true,
  dataSuite: String(row?.['data_suite']) as DataSuite,
  materialId: softwareMaterialId(material, keyId),
});
const { changes } = database
  .prepare(
    'UPDATE key_materials SET material_id = ?, exported_key_token = ?, domain_key_id = ?, record_mac = ? WHERE key_id = ?',
  )
  .run(stored.binding.materialId, stored.exportedKeyToken, stored.domainKeyId, stored.recordMac, keyId);
database.close();
await hsm.close();
await opened.close();
if (changes !== 1) throw new Error(`key ${keyId} has ${changes} materials`);

/** Brings the material into the token by an agreement of which this program knows the other half. */
async function receive(binding: MaterialBinding): Promise<StoredMaterial> {
  const [suite] = hsm.suites;
  if (suite === undefined) throw new Error('the token can carry no suite');
  const source = softwareSource();
  const fixedInfo = { rwk: randomBytes(32), kck: randomBytes(32) };
  const salt = randomBytes(48);
  const rakb = await hsm.generateAgreementKey(randomBytes(32));
  const keys = await hsm.agree({ key: rakb, peerPoint: source.point, suite, fixedInfo, salt, direction: 'unwrap' });
  const blob = keyWrapPad(source.rwk(rakb.point, suite, salt, fixedInfo.rwk), material);
  const { materialId } = binding;
  const wrapped = {
    materialId,
    class: 'CKO_SECRET_KEY',
    keyType: 'CKK_AES',
    lengthOctets: 32,
    publicKey: null,
    blob,
  } as const;
  const received = await hsm.unwrap(keys, wrapped, binding);
  await hsm.release(rakb, keys);
  return received;
}
