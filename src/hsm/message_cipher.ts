import { concat } from '../bytes.js';
import { TokenError } from '../token/errors.js';
import { Job, type BytesOperand, type JobResult, type Output } from '../token/job.js';
import {
  additionalData,
  encodeCiphertextHeader,
  parseCiphertextBlob,
  PLAINTEXT_OCTETS_MAX,
  type CiphertextBlob,
  type DataSuite,
} from '../wire/ciphertext_blob.js';
import type { HsmCapabilities } from './capability.js';
import { assertDataKeyPair, generateReadablePair, unreadablePair } from './data_key_pair.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { openOaep, sealOaep } from './key_operations.js';
import { withLoaded, type KeyStorage, type LoadedKey } from './key_storage.js';
import type { KeySpec, StoredMaterial } from './material.js';
import { gcm, messageKey, ownIvPlaceOf, sealingGcm } from './message_key.js';
import { RandomPool } from './random_pool.js';

/** Encryption context of a request: any order; authenticated, not secret. */
type EncryptionContext = Readonly<Record<string, string>>;

/** One side of a re-encryption; with RSA the algorithm says by which hash, and the context is empty. */
export interface ReEncryptionSide {
  readonly material: StoredMaterial;
  readonly algorithm: string;
  readonly context: EncryptionContext;
}

const SYMMETRIC = 'SYMMETRIC_DEFAULT';
const NONCE_OCTETS = 16;
const IV_OCTETS = 12;

/**
 * Encrypts and decrypts messages, each under a key of its own that the token derives from the backing key and destroys again.
 *
 * The attributes of message keys are not read back each time: that takes SoftHSM2 from 80 to 290 µs a message and softoken from 4 to 12.
 * Their template is fixed, and the self-test at open reads the attributes of one message key of each suite and use back.
 */
export class MessageCipher {
  readonly #jobs: HsmJobs;
  readonly #storage: KeyStorage;
  readonly #capabilities: HsmCapabilities;
  readonly #random: RandomPool;

  constructor(jobs: HsmJobs, storage: KeyStorage, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    this.#storage = storage;
    this.#capabilities = capabilities;
    this.#random = new RandomPool(jobs);
  }

