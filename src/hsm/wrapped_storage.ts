import { LIMITS } from '../limits.js';
import { Job, type JobResult, type ObjectOperand, type ObjectRef } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import type { Mechanism } from '../token/mechanism.js';
import type { Template } from '../token/template.js';
import { pointOf } from '../wire/public_key.js';
import {
  assertMultiRegion,
  baseShape,
  checkedExportedKeyToken,
  filledUp,
  narrowAndRead,
  usesOf,
} from './backing_key.js';
import type { HsmCapabilities } from './capability.js';
import { domainKeyLabelOf, type DomainKeys } from './domain_key.js';
import { HsmError, UNWRAP_REFUSED } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { generateMaterial } from './key_generation.js';
import { assertShape, templateOf, type KeyShape } from './key_shape.js';
import { parsePublicHalf, specInToken } from './key_spec.js';
import type { AdoptedSource, KeyStorage, LoadedKey, UnidentifiedBinding } from './key_storage.js';
import { LoadedKeys } from './loaded_keys.js';
import type { KeySpec, StoredMaterial } from './material.js';
import { identificationOf } from './material_identity.js';
import type { RecordKey } from './record_key.js';

/** What a region's wrapped storage is made of. */
export interface WrappedStorageParts {
  readonly jobs: HsmJobs;
  readonly capabilities: HsmCapabilities;
  readonly domainKeys: DomainKeys;
  readonly recordKey: RecordKey;
  /** Backing keys kept loaded at most; {@link LIMITS.hsmLoadedKeysMax} if left out. */
  readonly loadedKeysMax?: number;
}

/** Where material comes from: steps of a job that make it, and what is known of its public half afterwards. */
interface MaterialSource {
  readonly job: Job;
  /** DER SubjectPublicKeyInfo, where the key comes with its public half; null for a secret, and for a key that is made here. */
  readonly knownPublicKey: Uint8Array | null;
  /** Adds the steps that make the key, with this template or by this shape. */
  make(
    template: Template,
    shape: KeyShape,
  ): { readonly key: ObjectRef; readonly publicKey: (result: JobResult) => Uint8Array | null };
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

  /** With its record goes all there is of it but what is loaded. */
  destroy(material: StoredMaterial): Promise<void> {
    return this.#loaded.unload(material);
  }

  load(material: StoredMaterial): Promise<LoadedKey> {
    return this.#loaded.acquire(material);
  }

