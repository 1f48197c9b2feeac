import { equalOctets, toHex, utf8 } from '../bytes.js';
import { LIMITS } from '../limits.js';
import {
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_CLASS,
  CKA_DERIVE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_TOKEN,
  CKK_AES,
  CKK_EC,
  CKK_GENERIC_SECRET,
  CKM_ECDH1_DERIVE,
  CKM_EC_KEY_PAIR_GEN,
  CKM_SHA384_HMAC,
  CKO_PUBLIC_KEY,
} from '../token/cryptoki.js';
import { Job, type JobResult } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template, type Template } from '../token/template.js';
import type { ReplicationSuite } from '../wire/suite.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { assertShape, readBack, templateOf, type KeyShape, type KeyUse } from './key_shape.js';
import { P384_PARAMETERS, pointFrom } from './p384_point.js';
import { deriveAgreedKeys, EPHEMERAL_LABEL, type AgreedOutputs, type AgreementInputs } from './strategy/agreement.js';

/** An ephemeral agreement key in the token, by its public half. */
export interface EphemeralKey {
  /** Uncompressed P-384 point, 97 octets. */
  readonly point: Uint8Array;
  /** `CKA_ID` of the object: the session id, or a nonce. */
  readonly label: Uint8Array;
}

/** RWK and KCK of one agreement, by the suite that made them. */
export interface AgreedKeys {
  readonly suite: ReplicationSuite;
}

/** What is asked of an agreement. */
export interface Agreement extends AgreementInputs {
  readonly key: EphemeralKey;
  readonly suite: ReplicationSuite;
  readonly fixedInfo: { readonly rwk: Uint8Array; readonly kck: Uint8Array };
  /** What RWK may be used for. */
  readonly direction: 'wrap' | 'unwrap';
}

interface AgreedHandles {
  readonly direction: 'wrap' | 'unwrap';
  readonly rwk: ObjectHandle;
  readonly kck: ObjectHandle;
}

function agreementKeyShape(label: Uint8Array): KeyShape {
  return {
    keyType: CKK_EC,
    uses: ['derive'],
    label: EPHEMERAL_LABEL,
    id: label,
    allowedMechanisms: [CKM_ECDH1_DERIVE],
  };
}

function publicTemplate(label: Uint8Array): Template {
  return template(
    [CKA_CLASS, CKO_PUBLIC_KEY],
    [CKA_KEY_TYPE, CKK_EC],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, false],
    [CKA_DERIVE, true],
    [CKA_EC_PARAMS, P384_PARAMETERS],
    [CKA_LABEL, utf8(EPHEMERAL_LABEL)],
    [CKA_ID, label],
  );
}

/** The shape of an RWK: AES-256 that wraps or unwraps, and nothing else. */
export function wrappingKeyShape(id: Uint8Array, use: KeyUse, capabilities: HsmCapabilities): KeyShape {
  return {
    keyType: CKK_AES,
    lengthOctets: 32,
    uses: [use],
    label: EPHEMERAL_LABEL,
    id,
    allowedMechanisms: [capabilities.keyWrapPad],
  };
}

/** The shape of a KCK: an HMAC secret of 48 octets that signs. */
export function confirmationKeyShape(id: Uint8Array): KeyShape {
  return {
    keyType: CKK_GENERIC_SECRET,
    lengthOctets: 48,
    uses: ['sign'],
    label: EPHEMERAL_LABEL,
    id,
    allowedMechanisms: [CKM_SHA384_HMAC],
  };
}

/** Ephemeral keys of replication: agreement keys, and what is derived from them. All are session objects. */
export class AgreementKeys {
  readonly #jobs: HsmJobs;
  readonly #capabilities: HsmCapabilities;
  readonly #check: (key: EphemeralKey, handle: ObjectHandle) => Promise<void>;
  readonly #agreementHandles = new WeakMap<EphemeralKey, ObjectHandle>();
  readonly #agreedHandles = new WeakMap<AgreedKeys, AgreedHandles>();

