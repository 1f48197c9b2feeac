import { randomBytes } from 'node:crypto';
import { LIMITS } from '../limits.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { ReplicationSuite } from '../wire/suite.js';
import { AgreementKeys, type AgreedKeys, type Agreement, type EphemeralKey } from './agreement_key.js';
import type { HsmCapabilities } from './capability.js';
import { DomainKeys } from './domain_key.js';
import { HsmError } from './errors.js';
import { HsmHealth } from './health.js';
import { RegionImports } from './import_region.js';
import type { ImportCapabilities } from './import_strategy.js';
import { HsmJobs, type JobRunner } from './job_runner.js';
import type { KeyStorage } from './key_storage.js';
import type { MaterialBinding, StoredMaterial, WrappedMaterial } from './material.js';
import { MessageCipher } from './message_cipher.js';
import { randomOctets } from './random_pool.js';
import { RecordKey } from './record_key.js';
import { SelfTest } from './self_test.js';
import { singleRegionTrust, type SingleRegionTrust } from './single_region_trust.js';
import { SigningKeys, type SigningKeyInfo } from './signing_key.js';
import { KEY_LABELS } from './token_keys.js';
import { WrappedStorage } from './wrapped_storage.js';

type EncryptionContext = Readonly<Record<string, string>>;

/** What a region's HSM is opened on. */
export interface RegionHsmOptions {
  /** The token's executor, logged in. */
  readonly runner: JobRunner;
  readonly capabilities: HsmCapabilities;
  /** Backing keys kept loaded at most; {@link LIMITS.hsmLoadedKeysMax} if left out. */
  readonly loadedKeysMax?: number;
}

/** What `status` shows of a region's HSM. */
export interface RegionHsmDescription {
  /** `working`, or why the HSM stopped. */
  readonly state: string;
  readonly fingerprint: string;
  readonly epoch: number;
  /** `CKA_ID`s of the domain keys of multi-Region material, the active one first. */
  readonly domainKeys: readonly string[];
  /** The same for single-Region material. */
  readonly singleRegionDomainKeys: readonly string[];
  /** Whether the active single-Region domain key is `CKA_TRUSTED`. */
  readonly domainKeyIsTrusted: boolean;
  readonly recordKeys: readonly string[];
  readonly signingKeys: readonly string[];
  readonly suites: readonly ReplicationSuite[];
  readonly dataSuites: readonly DataSuite[];
  readonly missing: HsmCapabilities['missing'];
  /** What the token itself enforces; the rest is enforced by Keyferry alone. */
  readonly enforcedByToken: {
    readonly extractable: boolean;
    readonly wrapWithTrusted: boolean;
    readonly allowedMechanisms: boolean;
    /** Whether stored material of a single-Region key can only be loaded as a key that no agreed key can wrap. */
    readonly singleRegion: boolean;
    /** Whether the token refuses to load stored single-Region material as a key that can be read. */
    readonly singleRegionUnreadable: boolean;
  };
  readonly loadedKeys: number;
  readonly ephemeralKeys: number;
  /** How often the token kept an object that it said it had destroyed. */
  readonly undestroyed: number;
}

/**
 * A region's HSM: one provisioned token, in the words of the key manager and of the replication protocol.
 *
 * No method lets octets of keys leave the token; plaintext comes out where it was asked for.
 */
export class RegionHsm {
  readonly #jobs: HsmJobs;
  readonly #capabilities: HsmCapabilities;
  readonly #domainKeys: DomainKeys;
  readonly #recordKey: RecordKey;
  readonly #storage: KeyStorage;
  readonly #cipher: MessageCipher;
  readonly #agreementKeys: AgreementKeys;
  readonly #signingKeys: SigningKeys;
  readonly #trust: SingleRegionTrust;

