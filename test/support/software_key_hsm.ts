import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { HsmError } from '../../src/hsm/errors.js';
import type { KeySpec, KeyUsage, MaterialBinding, StoredMaterial } from '../../src/hsm/material.js';
import type { EncryptionContext, KeyHsm, SigningInput } from '../../src/kms/ports.js';
import { additionalData, encodeCiphertextHeader, parseCiphertextBlob } from '../../src/wire/ciphertext_blob.js';
import type { DataSuite } from '../../src/wire/ciphertext_blob.js';
import {
  makeMaterial,
  softwareAgree,
  softwareDecrypt,
  softwareEncrypt,
  softwareMac,
  softwareMaterialIdOf,
  softwareSign,
  softwareVerify,
  type SoftwareMaterial,
} from './software_algorithm.js';

/** One failure that the double raises instead of doing its next job of that name. */
export interface HsmFault {
  readonly call: keyof KeyHsm;
  readonly error: Error;
}

/**
 * Token double of the key manager's HSM: real cryptography for every key spec, in this process. For tests only.
 * `faults` are used up, each once.
 */
export class SoftwareKeyHsm implements KeyHsm {
  readonly dataSuites: readonly DataSuite[] = ['SP800108-GCM'];
  readonly faults: HsmFault[] = [];
  /** Names of the jobs that ran. */
  readonly calls: string[] = [];
  /** Key specs that this double has no mechanisms for, with the reason. */
  readonly refusals = new Map<KeySpec, string>();
  /** Key specs that this double wraps for no other region, with the reason. */
  readonly exportRefusals = new Map<KeySpec, string>();
  /** Material ids that were to be unloaded. */
  readonly unloaded: string[] = [];
  readonly #domainKey = randomBytes(32);

  async createMaterial(binding: Omit<MaterialBinding, 'materialId'>): Promise<StoredMaterial> {
    this.#enter('createMaterial');
    return this.take(binding, makeMaterial(binding.keySpec));
  }

  /** Stores material that a test knows. */
  take(binding: Omit<MaterialBinding, 'materialId'>, material: SoftwareMaterial): StoredMaterial {
    return this.#store({ ...binding, materialId: softwareMaterialIdOf(binding.keyId, material) }, material);
  }

  refusalOfSpec(keySpec: KeySpec, _keyUsage: KeyUsage): string | undefined {
    return this.refusals.get(keySpec);
  }

  refusalOfExport(keySpec: KeySpec): string | undefined {
    return this.exportRefusals.get(keySpec);
  }

  async unload(material: StoredMaterial): Promise<void> {
    this.unloaded.push(material.binding.materialId);
  }

