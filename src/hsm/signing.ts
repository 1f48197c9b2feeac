import { createHash, type KeyObject } from 'node:crypto';
import { Job } from '../token/job.js';
import { publicKeyTemplate } from '../token/public_key.js';
import { CKR } from '../token/return_value.js';
import { digestInfo } from '../wire/digest_info.js';
import { decodeEcdsaSignature, encodeEcdsaSignature } from '../wire/ecdsa_signature.js';
import { signingSteps, type SigningSteps } from './algorithm.js';
import { assertFact, type HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { parsePublicHalf, privateKeySpec } from './key_spec.js';
import { withLoaded, type KeyStorage } from './key_storage.js';
import type { StoredMaterial } from './material.js';
import { isSignatureOf } from './signature.js';

/** What is signed: a message, hashed here or by the token, or a digest that the caller made. */
export interface SignedInput {
  readonly kind: 'message' | 'digest';
  readonly octets: Uint8Array;
}

/** Signs and verifies in the token with backing keys of asymmetric specs. */
export class Signing {
  readonly #jobs: HsmJobs;
  readonly #storage: KeyStorage;
  readonly #capabilities: HsmCapabilities;

  constructor(jobs: HsmJobs, storage: KeyStorage, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    this.#storage = storage;
    this.#capabilities = capabilities;
  }

  /**
   * Signs, and verifies what was signed before it is returned: a signature with a fault could tell the key.
   *
   * @param algorithm - a signing algorithm of AWS KMS that the key's spec has
   * @returns RSA: the signature of RFC 8017; ECDSA: DER; Ed25519: 64 octets
   * @throws {@link HsmError} `ERR_HSM_STRATEGY` naming the mechanism; `ERR_HSM_SELF_TEST`, and the HSM stops
   */
  async sign(material: StoredMaterial, algorithm: string, input: SignedInput): Promise<Uint8Array> {
    const steps = this.#stepsOf(algorithm);
    const publicHalf = publicHalfOf(material);
    const data = dataToSign(steps, algorithm, input);
    return this.#jobs.healing(async () => {
      const signature = await withLoaded(this.#storage, material, async (key) => {
        const job = new Job('sign', algorithm);
        const output = job.sign(steps.mechanism, key.handle, data);
        return (await this.#jobs.run(job)).bytes(output);
      });
      const isGood =
        input.kind === 'message'
          ? await isSignatureOf(publicHalf, steps, input.octets, signature)
          : await this.#verifies(publicHalf, steps, algorithm, data, signature);
      if (!isGood) {
        throw this.#jobs.health.stop('the token made a signature that does not verify', {
          keyId: material.binding.keyId,
        });
      }
      return steps.scheme === 'ecdsa' ? encodeEcdsaSignature(signature) : signature;
    });
  }

  /**
   * Verifies in the token, with the public half as a session object.
   *
   * @returns false for every signature that is none, also one that is not encoded as it should be
   * @throws {@link HsmError} `ERR_HSM_STRATEGY` naming the mechanism; `ERR_HSM_RECORD`
   */
  async verify(
    material: StoredMaterial,
    algorithm: string,
    input: SignedInput,
    signature: Uint8Array,
  ): Promise<boolean> {
    const steps = this.#stepsOf(algorithm);
    const data = dataToSign(steps, algorithm, input);
    const publicHalf = publicHalfOf(material);
    const raw = rawSignature(steps, material, signature);
    if (raw === null) return false;
    return this.#jobs.healing(async () => {
      // Loading checks the record: a row with another public half verifies nothing.
      await withLoaded(this.#storage, material, async () => undefined);
      const isGood = await this.#verifies(publicHalf, steps, algorithm, data, raw);
      if (!isGood && input.kind === 'message' && (await isSignatureOf(publicHalf, steps, input.octets, raw))) {
        throw new HsmError('ERR_HSM_UNAVAILABLE', 'the token refuses a signature that is good', {
          details: { keyId: material.binding.keyId, algorithm },
        });
      }
      return isGood;
    });
  }

  async #verifies(
    publicHalf: KeyObject,
    steps: SigningSteps,
    algorithm: string,
    data: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean> {
    const job = new Job('verify', algorithm);
    const key = job.createObject(publicKeyTemplate(publicHalf, 'verify', this.#capabilities.ed25519Parameters));
    const verification = job.attempt();
    job.verify(steps.mechanism, key, data, signature);
    const rv = (await this.#jobs.run(job)).rv(verification);
    if (rv === CKR.CKR_MECHANISM_INVALID || rv === CKR.CKR_MECHANISM_PARAM_INVALID) {
      throw new HsmError('ERR_HSM_MECHANISM', `the token refused to verify ${algorithm}`);
    }
    // Which value a token returns for a bad signature depends on the token, and on what failed in it before.
    return rv === CKR.CKR_OK;
  }

  #stepsOf(algorithm: string): SigningSteps {
    const steps = signingSteps(algorithm);
    if (steps === undefined) {
      throw new HsmError('ERR_HSM_STRATEGY', `the token cannot do ${algorithm}: CKM_EDDSA with CK_EDDSA_PARAMS`);
    }
    if (steps.needs !== null) assertFact(this.#capabilities, steps.needs, algorithm);
    return steps;
  }
}

/** What is given to `C_Sign`. HAZARD: CKM_ECDSA signs the first octets of whatever it is given; only whole digests may reach it. */
function dataToSign(steps: SigningSteps, algorithm: string, input: SignedInput): Uint8Array {
  if (steps.scheme === 'ed25519') {
    if (input.kind === 'message') return input.octets;
    throw new RangeError(`${algorithm} signs messages and no digests`);
  }
  const digest = input.kind === 'message' ? createHash(steps.hash).update(input.octets).digest() : input.octets;
  if (digest.length !== steps.digestOctets) {
    throw new RangeError(`a digest of ${algorithm} has ${steps.digestOctets} octets`);
  }
  return steps.scheme === 'pkcs1' ? digestInfo(steps.hash, digest) : digest;
}

/** A signature as tokens take it; null for one that has not the form of the algorithm's signatures. */
function rawSignature(steps: SigningSteps, material: StoredMaterial, signature: Uint8Array): Uint8Array | null {
  const spec = privateKeySpec(material.binding.keySpec);
  if (spec?.kind === 'rsa') return signature.length === spec.modulusBits / 8 ? signature : null;
  const octets = spec?.curve.coordinateOctets ?? 0;
  if (steps.scheme === 'ecdsa') return decodeEcdsaSignature(signature, octets);
  return signature.length === 2 * octets ? signature : null;
}

/** Public halves of material in use: parsing one costs as much as a signature of P-256 in the token. Stored material never changes. */
const publicHalves = new WeakMap<StoredMaterial, KeyObject>();

/** The public half that is stored with a private key. @throws {@link HsmError} `ERR_HSM_TYPE` */
export function publicHalfOf(material: StoredMaterial): KeyObject {
  const known = publicHalves.get(material);
  if (known !== undefined) return known;
  const { keySpec, keyId } = material.binding;
  const publicHalf = parsePublicHalf(keySpec, material.publicKey);
  if (publicHalf === null) {
    throw new HsmError('ERR_HSM_TYPE', `key ${keyId} has no public half`, { details: { keyId } });
  }
  publicHalves.set(material, publicHalf);
  return publicHalf;
}
