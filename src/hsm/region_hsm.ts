import { randomBytes } from 'node:crypto';
import { LIMITS } from '../limits.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { ReplicationSuite } from '../wire/suite.js';
import { AgreementKeys, type AgreedKeys, type Agreement, type EphemeralKey } from './agreement_key.js';
import type { HsmCapabilities } from './capability.js';
import { refusalOfDataKeyPair } from './data_key_pair.js';
import { DomainKeys } from './domain_key.js';
import { HsmError } from './errors.js';
import { HsmHealth } from './health.js';
import { RegionImports } from './import_region.js';
import type { ImportCapabilities } from './import_strategy.js';
import { HsmJobs, type JobRunner } from './job_runner.js';
import { KeyOperations, refusalOfSpec } from './key_operations.js';
import type {
  KeySpec,
  KeyStorageKind,
  KeyUsage,
  MaterialBinding,
  StoredMaterial,
  WrappedMaterial,
} from './material.js';
import { MessageCipher, type ReEncryptionSide } from './message_cipher.js';
import type { RegionHsmDescription } from './region_description.js';
import { randomOctets } from './random_pool.js';
import { RecordKey } from './record_key.js';
import { RegionStorage } from './region_storage.js';
import { SelfTest } from './self_test.js';
import { singleRegionEnforcement, singleRegionTrust, type SingleRegionTrust } from './single_region_trust.js';
import { Signing, type SignedInput } from './signing.js';
import { SigningKeys, type SigningKeyInfo } from './signing_key.js';
import { KEY_LABELS } from './token_keys.js';
import { TokenObjects, type TokenFiles, type TokenObjectLedger } from './token_object.js';
import { TokenStorage } from './token_storage.js';
import { assertIsMaterialOf, declarationOf, isAsLongAsDeclared } from './wrapped_material.js';
import { WrappedStorage } from './wrapped_storage.js';
import { refusalOfExport } from './wrapping_refusal.js';

export type { RegionHsmDescription } from './region_description.js';

type EncryptionContext = Readonly<Record<string, string>>;