  async sign(material: StoredMaterial, algorithm: string, input: SigningInput): Promise<Uint8Array> {
    this.#enter('sign');
    return softwareSign(this.#load(material), algorithm, input);
  }

  async verify(
    material: StoredMaterial,
    algorithm: string,
    input: SigningInput,
    signature: Uint8Array,
  ): Promise<boolean> {
    this.#enter('verify');
    return softwareVerify(this.#load(material), algorithm, input, signature);
  }

  async generateMac(material: StoredMaterial, algorithm: string, message: Uint8Array): Promise<Uint8Array> {
    this.#enter('generateMac');
    return softwareMac(this.#load(material), algorithm, message);
  }

  async encryptRsa(material: StoredMaterial, algorithm: string, plaintext: Uint8Array): Promise<Uint8Array> {
    this.#enter('encryptRsa');
    return softwareEncrypt(this.#load(material), algorithm, plaintext);
  }

  async decryptRsa(material: StoredMaterial, algorithm: string, ciphertext: Uint8Array): Promise<Uint8Array> {
    this.#enter('decryptRsa');
    return softwareDecrypt(this.#load(material), algorithm, ciphertext);
  }

  async deriveSharedSecret(material: StoredMaterial, peerPublicKey: Uint8Array): Promise<Uint8Array> {
    this.#enter('deriveSharedSecret');
    return softwareAgree(this.#load(material), peerPublicKey);
  }

  async encrypt(material: StoredMaterial, context: EncryptionContext, plaintext: Uint8Array): Promise<Uint8Array> {
    this.#enter('encrypt');
    return this.#seal(material, context, plaintext);
  }

  async decrypt(material: StoredMaterial, context: EncryptionContext, blob: Uint8Array): Promise<Uint8Array> {
    this.#enter('decrypt');
    return this.#open(material, context, blob);
  }

  async reEncrypt(
    source: Parameters<KeyHsm['reEncrypt']>[0],
    destination: Parameters<KeyHsm['reEncrypt']>[1],
  ): Promise<Uint8Array> {
    this.#enter('reEncrypt');
    const plaintext =
      source.algorithm === 'SYMMETRIC_DEFAULT'
        ? this.#open(source.material, source.context, source.blob)
        : softwareDecrypt(this.#load(source.material), source.algorithm, source.blob);
    if (destination.algorithm === 'SYMMETRIC_DEFAULT') {
      return this.#seal(destination.material, destination.context, plaintext);
    }
    try {
      return softwareEncrypt(this.#load(destination.material), destination.algorithm, plaintext);
    } catch (cause) {
      throw new HsmError('ERR_HSM_TOO_LONG', 'the plaintext is longer than the key can encrypt', { cause });
    }
  }

  async generateDataKey(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly octets: number; readonly reveal: boolean },
  ): Promise<{ readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }> {
    this.#enter('generateDataKey');
    const plaintext = randomBytes(options.octets);
    return { blob: this.#seal(material, context, plaintext), plaintext: options.reveal ? plaintext : null };
  }

  refusalOfDataKeyPair(keySpec: KeySpec): string | undefined {
    return this.refusals.get(keySpec);
  }

  async generateDataKeyPair(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly keySpec: KeySpec; readonly reveal: boolean },
  ): Promise<{ readonly publicKey: Uint8Array; readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }> {
    this.#enter('generateDataKeyPair');
    const { octets, publicKey } = makeMaterial(options.keySpec);
    if (publicKey === null) throw new HsmError('ERR_HSM_TYPE', `a ${options.keySpec} key is no pair`);
    return { publicKey, blob: this.#seal(material, context, octets), plaintext: options.reveal ? octets : null };
  }

  async random(octets: number): Promise<Uint8Array> {
    this.#enter('random');
    return randomBytes(octets);
  }

  /** The same material under this double's own domain key: what a replication would bring. */
  adopt(material: StoredMaterial, from: SoftwareKeyHsm): StoredMaterial {
    return this.#store(material.binding, from.#load(material));
  }

  #enter(call: keyof KeyHsm): void {
    const fault = this.faults.findIndex((candidate) => candidate.call === call);
    if (fault >= 0) throw this.faults.splice(fault, 1)[0]?.error;
    this.calls.push(call);
  }

  #store(binding: MaterialBinding, { octets, publicKey }: SoftwareMaterial): StoredMaterial {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#domainKey, iv);
    const exportedKeyToken = Buffer.concat([iv, cipher.update(octets), cipher.final(), cipher.getAuthTag()]);
    const recordMac = this.#mac(binding, exportedKeyToken, publicKey);
    return { binding, exportedKeyToken, domainKeyId: '01', publicKey, recordMac };
  }

  #load(material: StoredMaterial): SoftwareMaterial {
    const { binding, exportedKeyToken, publicKey, recordMac } = material;
    if (!this.#mac(binding, exportedKeyToken, publicKey).equals(recordMac)) {
      throw new HsmError('ERR_HSM_RECORD', 'the record was changed');
    }
    const token = Buffer.from(exportedKeyToken);
    const decipher = createDecipheriv('aes-256-gcm', this.#domainKey, token.subarray(0, 12));
    decipher.setAuthTag(token.subarray(-16));
    const octets = Buffer.concat([decipher.update(token.subarray(12, -16)), decipher.final()]);
    return { octets, publicKey: publicKey === null ? null : Buffer.from(publicKey) };
  }

  #mac(binding: MaterialBinding, token: Uint8Array, publicKey: Uint8Array | null): Buffer {
    const members = [
      binding.keyId,
      binding.keySpec,
      binding.keyUsage,
      binding.multiRegion,
      binding.dataSuite,
      binding.materialId,
    ];
    return createHmac('sha256', this.#domainKey)
      .update(JSON.stringify(members))
      .update(token)
      .update(publicKey ?? '')
      .digest();
  }

  #seal(material: StoredMaterial, context: EncryptionContext, plaintext: Uint8Array): Uint8Array {
    const { dataSuite, materialId, keyId } = material.binding;
    if (dataSuite === null) throw new Error('this material makes no message keys');
    const nonce = randomBytes(16);
    const iv = randomBytes(12);
    const header = encodeCiphertextHeader({ suite: dataSuite, materialId, nonce, iv });
    const cipher = createCipheriv('aes-256-gcm', this.#messageKey(material, nonce), iv);
    cipher.setAAD(additionalData(header, keyId, context));
    return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  #open(material: StoredMaterial, context: EncryptionContext, octets: Uint8Array): Buffer {
    const blob = parseCiphertextBlob(octets);
    if (blob === null || blob.materialId !== material.binding.materialId) throw ciphertextFailure();
    const decipher = createDecipheriv('aes-256-gcm', this.#messageKey(material, blob.nonce), blob.iv);
    decipher.setAAD(additionalData(blob.header, material.binding.keyId, context));
    decipher.setAuthTag(blob.ciphertextAndTag.subarray(-16));
    try {
      return Buffer.concat([decipher.update(blob.ciphertextAndTag.subarray(0, -16)), decipher.final()]);
    } catch {
      throw ciphertextFailure();
    }
  }

  #messageKey(material: StoredMaterial, nonce: Uint8Array): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#load(material).octets, nonce, 'message key', 32));
  }
}

function ciphertextFailure(): HsmError {
  return new HsmError('ERR_HSM_CIPHERTEXT', 'the blob does not decrypt');
}
