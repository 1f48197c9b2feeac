import { constants, createHash, publicEncrypt, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { concat, equalOctets } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_ENCRYPT,
  CKA_KEY_TYPE,
  CKA_MODULUS,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_TOKEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKK_RSA,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_X_509,
  CKO_PUBLIC_KEY,
} from '../token/cryptoki.js';
import { Job } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import type { ObjectHandle } from '../token/object.js';
import { template, type Template } from '../token/template.js';
import { encodeImportKeyRecord } from '../wire/import_key_record.js';
import { encodePublicKey, rsaPublicKey } from '../wire/public_key.js';
import type { HsmCapabilities } from './capability.js';
import type { DomainKeys } from './domain_key.js';
import { HsmError } from './errors.js';
import { oaepMechanism, type OaepHash } from './import_strategy.js';
import type { HsmJobs } from './job_runner.js';
import { assertShape, readBack, templateOf, type KeyShape } from './key_shape.js';
import { narrowUses } from './narrow_uses.js';
import type { RecordKey } from './record_key.js';
import { KEY_LABELS } from './token_keys.js';

/** Sizes of the RSA keys that unwrap imported material. */
export const IMPORT_KEY_SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096'] as const;
export type ImportKeySpec = (typeof IMPORT_KEY_SPECS)[number];

/** Octets of the modulus. */
export const importModulusOctets: Readonly<Record<ImportKeySpec, number>> = {
  RSA_2048: 256,
  RSA_3072: 384,
  RSA_4096: 512,
};

/** An RSA pair of one download of import parameters: its private half wrapped for storage, like a backing key. */
export interface StoredImportKey {
  readonly id: string;
  readonly keySpec: ImportKeySpec;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly exportedKeyToken: Uint8Array;
  readonly domainKeyId: string;
  /** The record key's MAC over all of the above. */
  readonly recordMac: Uint8Array;
}

/** Label of import keys while they are in the token. */
const IMPORT_KEY_LABEL = 'keyferry:import-key';
const EXPONENT_65537 = Uint8Array.of(1, 0, 1);
/** Octets of the plaintext that a new pair is tried with; no secret. */
const TEST_OCTETS = 32;
const RAW_RSA: Mechanism = { type: CKM_RSA_X_509, parameter: { kind: 'none' } };

/** What import keys are made with. */
export interface ImportKeyParts {
  readonly jobs: HsmJobs;
  readonly capabilities: HsmCapabilities;
  readonly domainKeys: DomainKeys;
  readonly recordKey: RecordKey;
  /** The hash with which the token does OAEP by itself, or null where it does not. */
  readonly oaepInToken: OaepHash | null;
}

/**
 * The RSA keys that unwrap imported material: made in the token, one for each download, wrapped under the single-Region domain key, and
 * loaded for one import and for one mechanism.
 *
 * @source docs/IMPORT.md
 */
export class ImportKeys {
  readonly #parts: ImportKeyParts;
  readonly #keyWrapPad: Mechanism;

  constructor(parts: ImportKeyParts) {
    this.#parts = parts;
    this.#keyWrapPad = { type: parts.capabilities.keyWrapPad, parameter: { kind: 'none' } };
  }

