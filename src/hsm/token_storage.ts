import { toHex } from '../bytes.js';
import { LIMITS } from '../limits.js';
import { CKA_TOKEN, CKO_PRIVATE_KEY, CKO_SECRET_KEY } from '../token/cryptoki.js';
import { TokenError } from '../token/errors.js';
import { Job, type JobResult, type ObjectOperand, type Output } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template } from '../token/template.js';
import { pointOf } from '../wire/public_key.js';
import {
  assertMultiRegion,
  baseShape,
  checkedExportedKeyToken,
  filledUp,
  narrowAndRead,
  usesOf,
} from './backing_key.js';
import { domainKeyLabelOf } from './domain_key.js';
import { HsmError, UNWRAP_REFUSED, saysTokenIsFull } from './errors.js';
import { generateMaterial, type GeneratedKey } from './key_generation.js';
import {
  assertShape,
  attributeOfUse,
  isPrivateKeyShape,
  readBack,
  templateOf,
  type KeyShape,
  type KeyUse,
} from './key_shape.js';
import { parsePublicHalf, specInToken } from './key_spec.js';
import {
  withLoaded,
  type AdoptedSource,
  type KeyStorage,
  type LoadedKey,
  type UnidentifiedBinding,
} from './key_storage.js';
import { LoadedKeys } from './loaded_keys.js';
import { domainKeyIdOfObject, tokenObjectIdOf, type KeySpec, type StoredMaterial } from './material.js';
import { identificationOf, identifyingUse } from './material_identity.js';
import { narrowUses } from './narrow_uses.js';
import { sessionCopyOf } from './token_keys.js';
import type { TokenObjects } from './token_object.js';
import type { WrappedStorageParts } from './wrapped_storage.js';
import { refusalOfWrapping } from './wrapping_refusal.js';

const NOTHING = new Uint8Array();

/** What a region's storage "token" is made of. */
export interface TokenStorageParts extends WrappedStorageParts {
  readonly objects: TokenObjects;
}

/** Where the material of a new token object comes from. */
interface ObjectSource {
  /** Adds the steps that make the key in this shape. */
  make(job: Job, shape: KeyShape): GeneratedKey;
  /** Looks at the result of these steps. */
  check(result: JobResult, job: Job): void;
  /** The id that the material must have, where it is known. */
  readonly materialId: string | undefined;
}

/** A key that is there, and its public half; null for a secret. */
interface MadeObject {
  readonly key: ObjectHandle;
  readonly publicKey: Uint8Array | null;
}

/**
 * Key storage "token": every backing key is a token object, and the database has its id. A single-Region key is not extractable from its
 * first moment on; a multi-Region key is, because otherwise no token would wrap it for another region.
 *
 * @source docs/KEY-STORAGE.md
 */
export class TokenStorage implements KeyStorage {
  readonly #parts: TokenStorageParts;
  readonly #loaded: LoadedKeys;
  /** Loaded keys that are copies: they go when they are unloaded. */
  readonly #copies = new WeakSet<ObjectHandle>();

  constructor(parts: TokenStorageParts) {
    this.#parts = parts;
    this.#loaded = new LoadedKeys(parts.jobs, {
      countMax: parts.loadedKeysMax ?? LIMITS.hsmLoadedKeysMax,
      load: (material) => this.#loadForUse(material),
      unload: async (handle) => {
        if (this.#copies.has(handle)) await parts.jobs.destroy(handle, 'unload backing key');
      },
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

  create(binding: UnidentifiedBinding): Promise<StoredMaterial> {
    return this.#parts.jobs.healing(() =>
      this.#makeObject(binding, 'create token key', {
        make: (job, shape) => generateMaterial(job, binding.keySpec, shape, this.#parts.capabilities),
        check: () => undefined,
        materialId: undefined,
      }),
    );
  }