  /**
   * @param check - the pairwise consistency test of a new agreement key; throws where it fails
   */
  constructor(
    jobs: HsmJobs,
    capabilities: HsmCapabilities,
    check: (key: EphemeralKey, handle: ObjectHandle) => Promise<void>,
  ) {
    this.#jobs = jobs;
    this.#capabilities = capabilities;
    this.#check = check;
  }

  /** A fresh P-384 pair; the token keeps the private half until {@link release}. */
  async generate(label: Uint8Array): Promise<EphemeralKey> {
    const shape = agreementKeyShape(label);
    const job = new Job('generate agreement key', 'EC P-384');
    const pair = job.generateKeyPair(
      { type: CKM_EC_KEY_PAIR_GEN, parameter: { kind: 'none' } },
      publicTemplate(label),
      templateOf(shape, 'generate', this.#capabilities),
    );
    const point = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
    const attributes = readBack(job, pair.privateKey, shape, this.#capabilities);
    const kept = job.keep(pair.privateKey);
    const result = await this.#jobs.run(job);
    const handle = result.object(kept);
    try {
      assertShape(result.attributes(attributes), shape, this.#capabilities);
      const key: EphemeralKey = {
        point: pointFrom(result.attributes(point).get(CKA_EC_POINT)),
        label: Uint8Array.from(label),
      };
      await this.#check(key, handle);
      this.#agreementHandles.set(key, handle);
      return key;
    } catch (error) {
      await this.#jobs.destroy(handle, 'destroy agreement key');
      throw error;
    }
  }

  /** Does something with a fresh agreement key that is destroyed again: the known answers of the self-test. */
  async withFresh<Result>(
    label: Uint8Array,
    work: (key: EphemeralKey, handle: ObjectHandle) => Promise<Result>,
  ): Promise<Result> {
    const key = await this.generate(label);
    try {
      return await work(key, await this.#resolve(key));
    } finally {
      await this.release(key);
    }
  }

  /**
   * Derives RWK and KCK in the token.
   *
   * @throws {@link HsmError} `ERR_HSM_AGREEMENT_KEY` if the handle names another object than it did; `ERR_HSM_MECHANISM`; `ERR_HSM_TYPE`
   */
  async agree(agreement: Agreement): Promise<AgreedKeys> {
    const { suite, key } = agreement;
    this.#assertSuite(suite);
    const handle = await this.#resolve(key);
    const agreed = [
      {
        shape: wrappingKeyShape(key.label, agreement.direction, this.#capabilities),
        fixedInfo: agreement.fixedInfo.rwk,
      },
      { shape: confirmationKeyShape(key.label), fixedInfo: agreement.fixedInfo.kck },
    ];
    const job = new Job('agree', suite);
    const outputs = deriveAgreedKeys(job, suite, handle, agreement, agreed, this.#capabilities);
    const kept = outputs.keys.map(({ key: derived }) => job.keep(derived));
    const result = await this.#jobs.run(job);
    const [rwk, kck] = kept.map((output) => result.object(output));
    if (rwk === undefined || kck === undefined) throw new TypeError('an agreement makes two keys');
    try {
      this.#assertOutputs(
        result,
        outputs,
        agreed.map(({ shape }) => shape),
      );
    } catch (error) {
      for (const handle of [rwk, kck]) await this.#jobs.destroy(handle, 'destroy ephemeral key');
      throw error;
    }
    const keys: AgreedKeys = { suite };
    this.#agreedHandles.set(keys, { direction: agreement.direction, rwk, kck });
    return keys;
  }

  /** HMAC-SHA-384 under KCK, 48 octets. */
  async confirm(keys: AgreedKeys, octets: Uint8Array): Promise<Uint8Array> {
    const job = new Job('confirm', keys.suite);
    const mac = job.sign({ type: CKM_SHA384_HMAC, parameter: { kind: 'none' } }, this.#handlesOf(keys).kck, octets);
    return (await this.#jobs.run(job)).bytes(mac);
  }

  /**
   * The RWK of an agreement, for the one use that it was made for.
   *
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND` after {@link release}; `ERR_HSM_POLICY_REFUSED` for the other use
   */
  wrappingKeyOf(keys: AgreedKeys, use: 'wrap' | 'unwrap'): ObjectHandle {
    const { direction, rwk } = this.#handlesOf(keys);
    if (direction === use) return rwk;
    throw new HsmError('ERR_HSM_POLICY_REFUSED', `this session's RWK may ${direction} and not ${use}`);
  }

  /**
   * Destroys agreement keys and agreed keys, and checks that they are gone; all of them, also where one fails.
   *
   * @throws {@link HsmError} `ERR_HSM_NOT_DESTROYED`
   */
  async release(...objects: readonly (EphemeralKey | AgreedKeys)[]): Promise<void> {
    const handles: ObjectHandle[] = [];
    for (const object of objects) {
      if ('point' in object) {
        const handle = this.#agreementHandles.get(object);
        if (handle !== undefined) handles.push(handle);
        this.#agreementHandles.delete(object);
      } else {
        const agreed = this.#agreedHandles.get(object);
        if (agreed !== undefined) handles.push(agreed.rwk, agreed.kck);
        this.#agreedHandles.delete(object);
      }
    }
    const outcomes = await Promise.allSettled(
      handles.map((handle) => this.#jobs.destroy(handle, 'destroy ephemeral key')),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Ephemeral objects of this process in the token, by search. */
  async count(): Promise<number> {
    return this.#jobs.healing(async () => {
      const job = new Job('count ephemeral keys', 'C_FindObjects');
      const found = job.findObjects(
        template([CKA_TOKEN, false], [CKA_LABEL, utf8(EPHEMERAL_LABEL)]),
        LIMITS.hsmEphemeralObjectsMax,
      );
      return (await this.#jobs.run(job)).handles(found).length;
    });
  }

  #assertSuite(suite: ReplicationSuite): void {
    if (this.#capabilities.suites.includes(suite)) return;
    const reason =
      this.#capabilities.missing.find((missing) => missing.strategy === suite)?.reason ?? 'not in its profile';
    throw new HsmError('ERR_HSM_STRATEGY', `the token cannot do ${suite}: ${reason}`, { details: { suite, reason } });
  }

  /** Reads the object behind an agreement key again: after a restored snapshot the same handle may name another object. */
  async #resolve(key: EphemeralKey): Promise<ObjectHandle> {
    const handle = this.#agreementHandles.get(key);
    if (handle === undefined) {
      throw new HsmError('ERR_HSM_AGREEMENT_KEY', 'this agreement key was released, or is none of this HSM');
    }
    const shape = agreementKeyShape(key.label);
    const job = new Job('resolve agreement key', 'C_GetAttributeValue');
    const output = readBack(job, handle, shape, this.#capabilities);
    const attributes = (await this.#jobs.run(job)).attributes(output);
    const id = attributes.get(CKA_ID);
    const isGone = attributes.get(CKA_CLASS)?.state !== 'value';
    if (isGone || id === undefined || !equalOctets(id.octets, key.label)) {
      throw new HsmError('ERR_HSM_AGREEMENT_KEY', 'the handle of the agreement key names another object, or none', {
        details: { label: toHex(key.label) },
      });
    }
    assertShape(attributes, shape, this.#capabilities);
    return handle;
  }

  #handlesOf(keys: AgreedKeys): AgreedHandles {
    const handles = this.#agreedHandles.get(keys);
    if (handles !== undefined) return handles;
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', 'these session keys were released, or are none of this HSM');
  }

  #assertOutputs(result: JobResult, outputs: AgreedOutputs, shapes: readonly KeyShape[]): void {
    if (outputs.base !== null) {
      assertShape(result.attributes(outputs.base.attributes), outputs.base.shape, this.#capabilities);
    }
    outputs.keys.forEach((output, at) => {
      const shape = shapes[at];
      if (shape !== undefined) assertShape(result.attributes(output.attributes), shape, this.#capabilities);
    });
  }
}