  /**
   * Makes a pair, wraps its private half and tries what was wrapped: what is handed out has decrypted once.
   *
   * @throws {@link HsmError} `ERR_HSM_SELF_TEST` for a pair whose halves do not fit; the HSM stops
   */
  generate(keySpec: ImportKeySpec): Promise<StoredImportKey> {
    const { jobs, capabilities, domainKeys, recordKey } = this.#parts;
    return jobs.healing(async () => {
      const domainKey = await domainKeys.active(KEY_LABELS.singleRegionDomainKey);
      const shape = this.#shape({ uses: [], extractable: true });
      const job = new Job('generate import key', keySpec);
      const { publicKey, privateKey } = job.generateKeyPair(
        { type: CKM_RSA_PKCS_KEY_PAIR_GEN, parameter: { kind: 'none' } },
        publicTemplate(keySpec),
        templateOf(shape, 'generate', capabilities),
      );
      const attributes = readBack(job, privateKey, shape, capabilities);
      const numbers = job.getAttributes(publicKey, [CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
      const wrapped = job.wrapKey(this.#keyWrapPad, domainKey.handle, privateKey);
      job.destroyObject(privateKey);
      job.destroyObject(publicKey);
      const result = await jobs.run(job);
      assertShape(result.attributes(attributes), shape, capabilities);
      const told = result.attributes(numbers);
      const modulus = told.get(CKA_MODULUS)?.octets ?? new Uint8Array();
      const exponent = told.get(CKA_PUBLIC_EXPONENT)?.octets ?? new Uint8Array();
      const key = rsaPublicKey({ modulus, exponent });
      this.#assertSize(key, keySpec);
      const unsealed = {
        id: randomUUID(),
        keySpec,
        publicKey: encodePublicKey(key),
        exportedKeyToken: result.bytes(wrapped),
        domainKeyId: domainKey.idHex,
      };
      await this.#assertFits(domainKey.handle, unsealed.exportedKeyToken, key);
      return { ...unsealed, recordMac: await recordKey.seal(encodeImportKeyRecord(unsealed)) };
    });
  }

  /**
   * Loads a private half for one mechanism. Whoever loads it destroys it.
   *
   * @param use - `unwrap` in the token, or `decrypt` where the padding is taken off outside
   * @throws {@link HsmError} `ERR_HSM_RECORD` where the record is not as it was stored
   */
  async load(key: StoredImportKey, use: 'unwrap' | 'decrypt', mechanism: number): Promise<ObjectHandle> {
    const { domainKeys, recordKey } = this.#parts;
    if (!(await recordKey.isSealed(encodeImportKeyRecord(key), key.recordMac))) {
      throw new HsmError('ERR_HSM_RECORD', `the record of import key ${key.id} is not as it was stored`, {
        details: { importKeyId: key.id },
      });
    }
    const domainKey = await domainKeys.byId(KEY_LABELS.singleRegionDomainKey, key.domainKeyId);
    return this.#load(domainKey, key.exportedKeyToken, use, mechanism);
  }

  async #load(
    domainKey: ObjectHandle,
    exportedKeyToken: Uint8Array,
    use: 'unwrap' | 'decrypt',
    mechanism: number,
  ): Promise<ObjectHandle> {
    const { jobs, capabilities } = this.#parts;
    const shape = this.#shape({ uses: [use], extractable: false, allowedMechanisms: [mechanism] });
    const job = new Job('load import key', 'AES-256-KWP');
    const loaded = job.unwrapKey(
      this.#keyWrapPad,
      domainKey,
      exportedKeyToken,
      templateOf(shape, 'unwrap', capabilities),
    );
    narrowUses(job, loaded, shape);
    const attributes = readBack(job, loaded, shape, capabilities);
    const kept = job.keep(loaded);
    const result = await jobs.run(job);
    const handle = result.object(kept);
    try {
      assertShape(result.attributes(attributes), shape, capabilities);
    } catch (error) {
      await jobs.destroy(handle, 'unload import key');
      throw error;
    }
    return handle;
  }

  /** The private half as it was wrapped raises what the public half encrypts: pairwise consistency, and a check of the wrapping. */
  async #assertFits(domainKey: ObjectHandle, exportedKeyToken: Uint8Array, publicKey: KeyObject): Promise<void> {
    const { jobs } = this.#parts;
    const hash = this.#parts.oaepInToken;
    const mechanism = hash === null ? RAW_RSA : oaepMechanism(hash);
    const handle = await this.#load(domainKey, exportedKeyToken, 'decrypt', mechanism.type);
    try {
      const octets = (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
      const known = randomBytes(TEST_OCTETS);
      const test = hash === null ? concat(new Uint8Array(octets - TEST_OCTETS), known) : known;
      const encrypted =
        hash === null
          ? publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, test)
          : publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, test);
      const job = new Job('test import key', 'RSA');
      const output = job.decrypt(mechanism, handle, encrypted);
      if (!equalOctets((await jobs.run(job)).bytes(output), test)) {
        throw jobs.health.stop('a new import key does not decrypt what its public half encrypts');
      }
    } finally {
      await jobs.destroy(handle, 'unload import key');
    }
  }

  #assertSize(key: KeyObject, keySpec: ImportKeySpec): void {
    const details = key.asymmetricKeyDetails;
    if (details?.modulusLength === importModulusOctets[keySpec] * 8 && details.publicExponent === 65_537n) return;
    throw new HsmError('ERR_HSM_TYPE', `the token made another key than the ${keySpec} that it was asked for`);
  }

  #shape(form: Pick<KeyShape, 'uses' | 'extractable' | 'allowedMechanisms'>): KeyShape {
    return {
      keyType: CKK_RSA,
      label: IMPORT_KEY_LABEL,
      wrapWithTrusted: this.#parts.capabilities.enforcesWrapWithTrusted,
      ...form,
    };
  }
}

/** SHA-256 of a public half: what import tokens are bound to. */
export function importKeyFingerprint(key: Pick<StoredImportKey, 'publicKey'>): Uint8Array {
  return createHash('sha256').update(key.publicKey).digest();
}

/** The public half in the token: nobody uses it there. */
function publicTemplate(keySpec: ImportKeySpec): Template {
  return template(
    [CKA_CLASS, CKO_PUBLIC_KEY],
    [CKA_KEY_TYPE, CKK_RSA],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, false],
    [CKA_ENCRYPT, false],
    [CKA_VERIFY, false],
    [CKA_WRAP, false],
    [CKA_MODULUS_BITS, importModulusOctets[keySpec] * 8],
    [CKA_PUBLIC_EXPONENT, EXPONENT_65537],
  );
}