  async exportUnder(wrappingKey: ObjectOperand, material: StoredMaterial): Promise<Uint8Array> {
    assertMultiRegion(material.binding);
    const { jobs, capabilities } = this.#parts;
    return withLoaded(this, material, async ({ handle }) => {
      const job = new Job('wrap for another region', 'AES-256-KWP');
      const wrapped = job.wrapKey({ type: capabilities.keyWrapPad, parameter: { kind: 'none' } }, wrappingKey, handle);
      return checkedExportedKeyToken(material.binding.keySpec, (await jobs.run(job)).bytes(wrapped));
    });
  }

  async adopt(
    binding: UnidentifiedBinding & { readonly materialId?: string },
    name: string,
    source: AdoptedSource,
  ): Promise<StoredMaterial> {
    try {
      const materialId = await this.#examine(binding, name, source);
      const { capabilities } = this.#parts;
      const point = publicPointOf(binding.keySpec, source.publicKey);
      return await this.#makeObject(binding, name, {
        make: (job, shape) => ({
          key: source.make(job, templateOf({ ...shape, ...point }, 'unwrap', capabilities)),
          publicKey: () => source.publicKey,
        }),
        check: (result, job) => source.check?.(result, job),
        materialId,
      });
    } catch (error) {
      if (!(error instanceof HsmError) || error.code !== 'ERR_HSM_UNWRAP') throw error;
      throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED, { cause: error });
    }
  }

  /**
   * Looks at material from outside in session objects, before a token object is made of it: what is refused costs the same as where keys
   * rest wrapped, and is no object of the token at any time.
   *
   * @returns its key material id
   */
  async #examine(
    binding: UnidentifiedBinding & { readonly materialId?: string },
    name: string,
    source: AdoptedSource,
  ): Promise<string> {
    const { jobs, capabilities, domainKeys } = this.#parts;
    const identification = identificationOf(binding, source.publicKey);
    const job = new Job(name, 'token object');
    const key = source.make(job, templateOf(identification.shape, 'unwrap', capabilities));
    const attributes = narrowAndRead(job, key, identification.shape, capabilities);
    const use = job.attempt();
    const proof = identification.prove(job, key);
    job.destroyObject(key);
    let wrapped: Output<'bytes'> | undefined;
    if (refusalOfWrapping(binding.keySpec, capabilities) === undefined) {
      // Some tokens tell how long a key is only by wrapping it.
      const shape = { ...this.#wrappedShape(binding), ...publicPointOf(binding.keySpec, source.publicKey) };
      const domainKey = await domainKeys.active(domainKeyLabelOf(binding));
      const second = source.make(job, templateOf(shape, 'unwrap', capabilities));
      wrapped = job.wrapKey({ type: capabilities.keyWrapPad, parameter: { kind: 'none' } }, domainKey.handle, second);
      job.destroyObject(second);
    }
    const result = await jobs.run(job);
    source.check?.(result, job);
    const exportedKeyToken =
      wrapped === undefined ? null : checkedExportedKeyToken(binding.keySpec, result.bytes(wrapped));
    if (exportedKeyToken !== null) source.checkWrapped?.(exportedKeyToken.length);
    if (result.rv(use) !== 0) throw noKeyOf(binding.keySpec);
    assertShape(result.attributes(attributes), identification.shape, capabilities);
    const materialId = checkedMaterialId(binding, await proof(result), binding.materialId);
    if (exportedKeyToken !== null && binding.multiRegion && specInToken(binding.keySpec).kind === 'hmac') {
      await this.#assertWrapsWhole(binding, materialId, exportedKeyToken);
    }
    return materialId;
  }

  /**
   * A secret that the token wraps to another one could be used here, and in no other region.
   *
   * @throws {@link HsmError} `ERR_HSM_STRATEGY`
   */
  async #assertWrapsWhole(
    binding: UnidentifiedBinding,
    materialId: string,
    exportedKeyToken: Uint8Array,
  ): Promise<void> {
    const { jobs, capabilities, domainKeys } = this.#parts;
    const domainKey = await domainKeys.active(domainKeyLabelOf(binding));
    const { shape, prove } = identificationOf(binding, null);
    const job = new Job('key material id of wrapped secret', binding.keySpec);
    const mechanism = { type: capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
    const template = templateOf(shape, 'unwrap', capabilities);
    const proof = prove(job, job.unwrapKey(mechanism, domainKey.handle, exportedKeyToken, template));
    if ((await proof(await jobs.run(job))) !== materialId) throw filledUp(binding.keyId);
  }

  async destroy(material: StoredMaterial): Promise<void> {
    await this.#loaded.unload(material);
    const objectId = tokenObjectIdOf(material);
    if (objectId !== null) await this.#parts.objects.destroy(objectId);
  }

  /** Makes a token object, identifies it, leaves it the one use that its key is for, and reads it back. Nothing of it stays where that fails. */
  async #makeObject(binding: UnidentifiedBinding, name: string, source: ObjectSource): Promise<StoredMaterial> {
    const { objects, recordKey } = this.#parts;
    const id = objects.begin();
    try {
      const { materialId, publicKey } = await this.#fillObject(binding, name, id, source);
      await objects.makeDurable();
      return await recordKey.bind({
        binding: { ...binding, materialId },
        exportedKeyToken: NOTHING,
        domainKeyId: domainKeyIdOfObject(toHex(id)),
        publicKey,
      });
    } catch (error) {
      await objects.discard(id);
      throw isFull(error)
        ? new HsmError('ERR_HSM_FULL', 'the token has no room for another key', { cause: error })
        : error;
    }
  }

  async #fillObject(
    binding: UnidentifiedBinding,
    name: string,
    id: Uint8Array,
    source: ObjectSource,
  ): Promise<{ readonly materialId: string; readonly publicKey: Uint8Array | null }> {
    const { jobs, capabilities } = this.#parts;
    const shape = this.#shape(binding, id);
    const making = { ...shape, uses: identifyingUse(binding.keySpec).uses };
    const { key, publicKey } = await this.#keptObject(name, making, source);
    const identification = identificationOf(binding, publicKey);
    const proving = new Job('key material id', binding.keySpec);
    const use = proving.attempt();
    const proof = identification.prove(proving, key);
    leaveUses(proving, key, shape, identification.shape.uses);
    const attributes = readBack(proving, key, shape, capabilities);
    const proved = await jobs.run(proving);
    if (proved.rv(use) !== 0) throw noKeyOf(binding.keySpec);
    assertShape(proved.attributes(attributes), shape, capabilities);
    const found = await proof(proved);
    if (found === null && source.materialId === undefined) {
      throw jobs.health.stop('the halves of a new key do not fit each other', { keyId: binding.keyId });
    }
    return { materialId: checkedMaterialId(binding, found, source.materialId), publicKey };
  }

  /**
   * Makes the object. A pair that is made here is a session object first, and the token object a copy of its private half: the token is
   * held for the copy only, and not for as long as an RSA pair takes. Tokens that make no such copy make the pair where it stays.
   */
  async #keptObject(name: string, making: KeyShape, source: ObjectSource): Promise<MadeObject> {
    const { jobs } = this.#parts;
    const isPairMadeHere = source.materialId === undefined && isPrivateKeyShape(making);
    if (!isPairMadeHere) return this.#made(name, making, source);
    const pair = await this.#made(name, { ...making, onToken: false }, source);
    const job = new Job(name, 'copy of a session object');
    const kept = job.keep(job.copyObject(pair.key, template([CKA_TOKEN, true])));
    try {
      return { ...pair, key: (await jobs.run(job)).object(kept) };
    } catch (error) {
      if (!isRefusedCopy(error)) throw error;
      return await this.#made(name, making, source);
    } finally {
      await jobs.destroy(pair.key, 'destroy session pair');
    }
  }

  async #made(name: string, shape: KeyShape, source: ObjectSource): Promise<MadeObject> {
    const job = new Job(name, 'token object');
    const made = source.make(job, shape);
    const kept = job.keep(made.key);
    const result = await this.#parts.jobs.run(job);
    source.check(result, job);
    return { key: result.object(kept), publicKey: made.publicKey(result) };
  }

  async #loadForUse(material: StoredMaterial): Promise<ObjectHandle> {
    const { jobs, capabilities, recordKey, objects } = this.#parts;
    await recordKey.assertBound(material);
    const objectId = tokenObjectIdOf(material);
    if (objectId === null) throw new HsmError('ERR_HSM_RECORD', 'the record names no object of the token');
    const shape = this.#shape(material.binding, Buffer.from(objectId, 'hex'));
    const handle = await objects.find(objectId, isPrivateKeyShape(shape) ? CKO_PRIVATE_KEY : CKO_SECRET_KEY);
    const copy = await sessionCopyOf(jobs, capabilities, { handle }, shape);
    if (copy !== handle) {
      this.#copies.add(copy);
      return copy;
    }
    const job = new Job('load backing key', 'token object');
    const attributes = readBack(job, handle, shape, capabilities);
    assertShape((await jobs.run(job)).attributes(attributes), shape, capabilities);
    return handle;
  }

  /** A key at rest: what it is for, and whether it may ever leave the token. */
  #shape(binding: UnidentifiedBinding, id: Uint8Array): KeyShape {
    const { uses, allowedMechanisms } = usesOf(binding);
    const identifying = identifyingUse(binding.keySpec).allowedMechanisms;
    return {
      ...baseShape(binding.keySpec),
      uses,
      // No token lets this list be changed: the mechanism by which the key was identified stays on it, and its use does not.
      allowedMechanisms: [...new Set([...allowedMechanisms, ...identifying])],
      label: `keyferry:key:${binding.keyId}`,
      id,
      onToken: true,
      extractable: binding.multiRegion,
    };
  }

  #wrappedShape(binding: UnidentifiedBinding): KeyShape {
    const wrapWithTrusted = !binding.multiRegion && this.#parts.capabilities.enforcesWrapWithTrusted;
    return { ...baseShape(binding.keySpec), uses: [], extractable: true, wrapWithTrusted };
  }
}

