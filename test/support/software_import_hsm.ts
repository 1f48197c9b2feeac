import {
  constants,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  randomBytes,
  randomUUID,
  type KeyObject,
} from 'node:crypto';
import { HsmError } from '../../src/hsm/errors.js';
import { ImportError } from '../../src/import/errors.js';
import type { KeySpec, MaterialBinding, StoredMaterial } from '../../src/hsm/material.js';
import type {
  ImportHsm,
  ImportTokenClaims,
  ImportTokens,
  ImportWrappingAlgorithm,
  StoredImportKey,
} from '../../src/kms/ports.js';
import type { SoftwareKeyHsm } from './software_key_hsm.js';

const BITS = { RSA_2048: 2048, RSA_3072: 3072, RSA_4096: 4096 } as const;
const HMAC_OCTETS_MIN: Readonly<Partial<Record<KeySpec, number>>> = {
  HMAC_224: 28,
  HMAC_256: 32,
  HMAC_384: 48,
  HMAC_512: 64,
};
const CURVES: Readonly<Partial<Record<KeySpec, string>>> = {
  ECC_NIST_P256: 'prime256v1',
  ECC_NIST_P384: 'secp384r1',
  ECC_NIST_P521: 'secp521r1',
  ECC_SECG_P256K1: 'secp256k1',
};
/** Making RSA pairs takes long: every double uses the same ones, under ids of their own. */
const pairs = new Map<string, KeyObject>();

function pairOf(keySpec: StoredImportKey['keySpec']): KeyObject {
  const made = pairs.get(keySpec) ?? generateKeyPairSync('rsa', { modulusLength: BITS[keySpec] }).privateKey;
  pairs.set(keySpec, made);
  return made;
}

/** Token double of imports: real cryptography in this process. For tests only. */
export class SoftwareImportHsm implements ImportHsm {
  /** Algorithms that this double refuses, with the reason. */
  readonly refusals = new Map<ImportWrappingAlgorithm, string>();
  /** Raised by the next unwrap, once. */
  failure: Error | undefined;
  /** Awaited by every unwrap before it ends. */
  gate: Promise<void> = Promise.resolve();
  unwrapped = 0;
  /** How often it was told that imports are to be expected. */
  expected = 0;
  readonly #keys: SoftwareKeyHsm;

  constructor(keys: SoftwareKeyHsm) {
    this.#keys = keys;
  }

  expectImports(): void {
    this.expected += 1;
  }

  refusalOfImport(_keySpec: KeySpec, algorithm: ImportWrappingAlgorithm): string | undefined {
    return this.refusals.get(algorithm);
  }

  async generateImportKey(keySpec: StoredImportKey['keySpec']): Promise<StoredImportKey> {
    const privateKey = pairOf(keySpec);
    return {
      id: randomUUID(),
      keySpec,
      publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
      exportedKeyToken: randomBytes(64),
      domainKeyId: '01',
      recordMac: randomBytes(32),
    };
  }

  async importMaterial(args: {
    readonly importKey: StoredImportKey;
    readonly algorithm: ImportWrappingAlgorithm;
    readonly encrypted: Uint8Array;
    readonly binding: Omit<MaterialBinding, 'materialId'>;
  }): Promise<{ readonly material: StoredMaterial; readonly strategy: string; readonly outsideToken: boolean }> {
    this.unwrapped += 1;
    await this.gate;
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    const octets = unwrap(args.importKey.keySpec, args.algorithm, Buffer.from(args.encrypted));
    const material = this.#keys.take(args.binding, { octets, publicKey: check(args.binding.keySpec, octets) });
    return { material, strategy: `software ${args.algorithm}`, outsideToken: true };
  }
}

function unwrap(keySpec: StoredImportKey['keySpec'], algorithm: ImportWrappingAlgorithm, encrypted: Buffer): Buffer {
  const oaepHash = algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256';
  const oaep = (octets: Buffer): Buffer =>
    privateDecrypt({ key: pairOf(keySpec), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, octets);
  try {
    if (!algorithm.startsWith('RSA_AES')) return oaep(encrypted);
    const modulus = BITS[keySpec] / 8;
    const key = oaep(encrypted.subarray(0, modulus));
    const decipher = createDecipheriv('id-aes256-wrap-pad', key, Buffer.from('a65959a6', 'hex'));
    return Buffer.concat([decipher.update(encrypted.subarray(modulus)), decipher.final()]);
  } catch {
    throw new HsmError('ERR_HSM_UNWRAP', 'the blob does not unwrap');
  }
}

/** The public half, or null for a secret. */
function check(keySpec: KeySpec, octets: Buffer): Buffer | null {
  const wrong = (): HsmError => new HsmError('ERR_HSM_TYPE', 'not the material that was asked for');
  const min = keySpec === 'SYMMETRIC_DEFAULT' ? 32 : HMAC_OCTETS_MIN[keySpec];
  const max = keySpec === 'SYMMETRIC_DEFAULT' ? 32 : 128;
  if (min !== undefined) {
    if (octets.length < min || octets.length > max) throw wrong();
    return null;
  }
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: octets, format: 'der', type: 'pkcs8' });
  } catch {
    throw wrong();
  }
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const fits =
    keySpec in BITS ? modulusLength === BITS[keySpec as keyof typeof BITS] : namedCurve === (CURVES[keySpec] ?? '');
  if (!fits && !(keySpec === 'ECC_NIST_EDWARDS25519' && key.asymmetricKeyType === 'ed25519')) throw wrong();
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

/** Double of import tokens: claims under a MAC. */
export class SoftwareImportTokens implements ImportTokens {
  readonly #key = randomBytes(32);

  async issue(claims: ImportTokenClaims): Promise<Uint8Array> {
    const body = Buffer.from(JSON.stringify(claims), 'utf8');
    return Buffer.concat([this.#mac(body), body]);
  }

  async open(token: Uint8Array): Promise<ImportTokenClaims | ImportError> {
    const octets = Buffer.from(token);
    const body = octets.subarray(32);
    if (!this.#mac(body).equals(octets.subarray(0, 32))) {
      return new ImportError('ERR_IMPORT_TOKEN_SIGNATURE', 'the double did not issue this token');
    }
    return JSON.parse(body.toString('utf8')) as ImportTokenClaims;
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest();
  }
}
