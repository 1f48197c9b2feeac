import {
  CKA_CLASS,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKD_NULL,
  CKK_GENERIC_SECRET,
  CKM_ECDH1_DERIVE,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import { Job, type BytesOperand, type Output, type SecretRef } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import type { FactName } from '../token/profile.js';
import { publicKeyTemplate } from '../token/public_key.js';
import { template } from '../token/template.js';
import { parsePublicKey, pointOf } from '../wire/public_key.js';
import { oaepSteps } from './algorithm.js';
import { assertFact, type HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { privateKeySpec, specInToken } from './key_spec.js';
import { withLoaded, type KeyStorage, type LoadedKey } from './key_storage.js';
import type { KeySpec, KeyStorageKind, KeyUsage, StoredMaterial } from './material.js';
import { publicHalfOf } from './signing.js';

/** What a pair needs only where it rests wrapped, or is to be replicated. */
const factsOfWrappedPairs: ReadonlySet<FactName> = new Set<FactName>([
  'rsaPrivateWrap',
  'rsaPrivateUnwrap',
  'ecPrivateWrap',
  'ecPrivateUnwrap',
]);

/**
 * Why this token cannot hold and use keys of a spec and usage, naming the mechanisms; undefined where it can.
 */
export function refusalOfSpec(
  capabilities: HsmCapabilities,
  keySpec: KeySpec,
  keyUsage: KeyUsage,
  storage: KeyStorageKind = 'wrapped',
): string | undefined {
  const spec = specInToken(keySpec);
  const usage = spec.usages[keyUsage];
  if (usage === undefined) return `a ${keySpec} key is not for ${keyUsage}`;
  if (spec.kind === 'rsa' && spec.modulusBits > capabilities.rsaModulusBitsMax) {
    return `CKM_RSA_PKCS_KEY_PAIR_GEN: the token makes at most ${capabilities.rsaModulusBitsMax} bits`;
  }
  const refusals = usage.needs.flatMap((oneOf) => {
    if (storage === 'token' && oneOf.every((fact) => factsOfWrappedPairs.has(fact))) return [];
    const refused = oneOf.flatMap((fact) => capabilities.refusedFacts[fact] ?? []);
    return refused.length === oneOf.length ? refused : [];
  });
  return refusals.length === 0 ? undefined : refusals.join('; ');
}

/** What the token does with backing keys besides messages and signatures: MACs, RSAES-OAEP and key agreement. */
export class KeyOperations {
  readonly #jobs: HsmJobs;
  readonly #storage: KeyStorage;
  readonly #capabilities: HsmCapabilities;

  constructor(jobs: HsmJobs, storage: KeyStorage, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    this.#storage = storage;
    this.#capabilities = capabilities;
  }

  /** HMAC of the whole message, as long as its digest. Whoever verifies compares: some tokens compare MACs without their length. */
  async generateMac(material: StoredMaterial, algorithm: string, message: Uint8Array): Promise<Uint8Array> {
    const spec = specInToken(material.binding.keySpec);
    if (spec.kind !== 'hmac' || algorithm !== `HMAC_SHA_${material.binding.keySpec.slice('HMAC_'.length)}`) {
      throw new HsmError('ERR_HSM_TYPE', `a ${material.binding.keySpec} key makes no MACs by ${algorithm}`);
    }
    return this.#run(material, (key) => {
      const job = new Job('generate MAC', algorithm);
      return [job, job.sign({ type: spec.mac, parameter: { kind: 'none' } }, key.handle, message)];
    });
  }

  /** RSAES-OAEP under the public half. @throws {@link HsmError} `ERR_HSM_STRATEGY`, naming mechanism and hash */
  encryptRsa(material: StoredMaterial, algorithm: string, plaintext: Uint8Array): Promise<Uint8Array> {
    return this.#run(material, () => {
      const job = new Job('encrypt', algorithm);
      return [job, sealOaep(job, this.#capabilities, material, algorithm, plaintext)];
    });
  }

  /**
   * RSAES-OAEP.
   *
   * @throws {@link HsmError} `ERR_HSM_CIPHERTEXT` for everything that fails; `ERR_HSM_STRATEGY`
   */
  async decryptRsa(material: StoredMaterial, algorithm: string, ciphertext: Uint8Array): Promise<Uint8Array> {
    const mechanism = openingMechanism(this.#capabilities, material, algorithm, ciphertext);
    return this.#run(material, (key) => {
      const job = new Job('decrypt', algorithm);
      return [job, job.decrypt(mechanism, key.handle, ciphertext)];
    });
  }

  /**
   * ECDH: the x coordinate of the shared point, which the token derives as an object that can be read, and destroys.
   *
   * @param peerPublicKey - DER SubjectPublicKeyInfo with an uncompressed point of the key's curve
   * @throws {@link HsmError} `ERR_HSM_TYPE` for any other public key
   * @source NIST SP 800-56A r3 section 5.7.1.2
   */
  async deriveSharedSecret(material: StoredMaterial, peerPublicKey: Uint8Array): Promise<Uint8Array> {
    const { keySpec, keyUsage } = material.binding;
    const spec = privateKeySpec(keySpec);
    const peer = spec === null ? null : parsePublicKey(peerPublicKey, spec);
    if (spec?.kind !== 'curve' || peer === null || keyUsage !== 'KEY_AGREEMENT') {
      throw new HsmError('ERR_HSM_TYPE', `a ${keySpec} key for ${keyUsage} cannot agree with that public key`);
    }
    const octets = spec.curve.coordinateOctets;
    const secret = await this.#run(material, (key) => {
      const job = new Job('derive shared secret', 'ECDH');
      const parameter = { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData: pointOf(peer) } as const;
      const shape = template(
        [CKA_CLASS, CKO_SECRET_KEY],
        [CKA_KEY_TYPE, CKK_GENERIC_SECRET],
        [CKA_TOKEN, false],
        [CKA_PRIVATE, true],
        [CKA_SENSITIVE, false],
        [CKA_EXTRACTABLE, true],
        [CKA_VALUE_LEN, octets],
      );
      const derived = job.deriveKey({ type: CKM_ECDH1_DERIVE, parameter }, key.handle, shape);
      const read = job.readSecret(derived);
      job.destroyObject(derived);
      return [job, job.reveal(read)];
    });
    if (secret.length !== octets) throw this.#jobs.health.stop('the token derived a secret of another length');
    return secret;
  }

  #run(material: StoredMaterial, build: (key: LoadedKey) => readonly [Job, Output<'bytes'>]): Promise<Uint8Array> {
    return this.#jobs.healing(() =>
      withLoaded(this.#storage, material, async (key) => {
        const [job, output] = build(key);
        return (await this.#jobs.run(job)).bytes(output);
      }),
    );
  }
}