function isFull(error: unknown): error is HsmError {
  return error instanceof HsmError && error.cause instanceof TokenError && saysTokenIsFull(error.cause.rv);
}

/** Whether the token makes no token object of a session object; a full one makes none of anything. */
function isRefusedCopy(error: unknown): boolean {
  if (isFull(error) || !(error instanceof HsmError) || !(error.cause instanceof TokenError)) return false;
  return error.cause.call === 'C_CopyObject' && error.cause.severity === 'call';
}

/** Takes away the use by which a key was identified, and gives it the one that it is for. */
function leaveUses(job: Job, key: ObjectHandle, shape: KeyShape, identifying: readonly KeyUse[]): void {
  if (isPrivateKeyShape(shape)) {
    narrowUses(job, key, shape);
    return;
  }
  const changed = [...new Set([...shape.uses, ...identifying])].filter(
    (use) => shape.uses.includes(use) !== identifying.includes(use),
  );
  if (changed.length === 0) return;
  job.setAttributes(key, template(...changed.map((use) => [attributeOfUse[use], shape.uses.includes(use)] as const)));
}

function publicPointOf(keySpec: KeySpec, publicKey: Uint8Array | null): Pick<KeyShape, 'publicPoint'> {
  const publicHalf = parsePublicHalf(keySpec, publicKey);
  return publicHalf?.asymmetricKeyType === 'ec' ? { publicPoint: pointOf(publicHalf) } : {};
}

function noKeyOf(keySpec: KeySpec): HsmError {
  return new HsmError('ERR_HSM_TYPE', `the material is no ${keySpec} key; it was destroyed`);
}

/** The id of material, where it is the one that was named. */
function checkedMaterialId({ keyId }: UnidentifiedBinding, found: string | null, named: string | undefined): string {
  if (found !== null && (named === undefined || found === named)) return found;
  throw new HsmError('ERR_HSM_MATERIAL_ID', 'the material is not the one that was named; it was destroyed', {
    details: { keyId, ...(named !== undefined && { materialId: named }) },
  });
}
