import { LIMITS } from '../limits.js';
import { CKK_AES, CKM_AES_KEY_GEN } from '../token/cryptoki.js';
import { Job, type ObjectOperand } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import type { Mechanism } from '../token/mechanism.js';
import { keyMaterialIdOf } from '../wire/key_material_id.js';
import type { HsmCapabilities } from './capability.js';
import { domainKeyLabelOf, type DomainKeys } from './domain_key.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { answerChallenge, BACKING_KEY_LABEL, identifiedKeyShape } from './key_material_id.js';
import { assertShape, readBack, templateOf, type KeyShape } from './key_shape.js';
import type { KeyStorage, LoadedKey } from './key_storage.js';
import { LoadedKeys } from './loaded_keys.js';
import type { MaterialBinding, StoredMaterial } from './material.js';
import { messageKeySteps } from './message_key.js';
import type { RecordKey } from './record_key.js';

/** AES-256 under AES-256-KWP: 32 octets and the 8 of RFC 5649. */
export const WRAPPED_AES_256_OCTETS = 40;
const NO_ID = new Uint8Array(16);

/** What a region's wrapped storage is made of. */
export interface WrappedStorageParts {
  readonly jobs: HsmJobs;
  readonly capabilities: HsmCapabilities;
  readonly domainKeys: DomainKeys;
  readonly recordKey: RecordKey;
  /** Backing keys kept loaded at most; {@link LIMITS.hsmLoadedKeysMax} if left out. */
  readonly loadedKeysMax?: number;
}

/**
 * Key storage "wrapped": a backing key rests in the database as an exported key token, and is a session object while it is used.
 *
 * @source docs/CIPHERTEXT.md, storage
 */
export class WrappedStorage implements KeyStorage {
  readonly #parts: WrappedStorageParts;
  readonly #loaded: LoadedKeys;
  readonly #keyWrapPad: Mechanism;

