import { createHmac, generateKeyPairSync, randomBytes, verify, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { IMPORT_KEY_SPECS, type ImportKeySpec, type StoredImportKey } from '../../src/hsm/import_key.js';
import type { RegionImports } from '../../src/hsm/import_region.js';
import {
  importCapabilitiesOf,
  IMPORT_WRAPPING_ALGORITHMS,
  type ImportWrappingAlgorithm,
} from '../../src/hsm/import_strategy.js';
import { KEY_SPECS, type KeySpec, type KeyUsage, type StoredMaterial } from '../../src/hsm/material.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { softwareMaterialId } from '../support/software_source.js';

const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
const message = Buffer.from('what the customer has in another place too');

/** Material that software made, and how it shows that the token has the same. */
interface KnownMaterial {
  readonly wrapped: Uint8Array;
  readonly keyUsage: KeyUsage;
  readonly prove: (region: RegionToken, material: StoredMaterial) => Promise<void>;
}

const curves: Readonly<
  Partial<Record<KeySpec, { readonly name: string; readonly hash: string; readonly bits: string }>>
> = {
  ECC_NIST_P256: { name: 'prime256v1', hash: 'sha256', bits: '256' },
  ECC_NIST_P384: { name: 'secp384r1', hash: 'sha384', bits: '384' },
  ECC_NIST_P521: { name: 'secp521r1', hash: 'sha512', bits: '512' },
  ECC_SECG_P256K1: { name: 'secp256k1', hash: 'sha256', bits: '256' },
};

function pkcs8(key: KeyObject): Uint8Array {
  return key.export({ type: 'pkcs8', format: 'der' });
}

function signed(publicKey: KeyObject, algorithm: string, hash: string): KnownMaterial['prove'] {
  return async (region, material) => {
    expect(Buffer.from(material.publicKey ?? [])).to.deep.equal(publicKey.export({ type: 'spki', format: 'der' }));
    const signature = await region.hsm.sign(material, algorithm, { kind: 'message', octets: message });
    expect(verify(hash, message, publicKey, signature)).to.equal(true);
  };
}

function makeMaterial(keySpec: KeySpec): KnownMaterial {
  const curve = curves[keySpec];
  if (curve !== undefined) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve.name });
    const prove = signed(publicKey, `ECDSA_SHA_${curve.bits}`, curve.hash);
    return { wrapped: pkcs8(privateKey), keyUsage: 'SIGN_VERIFY', prove };
  }
  if (keySpec.startsWith('RSA_')) {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: Number(keySpec.slice(4)) });
    const prove = signed(publicKey, 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256');
    return { wrapped: pkcs8(privateKey), keyUsage: 'SIGN_VERIFY', prove };
  }
  if (keySpec === 'ECC_NIST_EDWARDS25519') {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    return {
      wrapped: pkcs8(privateKey),
      keyUsage: 'SIGN_VERIFY',
      prove: async (_region, material) => {
        expect(Buffer.from(material.publicKey ?? [])).to.deep.equal(publicKey.export({ type: 'spki', format: 'der' }));
      },
    };
  }
  if (keySpec.startsWith('HMAC_')) {
    const bits = Number(keySpec.slice(5));
    const secret = randomBytes(bits / 8);
    return {
      wrapped: secret,
      keyUsage: 'GENERATE_VERIFY_MAC',
      prove: async (region, material) => {
        const mac = await region.hsm.generateMac(material, `HMAC_SHA_${bits}`, message);
        expect(Buffer.from(mac)).to.deep.equal(createHmac(`sha${bits}`, secret).update(message).digest());
      },
    };
  }
  const secret = randomBytes(32);
  return {
    wrapped: secret,
    keyUsage: 'ENCRYPT_DECRYPT',
    prove: async (region, material) => {
      expect(material.binding.materialId).to.equal(softwareMaterialId(secret, keyId));
      const blob = await region.hsm.encrypt(material, {}, message);
      expect(Buffer.from(await region.hsm.decrypt(material, {}, blob))).to.deep.equal(message);
    },
  };
}

/** Why a combination does not exist in AWS KMS, or null. @source AWS KMS Developer Guide, import step 2 */
function unknownToAws(keySpec: KeySpec, algorithm: ImportWrappingAlgorithm, wrapping: ImportKeySpec): string | null {
  const isSecret = keySpec === 'SYMMETRIC_DEFAULT' || keySpec.startsWith('HMAC_');
  if (isSecret && algorithm.startsWith('RSA_AES')) return 'AWS KMS takes secrets by RSAES_OAEP only';
  if (keySpec.startsWith('RSA_') && algorithm.startsWith('RSAES')) return 'an RSA key is longer than OAEP carries';
  const isTooLong = keySpec === 'ECC_NIST_P521' && algorithm.startsWith('RSAES') && wrapping === 'RSA_2048';
  return isTooLong ? 'the PKCS#8 of P-521 is longer than OAEP carries under RSA_2048' : null;
}

function held<Key, Value>(values: ReadonlyMap<Key, Value>, key: Key): Value {
  const value = values.get(key);
  if (value === undefined) throw new Error(`${String(key)} was not made`);
  return value;
}

for (const { kind, storage, place } of storageCases(['nss'])) {
  describe(`material of every spec, by every algorithm, under every wrapping key, into ${place}`, function () {
    this.timeout(120_000);
    let region: RegionToken;
    let imports: RegionImports;
    const importKeys = new Map<ImportKeySpec, StoredImportKey>();
    const materials = new Map<KeySpec, KnownMaterial>();

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: storage });
      imports = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'allow' }));
      for (const keySpec of IMPORT_KEY_SPECS) importKeys.set(keySpec, await imports.generateImportKey(keySpec));
      for (const keySpec of KEY_SPECS) materials.set(keySpec, makeMaterial(keySpec));
    });
    after(() => region.close());

    for (const keySpec of KEY_SPECS) {
      for (const algorithm of IMPORT_WRAPPING_ALGORITHMS) {
        for (const wrapping of IMPORT_KEY_SPECS) {
          it(`${keySpec} by ${algorithm} under ${wrapping}`, async function () {
            const unknown = unknownToAws(keySpec, algorithm, wrapping);
            const refusal = unknown ?? imports.refusalOfImport(keySpec, algorithm);
            if (refusal !== undefined) {
              this.runnable().title += ` (skipped: ${refusal})`;
              this.skip();
            }
            const material = held(materials, keySpec);
            const importKey = held(importKeys, wrapping);
            const imported = await imports.importMaterial({
              importKey,
              algorithm,
              encrypted: wrapForImport(algorithm, importKey.publicKey, material.wrapped),
              binding: {
                keyId,
                keySpec,
                keyUsage: material.keyUsage,
                multiRegion: false,
                dataSuite: keySpec === 'SYMMETRIC_DEFAULT' ? 'CBCDATA-GCM' : null,
              },
            });
            const isOutside = kind === 'softhsm2' && algorithm.endsWith('SHA_256');
            expect(imported.outsideToken).to.equal(isOutside);
            await material.prove(region, imported.material);
          });
        }
      }
    }
  });
}