  create(binding: UnidentifiedBinding): Promise<StoredMaterial> {
    return this.#parts.jobs.healing(async () => {
      const job = new Job('create material', 'AES-256-KWP');
      const { unidentified } = await this.#wrapMade(binding, {
        job,
        knownPublicKey: null,
        make: (_template, shape) => generateMaterial(job, binding.keySpec, shape, this.#parts.capabilities),
      });
      // The id comes from the wrapped octets: what is acknowledged has been unwrapped and used once.
      const materialId = await this.#identify(unidentified);
      if (materialId === null) {
        throw this.#parts.jobs.health.stop('the halves of a new key do not fit each other', { keyId: binding.keyId });
      }
      return this.#parts.recordKey.bind({ ...unidentified, binding: { ...binding, materialId } });
    });
  }

  async exportUnder(wrappingKey: ObjectOperand, material: StoredMaterial): Promise<Uint8Array> {
    assertMultiRegion(material.binding);
    const { jobs, capabilities, domainKeys, recordKey } = this.#parts;
    await recordKey.assertBound(material);
    const domainKey = await domainKeys.byId(domainKeyLabelOf(material.binding), material.domainKeyId);
    const shape = this.#storedShape(material.binding, material.publicKey);
    const job = new Job('wrap for another region', 'AES-256-KWP');
    const key = job.unwrapKey(
      this.#keyWrapPad,
      domainKey,
      material.exportedKeyToken,
      templateOf(shape, 'unwrap', capabilities),
    );
    const attributes = narrowAndRead(job, key, shape, capabilities);
    const wrapped = job.wrapKey(this.#keyWrapPad, wrappingKey, key);
    job.destroyObject(key);
    const result = await jobs.run(job);
    assertShape(result.attributes(attributes), shape, capabilities);
    return checkedExportedKeyToken(material.binding.keySpec, result.bytes(wrapped));
  }

  async adopt(
    binding: UnidentifiedBinding & { readonly materialId?: string },
    name: string,
    source: AdoptedSource,
  ): Promise<StoredMaterial> {
    const { jobs, capabilities } = this.#parts;
    const { publicKey } = source;
    const identification = identificationOf(binding, publicKey);
    const shape = { ...identification.shape, wrapWithTrusted: false };
    const job = new Job(name, 'AES-256-KWP');
    const forId = source.make(job, templateOf(shape, 'unwrap', capabilities));
    const idAttributes = narrowAndRead(job, forId, shape, capabilities);
    const use = job.attempt();
    const proof = identification.prove(job, forId);
    job.destroyObject(forId);
    const { unidentified, result } = await this.#wrapMade(binding, {
      job,
      knownPublicKey: publicKey,
      make: (template) => ({ key: source.make(job, template), publicKey: () => publicKey }),
    }).catch((error: unknown) => {
      if (!(error instanceof HsmError) || error.code !== 'ERR_HSM_UNWRAP') throw error;
      throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED, { cause: error });
    });
    source.check?.(result, job);
    source.checkWrapped?.(unidentified.exportedKeyToken.length);
    if (result.rv(use) !== 0) {
      throw new HsmError('ERR_HSM_TYPE', `the unwrapped material is no ${binding.keySpec} key; it was destroyed`);
    }
    assertShape(result.attributes(idAttributes), shape, capabilities);
    const materialId = await proof(result);
    if (materialId === null || (binding.materialId !== undefined && materialId !== binding.materialId)) {
      throw new HsmError(
        'ERR_HSM_MATERIAL_ID',
        'the unwrapped material is not the one that was named; it was destroyed',
        {
          details: {
            keyId: binding.keyId,
            ...(binding.materialId !== undefined && { materialId: binding.materialId }),
          },
        },
      );
    }
    // What is acknowledged has been unwrapped and used once, as in `create`.
    if ((await this.#identify(unidentified)) !== materialId) {
      // HAZARD: some tokens fill a secret up to a multiple of 8 octets when they wrap it, which changes the MACs of a long one.
      if (specInToken(binding.keySpec).kind === 'hmac') {
        throw filledUp(binding.keyId);
      }
      throw jobs.health.stop('the token wrapped other material than it was given', { keyId: binding.keyId });
    }
    return this.#parts.recordKey.bind({ ...unidentified, binding: { ...binding, materialId } });
  }

  /** Runs the job that makes material and wraps it under the domain key; nothing of it stays in the token. */
  async #wrapMade(
    binding: UnidentifiedBinding,
    source: MaterialSource,
  ): Promise<{ readonly unidentified: Unidentified; readonly result: JobResult }> {
    const { jobs, capabilities, domainKeys } = this.#parts;
    const domainKey = await domainKeys.active(domainKeyLabelOf(binding));
    const shape = this.#storedShape(binding, source.knownPublicKey);
    const { job } = source;
    const { key, publicKey } = source.make(templateOf(shape, 'unwrap', capabilities), shape);
    const attributes = narrowAndRead(job, key, shape, capabilities);
    const wrapped = job.wrapKey(this.#keyWrapPad, domainKey.handle, key);
    job.destroyObject(key);
    const result = await jobs.run(job);
    assertShape(result.attributes(attributes), shape, capabilities);
    const exportedKeyToken = checkedExportedKeyToken(binding.keySpec, result.bytes(wrapped));
    const unidentified = { binding, domainKeyId: domainKey.idHex, exportedKeyToken, publicKey: publicKey(result) };
    return { unidentified, result };
  }

  async #loadForUse(material: StoredMaterial): Promise<ObjectHandle> {
    const { jobs, capabilities, domainKeys, recordKey } = this.#parts;
    await recordKey.assertBound(material);
    const { binding } = material;
    const domainKey = await domainKeys.byId(domainKeyLabelOf(binding), material.domainKeyId);
    const shape: KeyShape = {
      ...baseShape(binding.keySpec),
      ...usesOf(binding),
      wrapWithTrusted: this.#isForTrustedOnly(binding),
    };
    const job = new Job('load backing key', 'AES-256-KWP');
    const key = job.unwrapKey(
      this.#keyWrapPad,
      domainKey,
      material.exportedKeyToken,
      templateOf(shape, 'unwrap', capabilities),
    );
    const attributes = narrowAndRead(job, key, shape, capabilities);
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

  /** Key material id of what was wrapped, from the wrapped octets; null for two halves that do not fit. */
  async #identify({ binding, domainKeyId, exportedKeyToken, publicKey }: Unidentified): Promise<string | null> {
    const { jobs, capabilities, domainKeys } = this.#parts;
    const domainKey = await domainKeys.byId(domainKeyLabelOf(binding), domainKeyId);
    const identification = identificationOf(binding, publicKey);
    const shape = { ...identification.shape, wrapWithTrusted: this.#isForTrustedOnly(binding) };
    const job = new Job('key material id', binding.keySpec);
    const key = job.unwrapKey(this.#keyWrapPad, domainKey, exportedKeyToken, templateOf(shape, 'unwrap', capabilities));
    const attributes = narrowAndRead(job, key, shape, capabilities);
    const proof = identification.prove(job, key);
    job.destroyObject(key);
    const result = await jobs.run(job);
    assertShape(result.attributes(attributes), shape, capabilities);
    return proof(result);
  }

  /** Whether only the trusted domain key may ever wrap this material. */
  #isForTrustedOnly(binding: { readonly multiRegion: boolean }): boolean {
    return !binding.multiRegion && this.#parts.capabilities.enforcesWrapWithTrusted;
  }

  /** Material on its way into or out of the token: it can be wrapped and nothing else. */
  #storedShape(
    binding: { readonly keySpec: KeySpec; readonly multiRegion: boolean },
    publicKey: Uint8Array | null,
  ): KeyShape {
    const publicHalf = parsePublicHalf(binding.keySpec, publicKey);
    return {
      ...baseShape(binding.keySpec),
      uses: [],
      extractable: true,
      ...(publicHalf?.asymmetricKeyType === 'ec' && { publicPoint: pointOf(publicHalf) }),
      wrapWithTrusted: this.#isForTrustedOnly(binding),
    };
  }
}

/** Wrapped material that has no id yet. */
interface Unidentified extends Omit<StoredMaterial, 'binding' | 'recordMac'> {
  readonly binding: UnidentifiedBinding;
}