/** Adds an encryption under the public half to a job; its record was found to be as stored. */
export function sealOaep(
  job: Job,
  capabilities: HsmCapabilities,
  material: StoredMaterial,
  algorithm: string,
  plaintext: BytesOperand,
): Output<'bytes'> {
  const publicKey = job.createObject(publicKeyTemplate(publicHalfOf(material), 'encrypt'));
  return job.encrypt(oaepMechanism(capabilities, algorithm), publicKey, plaintext);
}

/** Adds a decryption to a job; the plaintext stays in native memory. */
export function openOaep(
  job: Job,
  capabilities: HsmCapabilities,
  {
    material,
    algorithm,
    key,
    ciphertext,
  }: {
    readonly material: StoredMaterial;
    readonly algorithm: string;
    readonly key: LoadedKey;
    readonly ciphertext: Uint8Array;
  },
): SecretRef {
  return job.decryptToSecret(openingMechanism(capabilities, material, algorithm, ciphertext), key.handle, ciphertext);
}

function openingMechanism(
  capabilities: HsmCapabilities,
  material: StoredMaterial,
  algorithm: string,
  ciphertext: Uint8Array,
): Mechanism {
  const mechanism = oaepMechanism(capabilities, algorithm);
  const spec = privateKeySpec(material.binding.keySpec);
  const isWhole = spec?.kind === 'rsa' && ciphertext.length === spec.modulusBits / 8;
  if (!isWhole) throw new HsmError('ERR_HSM_CIPHERTEXT', 'the ciphertext does not decrypt');
  return mechanism;
}

function oaepMechanism(capabilities: HsmCapabilities, algorithm: string): Mechanism {
  const steps = oaepSteps(algorithm);
  if (steps === undefined) throw new HsmError('ERR_HSM_TYPE', `an RSA key does not encrypt by ${algorithm}`);
  assertFact(capabilities, steps.needs, algorithm);
  return steps.mechanism;
}