  constructor(parts: WrappedStorageParts) {
    this.#parts = parts;
    this.#keyWrapPad = { type: parts.capabilities.keyWrapPad, parameter: { kind: 'none' } };
    this.#loaded = new LoadedKeys(parts.jobs, {
      countMax: parts.loadedKeysMax ?? LIMITS.hsmLoadedKeysMax,
      load: (material) => this.#loadForUse(material),
    });
  }

  get loadedCount(): number {
    return this.#loaded.count;
  }

  unloadAll(): Promise<void> {
    return this.#loaded.clear();
  }

  load(material: StoredMaterial): Promise<LoadedKey> {
    return this.#loaded.acquire(material);
  }

  create(binding: Omit<MaterialBinding, 'materialId'>): Promise<StoredMaterial> {
    return this.#parts.jobs.healing(async () => {
      const { jobs, capabilities, domainKeys } = this.#parts;
      const domainKey = await domainKeys.active(domainKeyLabelOf(binding));
      const shape = this.#storedShape(binding);
      const job = new Job('create material', 'AES-256-KWP');
      const key = job.generateKey(
        { type: CKM_AES_KEY_GEN, parameter: { kind: 'none' } },
        templateOf(shape, 'generate', capabilities),
      );
      const attributes = readBack(job, key, shape, capabilities);
      const wrapped = job.wrapKey(this.#keyWrapPad, domainKey.handle, key);
      job.destroyObject(key);
      const result = await jobs.run(job);
      assertShape(result.attributes(attributes), shape, capabilities);
      const exportedKeyToken = checkedExportedKeyToken(result.bytes(wrapped));
      // The id comes from the wrapped octets: what is acknowledged has been unwrapped and used once.
      const materialId = await this.#identify(domainKey.handle, exportedKeyToken, binding);
      return this.#parts.recordKey.bind({ ...binding, materialId }, domainKey.idHex, exportedKeyToken);
    });
  }

  async exportUnder(wrappingKey: ObjectOperand, material: StoredMaterial): Promise<Uint8Array> {
    if (!material.binding.multiRegion) {
      throw new HsmError(
        'ERR_HSM_POLICY_REFUSED',
        `key ${material.binding.keyId} is a single-Region key and stays here`,
        {
          details: { keyId: material.binding.keyId },
        },
      );
    }
    const { jobs, capabilities, domainKeys, recordKey } = this.#parts;
    await recordKey.assertBound(material);
    const domainKey = await domainKeys.byId(domainKeyLabelOf(material.binding), material.domainKeyId);
    const shape = this.#storedShape(material.binding);
    const job = new Job('wrap for another region', 'AES-256-KWP');
    const key = job.unwrapKey(
      this.#keyWrapPad,
      domainKey,
      material.exportedKeyToken,
      templateOf(shape, 'unwrap', capabilities),
    );
    const attributes = readBack(job, key, shape, capabilities);
    const wrapped = job.wrapKey(this.#keyWrapPad, wrappingKey, key);
    job.destroyObject(key);
    const result = await jobs.run(job);
    assertShape(result.attributes(attributes), shape, capabilities);
    return checkedExportedKeyToken(result.bytes(wrapped));
  }

  async importUnder(unwrappingKey: ObjectOperand, blob: Uint8Array, binding: MaterialBinding): Promise<StoredMaterial> {
    const { jobs, capabilities, domainKeys } = this.#parts;
    // HAZARD: some tokens corrupt their memory on a blob that is too short, and take keys of other lengths from a longer one.
    if (blob.length !== WRAPPED_AES_256_OCTETS) throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED);
    const domainKey = await domainKeys.active(domainKeyLabelOf(binding));
    const identified = identifiedKeyShape(NO_ID);
    const stored = this.#storedShape(binding);
    const job = new Job('unwrap from another region', 'AES-256-KWP');
    const forId = job.unwrapKey(this.#keyWrapPad, unwrappingKey, blob, templateOf(identified, 'unwrap', capabilities));
    const idAttributes = readBack(job, forId, identified, capabilities);
    const encryption = job.attempt();
    const answer = answerChallenge(job, forId, binding.keyId);
    job.destroyObject(forId);
    const key = job.unwrapKey(this.#keyWrapPad, unwrappingKey, blob, templateOf(stored, 'unwrap', capabilities));
    const attributes = readBack(job, key, stored, capabilities);
    const wrapped = job.wrapKey(this.#keyWrapPad, domainKey.handle, key);
    job.destroyObject(key);
    const result = await jobs.run(job).catch((error: unknown) => {
      if (!(error instanceof HsmError) || error.code !== 'ERR_HSM_UNWRAP') throw error;
      throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED, { cause: error });
    });
    if (result.rv(encryption) !== 0) {
      throw new HsmError('ERR_HSM_TYPE', 'the unwrapped material is no AES-256 key; it was destroyed');
    }
    assertShape(result.attributes(idAttributes), identified, capabilities);
    assertShape(result.attributes(attributes), stored, capabilities);
    const exportedKeyToken = checkedExportedKeyToken(result.bytes(wrapped));
    if (keyMaterialIdOf(result.bytes(answer)) !== binding.materialId) {
      throw new HsmError(
        'ERR_HSM_MATERIAL_ID',
        'the unwrapped material is not the one that was named; it was destroyed',
        {
          details: { keyId: binding.keyId, materialId: binding.materialId },
        },
      );
    }
    // What is acknowledged has been unwrapped and used once, as in `create`.
    if ((await this.#identify(domainKey.handle, exportedKeyToken, binding)) !== binding.materialId) {
      throw jobs.health.stop('the token wrapped other material than it was given', { keyId: binding.keyId });
    }
    return this.#parts.recordKey.bind(binding, domainKey.idHex, exportedKeyToken);
  }

  async #loadForUse(material: StoredMaterial): Promise<ObjectHandle> {
    const { jobs, capabilities, domainKeys, recordKey } = this.#parts;
    await recordKey.assertBound(material);
    const domainKey = await domainKeys.byId(domainKeyLabelOf(material.binding), material.domainKeyId);
    const { uses, allowedMechanisms } = messageKeySteps[material.binding.dataSuite];
    const shape: KeyShape = {
      keyType: CKK_AES,
      lengthOctets: 32,
      uses,
      label: BACKING_KEY_LABEL,
      id: NO_ID,
      wrapWithTrusted: this.#isForTrustedOnly(material.binding),
      allowedMechanisms,
    };
    const job = new Job('load backing key', 'AES-256-KWP');
    const key = job.unwrapKey(
      this.#keyWrapPad,
      domainKey,
      material.exportedKeyToken,
      templateOf(shape, 'unwrap', capabilities),
    );
    const attributes = readBack(job, key, shape, capabilities);
    const kept = job.keep(key);
    const result = await jobs.run(job);
    const handle = result.object(kept);
    try {
      assertShape(result.attributes(attributes), shape, capabilities);
    } catch (error) {
      await jobs.destroy(handle, 'unload backing key');
      throw error;
    }
    return handle;
  }

  async #identify(
    domainKey: ObjectHandle,
    exportedKeyToken: Uint8Array,
    binding: Omit<MaterialBinding, 'materialId'>,
  ): Promise<string> {
    const { jobs, capabilities } = this.#parts;
    const shape = { ...identifiedKeyShape(NO_ID), wrapWithTrusted: this.#isForTrustedOnly(binding) };
    const job = new Job('key material id', 'AES-CBC');
    const key = job.unwrapKey(this.#keyWrapPad, domainKey, exportedKeyToken, templateOf(shape, 'unwrap', capabilities));
    const attributes = readBack(job, key, shape, capabilities);
    const answer = answerChallenge(job, key, binding.keyId);
    job.destroyObject(key);
    const result = await jobs.run(job);
    assertShape(result.attributes(attributes), shape, capabilities);
    return keyMaterialIdOf(result.bytes(answer));
  }

  /** Whether only the trusted domain key may ever wrap this material. */
  #isForTrustedOnly(binding: { readonly multiRegion: boolean }): boolean {
    return !binding.multiRegion && this.#parts.capabilities.enforcesWrapWithTrusted;
  }

  /** Material on its way into or out of the token: it can be wrapped and nothing else. */
  #storedShape(binding: { readonly multiRegion: boolean }): KeyShape {
    return {
      keyType: CKK_AES,
      lengthOctets: 32,
      uses: [],
      label: BACKING_KEY_LABEL,
      id: NO_ID,
      extractable: true,
      wrapWithTrusted: this.#isForTrustedOnly(binding),
    };
  }
}

const UNWRAP_REFUSED = 'the wrapped material does not unwrap';

/** A token that wraps another number of octets has wrapped another kind of key. */
function checkedExportedKeyToken(wrapped: Uint8Array): Uint8Array {
  if (wrapped.length === WRAPPED_AES_256_OCTETS) return wrapped;
  throw new HsmError('ERR_HSM_TYPE', `the token wrapped ${wrapped.length} octets and not ${WRAPPED_AES_256_OCTETS}`, {
    details: { octets: wrapped.length, expectedOctets: WRAPPED_AES_256_OCTETS },
  });
}