  /** Encrypts 1–4,096 octets; a ciphertext blob. */
  async encrypt(material: StoredMaterial, context: EncryptionContext, plaintext: Uint8Array): Promise<Uint8Array> {
    if (plaintext.length < 1 || plaintext.length > PLAINTEXT_OCTETS_MAX) {
      throw new RangeError(`a plaintext has 1 to ${PLAINTEXT_OCTETS_MAX} octets`);
    }
    const suite = this.#suiteOf(material);
    return this.#jobs.healing(() =>
      this.#with(material, async (key) => {
        const job = new Job('encrypt', suite);
        const sealed = await this.#seal(job, material, key, context, plaintext);
        return sealed(await this.#jobs.run(job));
      }),
    );
  }

  /**
   * Decrypts a blob of this material.
   *
   * @throws {@link HsmError} `ERR_HSM_CIPHERTEXT`, whatever is wrong with the blob
   */
  async decrypt(material: StoredMaterial, context: EncryptionContext, blob: Uint8Array): Promise<Uint8Array> {
    const parsed = this.#parse(material, blob);
    return this.#jobs.healing(() =>
      this.#with(material, async (key) => {
        const job = new Job('decrypt', parsed.suite);
        const plaintext = job.decrypt(...opening(job, material, key, context, parsed));
        return (await this.#jobs.run(job)).bytes(plaintext);
      }),
    );
  }

  /**
   * Decrypts and encrypts again in one job; the plaintext stays in native memory. Either side may be RSA.
   *
   * @throws {@link HsmError} `ERR_HSM_CIPHERTEXT`; `ERR_HSM_TOO_LONG` for what an RSA key cannot take
   */
  async reEncrypt(
    source: ReEncryptionSide & { readonly blob: Uint8Array },
    destination: ReEncryptionSide,
  ): Promise<Uint8Array> {
    const { blob } = source;
    const parsed = source.algorithm === SYMMETRIC ? this.#parse(source.material, blob) : null;
    if (destination.algorithm === SYMMETRIC) this.#suiteOf(destination.material);
    return this.#jobs.healing(() =>
      this.#with(source.material, (sourceKey) =>
        this.#with(destination.material, async (destinationKey) => {
          const job = new Job('re-encrypt', destination.material.binding.dataSuite ?? destination.algorithm);
          const plaintext =
            parsed === null
              ? openOaep(job, this.#capabilities, { ...source, key: sourceKey, ciphertext: blob })
              : job.decryptToSecret(...opening(job, source.material, sourceKey, source.context, parsed));
          if (destination.algorithm !== SYMMETRIC) {
            const { material, algorithm } = destination;
            const sealed = sealOaep(job, this.#capabilities, material, algorithm, plaintext);
            return (await this.#sealing(job, destination)).bytes(sealed);
          }
          const sealed = await this.#seal(job, destination.material, destinationKey, destination.context, plaintext);
          return sealed(await this.#jobs.run(job));
        }),
      ),
    );
  }

  /**
   * Runs a job that ends with an encryption under an RSA key.
   *
   * What was decrypted never comes here, and tokens refuse what is too long for a key in words of their own. One that refuses it, and
   * under the same key does encrypt a single octet, has refused its length.
   */
  async #sealing(job: Job, { material, algorithm }: ReEncryptionSide): Promise<JobResult> {
    try {
      return await this.#jobs.run(job);
    } catch (error) {
      if (!(error instanceof HsmError) || !(error.cause instanceof TokenError)) throw error;
      if (error.code !== 'ERR_HSM_UNAVAILABLE' || error.cause.call !== 'C_Encrypt') throw error;
      const control = new Job('encrypt one octet', algorithm);
      sealOaep(control, this.#capabilities, material, algorithm, control.randomSecret(1));
      await this.#jobs.run(control);
      throw new HsmError('ERR_HSM_TOO_LONG', 'the plaintext is longer than the key can encrypt', { cause: error });
    }
  }

  /** A random data key, encrypted; its plaintext only where `reveal` asks for it. */
  async generateDataKey(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly octets: number; readonly reveal: boolean },
  ): Promise<{ readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }> {
    const suite = this.#suiteOf(material);
    return this.#jobs.healing(() =>
      this.#with(material, async (key) => {
        const job = new Job('generate data key', suite);
        const dataKey = job.randomSecret(options.octets);
        const sealed = await this.#seal(job, material, key, context, dataKey);
        const plaintext = options.reveal ? job.reveal(dataKey) : null;
        const result = await this.#jobs.run(job);
        return { blob: sealed(result), plaintext: plaintext === null ? null : result.bytes(plaintext) };
      }),
    );
  }

  /**
   * A key pair of the caller's: the public half, and the private half as PKCS#8, encrypted; in clear only where `reveal` asks for it.
   *
   * @throws {@link HsmError} `ERR_HSM_STRATEGY` where the token makes no such pair, or none whose private half can be told
   */
  async generateDataKeyPair(
    material: StoredMaterial,
    context: EncryptionContext,
    options: { readonly keySpec: KeySpec; readonly reveal: boolean },
  ): Promise<{ readonly publicKey: Uint8Array; readonly blob: Uint8Array; readonly plaintext: Uint8Array | null }> {
    const suite = this.#suiteOf(material);
    assertDataKeyPair(this.#capabilities, options.keySpec);
    return this.#jobs.healing(() =>
      this.#with(material, async (key) => {
        const job = new Job('generate data key pair', suite);
        const pair = generateReadablePair(job, options.keySpec, this.#capabilities);
        const sealed = await this.#seal(job, material, key, context, pair.pkcs8);
        const plaintext = options.reveal ? job.reveal(pair.pkcs8) : null;
        const result = await this.#jobs.run(job).catch((error: unknown) => {
          throw unreadablePair(error, options.keySpec) ?? error;
        });
        return {
          publicKey: pair.publicKey(result),
          blob: sealed(result),
          plaintext: plaintext === null ? null : result.bytes(plaintext),
        };
      }),
    );
  }

  /** Adds the encryption to a job; what comes back makes the blob from the job's result. */
  async #seal(
    job: Job,
    material: StoredMaterial,
    key: LoadedKey,
    context: EncryptionContext,
    plaintext: BytesOperand,
  ): Promise<(result: { bytes(output: Output<'bytes'>): Uint8Array }) => Uint8Array> {
    const { binding } = material;
    const suite = this.#suiteOf(material);
    const told = ownIvPlaceOf(suite, this.#capabilities);
    const taken = this.#random.take(told === null ? NONCE_OCTETS + IV_OCTETS : NONCE_OCTETS);
    const octets = taken instanceof Uint8Array ? taken : await taken;
    const nonce = octets.subarray(0, NONCE_OCTETS);
    const iv = octets.subarray(NONCE_OCTETS);
    const known = { suite, materialId: binding.materialId, nonce };
    const header = encodeCiphertextHeader(told === null ? { ...known, iv } : known);
    const aad = additionalData(header, binding.keyId, context);
    const sealingKey = messageKey(job, suite, key.handle, nonce, 'encrypt');
    const sealed = job.encrypt(sealingGcm(told, iv, aad), sealingKey, plaintext);
    return (result) => {
      const ciphertext = result.bytes(sealed);
      if (told !== null) this.#assertTold(ciphertext);
      return concat(header, ciphertext);
    };
  }

  /** A token that leaves the place of its IV as it was has told none, and what it has encrypted is lost. */
  #assertTold(ciphertext: Uint8Array): void {
    if (ciphertext.subarray(0, IV_OCTETS).some((octet) => octet !== 0)) return;
    throw this.#jobs.health.stop('the token did not tell the IV that it encrypted with');
  }

  #parse(material: StoredMaterial, blob: Uint8Array): CiphertextBlob {
    const parsed = parseCiphertextBlob(blob);
    const { binding } = material;
    if (parsed === null || parsed.materialId !== binding.materialId || parsed.suite !== binding.dataSuite) {
      throw new HsmError('ERR_HSM_CIPHERTEXT', 'the ciphertext does not decrypt');
    }
    this.#assertSuite(parsed.suite, this.#capabilities.readableDataSuites);
    return parsed;
  }

  #suiteOf({ binding }: StoredMaterial): DataSuite {
    if (binding.dataSuite !== null) return this.#assertSuite(binding.dataSuite);
    throw new HsmError('ERR_HSM_TYPE', `a ${binding.keySpec} key makes no message keys`);
  }

  #assertSuite(suite: DataSuite, usable = this.#capabilities.dataSuites): DataSuite {
    if (usable.includes(suite)) return suite;
    const reason =
      this.#capabilities.missing.find((missing) => missing.strategy === suite)?.reason ?? 'not in its profile';
    throw new HsmError('ERR_HSM_STRATEGY', `the token cannot do ${suite}: ${reason}`, { details: { suite, reason } });
  }

  #with<Result>(material: StoredMaterial, use: (key: LoadedKey) => Promise<Result>): Promise<Result> {
    return withLoaded(this.#storage, material, use);
  }
}

/** Adds the derivation to a job and gives what `C_Decrypt` takes. */
function opening(
  job: Job,
  material: StoredMaterial,
  key: LoadedKey,
  context: EncryptionContext,
  blob: CiphertextBlob,
): [ReturnType<typeof gcm>, ReturnType<typeof messageKey>, Uint8Array] {
  return [
    gcm(blob.iv, additionalData(blob.header, material.binding.keyId, context)),
    messageKey(job, blob.suite, key.handle, blob.nonce, 'decrypt'),
    blob.ciphertextAndTag,
  ];
}
