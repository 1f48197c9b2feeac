import { randomBytes } from 'node:crypto';
import type { RegionHsm } from '../src/hsm/region_hsm.js';
import type { DataSuite } from '../src/wire/ciphertext_blob.js';
import type { PlainJobName } from './plain_jobs.js';

/** One operation of a region's HSM, ready to be repeated. */
export interface RegionOperation {
  /** What it does beyond the plain job of the same row. */
  readonly does: string;
  readonly operate: () => Promise<unknown>;
}

/** The region's operations that have a plain job to compare with; those of replication are measured as a whole. */
export const REGION_JOBS = [
  'message-encrypt',
  'message-decrypt',
  'ecdsa-sign',
  'ec-keygen',
] as const satisfies readonly PlainJobName[];

const CONTEXT = { purpose: 'bench' };

/** The suite whose calls the C loop makes, where the token has it. */
function comparableSuite(hsm: RegionHsm): DataSuite {
  const suite = hsm.dataSuites.includes('CBCDATA-GCM') ? 'CBCDATA-GCM' : hsm.dataSuites[0];
  if (suite === undefined) throw new Error('the token can make no message keys');
  return suite;
}

/** Makes what one operation needs; null where the region has no operation for that job. */
export async function prepareRegionOperation(name: PlainJobName, hsm: RegionHsm): Promise<RegionOperation | null> {
  switch (name) {
    case 'message-encrypt':
    case 'message-decrypt': {
      const material = await hsm.createMaterial({
        keyId: `mrk-${randomBytes(16).toString('hex')}`,
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        multiRegion: true,
        dataSuite: comparableSuite(hsm),
      });
      const plaintext = randomBytes(32);
      if (name === 'message-encrypt') {
        return {
          does: 'fresh nonce and IV, header, key id and context',
          operate: () => hsm.encrypt(material, CONTEXT, plaintext),
        };
      }
      const blob = await hsm.encrypt(material, CONTEXT, plaintext);
      return { does: 'parsed blob, key id and context', operate: () => hsm.decrypt(material, CONTEXT, blob) };
    }
    case 'ecdsa-sign': {
      const [key] = await hsm.signingKeys();
      if (key === undefined) throw new Error('the region has no signing key');
      const octets = randomBytes(2048);
      return { does: 'verified in software before it is given out', operate: () => hsm.sign(key.kid, octets) };
    }
    case 'ec-keygen':
      return {
        does: 'attributes read back, known answer, destroyed and checked gone',
        operate: async () => hsm.release(await hsm.generateAgreementKey(randomBytes(32))),
      };
    default:
      return null;
  }
}