/** What a region's HSM is opened on. */
export interface RegionHsmOptions {
  /** The token's executor, logged in. */
  readonly runner: JobRunner;
  readonly capabilities: HsmCapabilities;
  /** Backing keys kept loaded at most; {@link LIMITS.hsmLoadedKeysMax} if left out. */
  readonly loadedKeysMax?: number;
  /** Where new keys rest, and who writes down which token objects were made for keys; wrapped keys alone if left out. */
  readonly storage?: {
    readonly kind: KeyStorageKind;
    readonly ledger: TokenObjectLedger;
    /** Files of a token that does not sync them. */
    readonly files?: TokenFiles;
  };
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
  readonly #storage: RegionStorage;
  readonly #objects: TokenObjects | null;
  readonly #cipher: MessageCipher;
  readonly #signing: Signing;
  readonly #operations: KeyOperations;
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
    const parts = {
      jobs,
      capabilities: this.#capabilities,
      domainKeys,
      recordKey: this.#recordKey,
      loadedKeysMax: options.loadedKeysMax ?? LIMITS.hsmLoadedKeysMax,
    };
    this.#objects =
      options.storage === undefined ? null : new TokenObjects(jobs, options.storage.ledger, options.storage.files);
    this.#storage = new RegionStorage(
      options.storage?.kind ?? 'wrapped',
      new WrappedStorage(parts),
      this.#objects === null ? null : new TokenStorage({ ...parts, objects: this.#objects }),
    );
    this.#cipher = new MessageCipher(jobs, this.#storage, this.#capabilities);
    this.#signing = new Signing(jobs, this.#storage, this.#capabilities);
    this.#operations = new KeyOperations(jobs, this.#storage, this.#capabilities);
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

  /** Makes a backing key in the token; it comes back wrapped under the domain key, or as the token object that it is. */
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

  /** Decrypts and encrypts again in one job; the plaintext stays in native memory. Either side may be RSA. */
  reEncrypt(
    source: ReEncryptionSide & { readonly blob: Uint8Array },
    destination: ReEncryptionSide,
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

  /** A key pair of the caller's: the private half as PKCS#8, encrypted; in clear only where `reveal` asks for it. */
  generateDataKeyPair(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly keySpec: KeySpec; readonly reveal: boolean },
  ): Promise<{ readonly publicKey: Uint8Array; readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }> {
    return this.#cipher.generateDataKeyPair(material, context, options);
  }

  /** Why this token makes no data key pairs of a spec, naming the mechanisms; undefined where it does. */
  refusalOfDataKeyPair(keySpec: KeySpec): string | undefined {
    return refusalOfDataKeyPair(this.#capabilities, keySpec);
  }

  /**
   * What takes imported material into this HSM.
   *
   * @param plans - how each wrapping algorithm is carried out, by the profile and the configuration
   */
  openImports(plans: ImportCapabilities): RegionImports {
    const parts = { jobs: this.#jobs, capabilities: this.#capabilities, domainKeys: this.#domainKeys };
    return new RegionImports({ ...parts, recordKey: this.#recordKey }, this.#storage, plans);
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

  /** With a replication signing key: ECDSA P-384 over SHA-384 of the octets, r || s, 96 octets, verified in software. */
  sign(kid: string, octets: Uint8Array): Promise<Uint8Array>;
  /**
   * With a backing key, by a signing algorithm of AWS KMS; verified before it is returned.
   *
   * @returns RSA: the raw signature; ECDSA: DER (RFC 3279); Ed25519: 64 octets
   * @throws {@link HsmError} `ERR_HSM_STRATEGY`, naming the mechanism that the token lacks
   */
  sign(material: StoredMaterial, algorithm: string, input: SignedInput): Promise<Uint8Array>;
  sign(key: string | StoredMaterial, second: string | Uint8Array, input?: SignedInput): Promise<Uint8Array> {
    if (typeof key === 'string' && typeof second !== 'string') return this.#signingKeys.sign(key, second);
    if (typeof key === 'string' || typeof second !== 'string' || input === undefined) {
      throw new TypeError('a signing key signs octets, and a backing key signs by an algorithm');
    }
    return this.#signing.sign(key, second, input);
  }

  /** Whether a signature is one of this key; verified in the token. */
  verify(material: StoredMaterial, algorithm: string, input: SignedInput, signature: Uint8Array): Promise<boolean> {
    return this.#signing.verify(material, algorithm, input, signature);
  }

  /** Destroys what the token has of material whose record is gone, once nobody uses it; does nothing where it has nothing. */
  unload(material: StoredMaterial): Promise<void> {
    return this.#storage.destroy(material);
  }

  /** Destroys token objects that were made for a key and that no record uses; how many. */
  async destroyUnusedObjects(): Promise<number> {
    return (await this.#objects?.destroyUnused()) ?? 0;
  }

  /** Why this token cannot hold and use such a key, naming the mechanisms; undefined where it can. */
  refusalOfSpec(keySpec: KeySpec, keyUsage: KeyUsage): string | undefined {
    return refusalOfSpec(this.#capabilities, keySpec, keyUsage, this.#storage.kind);
  }

  /** Why this token can never wrap keys of a spec for another region, naming the mechanisms; undefined where it may. */
  refusalOfExport(keySpec: KeySpec): string | undefined {
    return refusalOfExport(keySpec, this.#capabilities);
  }

  /** HMAC of the whole message, made in the token. */
  generateMac(material: StoredMaterial, algorithm: string, message: Uint8Array): Promise<Uint8Array> {
    return this.#operations.generateMac(material, algorithm, message);
  }

  /** RSAES-OAEP under the public half, in the token. */
  encryptRsa(material: StoredMaterial, algorithm: string, plaintext: Uint8Array): Promise<Uint8Array> {
    return this.#operations.encryptRsa(material, algorithm, plaintext);
  }

  /** RSAES-OAEP; `ERR_HSM_CIPHERTEXT` for everything that fails. */
  decryptRsa(material: StoredMaterial, algorithm: string, ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#operations.decryptRsa(material, algorithm, ciphertext);
  }

  /** ECDH with a peer's public key of the key's curve, DER SubjectPublicKeyInfo: the x coordinate. */
  deriveSharedSecret(material: StoredMaterial, peerPublicKey: Uint8Array): Promise<Uint8Array> {
    return this.#operations.deriveSharedSecret(material, peerPublicKey);
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
    const { materialId, keySpec } = material.binding;
    if (!isAsLongAsDeclared(keySpec, blob)) {
      throw new HsmError('ERR_HSM_TYPE', `the material is longer than a ${keySpec} key that can be replicated`);
    }
    return { materialId, ...declarationOf(keySpec), publicKey: material.publicKey, blob };
  }

  /**
   * Unwraps under RWK with a template of this region's own, reads every attribute back, identifies the material in the token,
   * and wraps under the domain key.
   *
   * @throws {@link HsmError} `ERR_HSM_TYPE` for what is declared to be another key; `ERR_HSM_UNWRAP`; `ERR_HSM_MATERIAL_ID`
   */
  async unwrap(keys: AgreedKeys, wrapped: WrappedMaterial, binding: MaterialBinding): Promise<StoredMaterial> {
    assertIsMaterialOf(binding, wrapped);
    const unwrappingKey = this.#agreementKeys.wrappingKeyOf(keys, 'unwrap');
    const mechanism = { type: this.#capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
    return this.#storage.adopt(binding, 'unwrap from another region', {
      publicKey: wrapped.publicKey,
      make: (job, template) => job.unwrapKey(mechanism, unwrappingKey, wrapped.blob, template),
    });
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
    // All at once: one wait for the token instead of five.
    const [domainKeys, singleRegionDomainKeys, recordKeys, signingKeys, ephemeralKeys] = await Promise.all([
      whileWorking(() => this.#domainKeys.ids(KEY_LABELS.domainKey), []),
      whileWorking(() => this.#domainKeys.ids(KEY_LABELS.singleRegionDomainKey), []),
      whileWorking(() => this.#recordKey.ids(), []),
      whileWorking(async () => (await this.#signingKeys.list()).map(({ kid }) => kid), []),
      whileWorking(() => this.ephemeralCount(), 0),
    ]);
    return {
      state: failure === null ? 'working' : `stopped: ${failure.message}`,
      fingerprint: this.fingerprint,
      epoch: this.#jobs.epoch,
      domainKeys,
      singleRegionDomainKeys,
      domainKeyIsTrusted: this.#trust.isTrusted,
      recordKeys,
      signingKeys,
      suites: this.suites,
      dataSuites: this.dataSuites,
      missing: this.#capabilities.missing,
      enforcedByToken: {
        extractable: enforcesExtractable,
        wrapWithTrusted: enforcesWrapWithTrusted,
        allowedMechanisms: enforcesAllowedMechanisms,
        ...singleRegionEnforcement(this.#storage.kind, this.#trust, this.#capabilities),
      },
      keyStorage: this.#storage.kind,
      tokenObjects: this.#objects?.count ?? 0,
      loadedKeys: this.#storage.loadedCount,
      ephemeralKeys,
      undestroyed,
    };
  }

  /** Takes the loaded backing keys out of the token. The executor stays with whoever opened it. */
  close(): Promise<void> {
    return this.#storage.unloadAll();
  }
}
