import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { HsmError } from '../../src/hsm/errors.js';
import type { MaterialBinding, StoredMaterial } from '../../src/hsm/material.js';
import type { EncryptionContext, KeyHsm } from '../../src/kms/ports.js';
import { additionalData, encodeCiphertextHeader, parseCiphertextBlob } from '../../src/wire/ciphertext_blob.js';
import type { DataSuite } from '../../src/wire/ciphertext_blob.js';

/** One failure that the double raises instead of doing its next job of that name. */
export interface HsmFault {
  readonly call: keyof KeyHsm;
  readonly error: Error;
}

/**
 * Token double of the key manager's HSM: real AES-256-GCM with message keys, in this process. For tests only.
 * `faults` are used up, each once.
 */
export class SoftwareKeyHsm implements KeyHsm {
  readonly dataSuites: readonly DataSuite[] = ['SP800108-GCM'];
  readonly faults: HsmFault[] = [];
  /** Names of the jobs that ran. */
  readonly calls: string[] = [];
  readonly #domainKey = randomBytes(32);

  async createMaterial(binding: Omit<MaterialBinding, 'materialId'>): Promise<StoredMaterial> {
    this.#enter('createMaterial');
    const key = randomBytes(32);
    const materialId = createHash('sha256').update(binding.keyId).update(key).digest('hex');
    return this.#store({ ...binding, materialId }, key);
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
    source: { readonly material: StoredMaterial; readonly context: EncryptionContext; readonly blob: Uint8Array },
    destination: { readonly material: StoredMaterial; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    this.#enter('reEncrypt');
    const plaintext = this.#open(source.material, source.context, source.blob);
    return this.#seal(destination.material, destination.context, plaintext);
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

  #store(binding: MaterialBinding, key: Buffer): StoredMaterial {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#domainKey, iv);
    const exportedKeyToken = Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
    return { binding, exportedKeyToken, domainKeyId: '01', recordMac: this.#mac(binding, exportedKeyToken) };
  }

  #load(material: StoredMaterial): Buffer {
    if (!this.#mac(material.binding, material.exportedKeyToken).equals(material.recordMac)) {
      throw new HsmError('ERR_HSM_RECORD', 'the record was changed');
    }
    const token = Buffer.from(material.exportedKeyToken);
    const decipher = createDecipheriv('aes-256-gcm', this.#domainKey, token.subarray(0, 12));
    decipher.setAuthTag(token.subarray(-16));
    return Buffer.concat([decipher.update(token.subarray(12, -16)), decipher.final()]);
  }

  #mac(binding: MaterialBinding, token: Uint8Array): Buffer {
    const members = [
      binding.keyId,
      binding.keySpec,
      binding.keyUsage,
      binding.multiRegion,
      binding.dataSuite,
      binding.materialId,
    ];
    return createHmac('sha256', this.#domainKey).update(JSON.stringify(members)).update(token).digest();
  }

  #seal(material: StoredMaterial, context: EncryptionContext, plaintext: Uint8Array): Uint8Array {
    const { dataSuite, materialId, keyId } = material.binding;
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
    return Buffer.from(hkdfSync('sha256', this.#load(material), nonce, 'message key', 32));
  }
}

function ciphertextFailure(): HsmError {
  return new HsmError('ERR_HSM_CIPHERTEXT', 'the blob does not decrypt');
}