  private constructor(
    jobs: HsmJobs,
    domainKeys: DomainKeys,
    options: RegionHsmOptions,
    trust: SingleRegionTrust,
    selfTest: SelfTest,
  ) {
    this.#jobs = jobs;
    this.#domainKeys = domainKeys;
    this.#trust = trust;
    // A key that only a trusted key may wrap could not be stored at all under a domain key that is not trusted.
    this.#capabilities = {
      ...options.capabilities,
      enforcesWrapWithTrusted: options.capabilities.enforcesWrapWithTrusted && trust.isTrusted,
    };
    this.#recordKey = new RecordKey(jobs, options.capabilities);
    this.#storage = new WrappedStorage({
      jobs,
      capabilities: this.#capabilities,
      domainKeys,
      recordKey: this.#recordKey,
      loadedKeysMax: options.loadedKeysMax ?? LIMITS.hsmLoadedKeysMax,
    });
    this.#cipher = new MessageCipher(jobs, this.#storage, this.#capabilities);
    this.#agreementKeys = new AgreementKeys(jobs, this.#capabilities, (key, handle) =>
      selfTest.agreementKey(key, handle),
    );
    this.#signingKeys = new SigningKeys(jobs, this.#capabilities, KEY_LABELS.replicationSigningKey);
  }

  /**
   * Opens the HSM on a token that was provisioned, and runs its self-tests.
   *
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND` in a token without our keys; `ERR_HSM_SELF_TEST`
   */
  static open(options: RegionHsmOptions): Promise<RegionHsm> {
    const jobs = new HsmJobs(options.runner, new HsmHealth());
    return jobs.healing(() => RegionHsm.#openOn(jobs, options));
  }

  static async #openOn(jobs: HsmJobs, options: RegionHsmOptions): Promise<RegionHsm> {
    const selfTest = new SelfTest(jobs, options.capabilities);
    await selfTest.withoutKeys();
    const domainKeys = new DomainKeys(jobs, options.capabilities);
    await domainKeys.active(KEY_LABELS.domainKey);
    const trust = await singleRegionTrust(jobs, domainKeys, options.capabilities);
    const hsm = new RegionHsm(jobs, domainKeys, options, trust, selfTest);
    if ((await hsm.#recordKey.ids()).length === 0 || (await hsm.#signingKeys.list()).length === 0) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', 'the token lacks a record key or a signing key: provision it first');
    }
    await hsm.#signingKeys.selfTest();
    if (options.capabilities.suites.length > 0) {
      await hsm.#agreementKeys.withFresh(randomBytes(32), (key, handle) => selfTest.knownAnswers(key, handle));
    }
    return hsm;
  }

  /** Suites that this token can carry, the preferred first. */
  get suites(): readonly ReplicationSuite[] {
    return this.#capabilities.suites;
  }

  /** Data suites (message keys) that this token can carry, the preferred first. */
  get dataSuites(): readonly DataSuite[] {
    return this.#capabilities.dataSuites;
  }

  /** Module and firmware in one line, for the roster and the trace. */
  get fingerprint(): string {
    return this.#capabilities.fingerprint;
  }

  /** Octets from the token's random generator; at most {@link LIMITS.hsmRandomBytesMax}. */
  async random(octets: number): Promise<Uint8Array> {
    if (octets < 1 || octets > LIMITS.hsmRandomBytesMax) {
      throw new RangeError(`the token is asked for 1 to ${LIMITS.hsmRandomBytesMax} random octets`);
    }
    return this.#jobs.healing(() => randomOctets(this.#jobs, octets));
  }

  /** Makes a backing key in the token and returns it wrapped under the domain key. */
  createMaterial(binding: Omit<MaterialBinding, 'materialId'>): Promise<StoredMaterial> {
    return this.#storage.create(binding);
  }

  /** Encrypts 1–4,096 octets; the ciphertext blob, at most 6,144 octets. */
  encrypt(material: StoredMaterial, context: EncryptionContext, plaintext: Uint8Array): Promise<Uint8Array> {
    return this.#cipher.encrypt(material, context, plaintext);
  }

  /**
   * Decrypts a blob that names this material.
   *
   * @throws {@link HsmError} `ERR_HSM_CIPHERTEXT`, whatever is wrong with the blob
   */
  decrypt(material: StoredMaterial, context: EncryptionContext, blob: Uint8Array): Promise<Uint8Array> {
    return this.#cipher.decrypt(material, context, blob);
  }

  /** Decrypts and encrypts again in one job; the plaintext stays in native memory. */
  reEncrypt(
    source: { readonly material: StoredMaterial; readonly context: EncryptionContext; readonly blob: Uint8Array },
    destination: { readonly material: StoredMaterial; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    return this.#cipher.reEncrypt(source, destination);
  }

  /** A random data key, encrypted; its plaintext only where `reveal` asks for it. */
  generateDataKey(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly octets: number; readonly reveal: boolean },
  ): Promise<{ readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }> {
    return this.#cipher.generateDataKey(material, context, options);
  }

  /**
   * What takes imported material into this HSM.
   *
   * @param plans - how each wrapping algorithm is carried out, by the profile and the configuration
   */
  openImports(plans: ImportCapabilities): RegionImports {
    const parts = { jobs: this.#jobs, capabilities: this.#capabilities, domainKeys: this.#domainKeys };
    return new RegionImports({ ...parts, recordKey: this.#recordKey }, plans);
  }

  /** The region's replication signing keys, the newest first. Which of them is active, the roster says. */
  signingKeys(): Promise<readonly SigningKeyInfo[]> {
    return this.#signingKeys.list();
  }

  /** Makes a further replication signing key; it is used once a roster says so. */
  generateSigningKey(): Promise<SigningKeyInfo> {
    return this.#signingKeys.generate();
  }

  /** Destroys a replication signing key that no roster names any more. */
  destroySigningKey(kid: string): Promise<void> {
    return this.#signingKeys.destroy(kid);
  }

  /** ECDSA P-384 over SHA-384 of the octets, r || s, 96 octets, verified in software before it is returned. */
  sign(kid: string, octets: Uint8Array): Promise<Uint8Array> {
    return this.#signingKeys.sign(kid, octets);
  }

  /** A fresh P-384 pair: session object, not extractable, derive only. */
  generateAgreementKey(label: Uint8Array): Promise<EphemeralKey> {
    return this.#agreementKeys.generate(label);
  }

  /** Derives RWK and KCK; the agreement key stays until {@link release}. */
  agree(agreement: Agreement): Promise<AgreedKeys> {
    return this.#agreementKeys.agree(agreement);
  }

  /** HMAC-SHA-384 under KCK, 48 octets. */
  confirm(keys: AgreedKeys, octets: Uint8Array): Promise<Uint8Array> {
    return this.#agreementKeys.confirm(keys, octets);
  }

  /** Wraps one backing key under RWK; refuses material of a single-Region key. */
  async wrap(keys: AgreedKeys, material: StoredMaterial): Promise<WrappedMaterial> {
    const blob = await this.#storage.exportUnder(this.#agreementKeys.wrappingKeyOf(keys, 'wrap'), material);
    const { materialId } = material.binding;
    return { materialId, class: 'CKO_SECRET_KEY', keyType: 'CKK_AES', lengthOctets: 32, blob };
  }

  /**
   * Unwraps under RWK with a template of this region's own, reads every attribute back, recomputes the key material id in the token,
   * and wraps under the domain key.
   *
   * @throws {@link HsmError} `ERR_HSM_TYPE` for what is declared to be another key; `ERR_HSM_UNWRAP`; `ERR_HSM_MATERIAL_ID`
   */
  async unwrap(keys: AgreedKeys, wrapped: WrappedMaterial, binding: MaterialBinding): Promise<StoredMaterial> {
    const isDeclaredAes256 =
      wrapped.class === 'CKO_SECRET_KEY' && wrapped.keyType === 'CKK_AES' && wrapped.lengthOctets === 32;
    if (!isDeclaredAes256) throw new HsmError('ERR_HSM_TYPE', 'the material is declared to be no AES-256 key');
    if (wrapped.materialId !== binding.materialId) {
      throw new HsmError('ERR_HSM_MATERIAL_ID', 'the wrapped material is not the one that was asked for');
    }
    if (!binding.multiRegion) {
      throw new HsmError('ERR_HSM_POLICY_REFUSED', 'only material of a multi-Region key comes from another region');
    }
    return this.#storage.importUnder(this.#agreementKeys.wrappingKeyOf(keys, 'unwrap'), wrapped.blob, binding);
  }

  /** Destroys the objects and checks that they are gone. Never fails for objects that a lost session has already taken. */
  release(...objects: readonly (EphemeralKey | AgreedKeys)[]): Promise<void> {
    return this.#agreementKeys.release(...objects);
  }

  /** Ephemeral objects (agreement and session keys) that this process still holds; 0 when nothing is in flight. */
  ephemeralCount(): Promise<number> {
    return this.#agreementKeys.count();
  }

  /** What `status` shows; works also after the HSM has stopped. */
  async describe(): Promise<RegionHsmDescription> {
    const { failure, undestroyed } = this.#jobs.health;
    const whileWorking = async <Value>(ask: () => Promise<Value>, otherwise: Value): Promise<Value> =>
      failure === null ? ask() : otherwise;
    const { enforcesExtractable, enforcesWrapWithTrusted, enforcesAllowedMechanisms } = this.#capabilities;
    return {
      state: failure === null ? 'working' : `stopped: ${failure.message}`,
      fingerprint: this.fingerprint,
      epoch: this.#jobs.epoch,
      domainKeys: await whileWorking(() => this.#domainKeys.ids(KEY_LABELS.domainKey), []),
      singleRegionDomainKeys: await whileWorking(() => this.#domainKeys.ids(KEY_LABELS.singleRegionDomainKey), []),
      domainKeyIsTrusted: this.#trust.isTrusted,
      recordKeys: await whileWorking(() => this.#recordKey.ids(), []),
      signingKeys: await whileWorking(async () => (await this.#signingKeys.list()).map(({ kid }) => kid), []),
      suites: this.suites,
      dataSuites: this.dataSuites,
      missing: this.#capabilities.missing,
      enforcedByToken: {
        extractable: enforcesExtractable,
        wrapWithTrusted: enforcesWrapWithTrusted,
        allowedMechanisms: enforcesAllowedMechanisms,
        singleRegion: this.#trust.bindsSingleRegion,
        singleRegionUnreadable: this.#trust.hidesSingleRegion,
      },
      loadedKeys: this.#storage.loadedCount,
      ephemeralKeys: await whileWorking(() => this.ephemeralCount(), 0),
      undestroyed,
    };
  }

  /** Takes the loaded backing keys out of the token. The executor stays with whoever opened it. */
  close(): Promise<void> {
    return this.#storage.unloadAll();
  }
}
