import { createHash } from 'node:crypto';
import {
  CKD_NULL,
  CKD_SHA384_KDF,
  CKD_SHA384_KDF_SP800,
  CKK_AES,
  CKK_GENERIC_SECRET,
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_ECDH1_DERIVE,
  CKM_HKDF_DERIVE,
  CKM_SHA384,
  CKM_SHA384_HMAC,
  CKM_SP800_108_COUNTER_KDF,
} from '../../token/cryptoki.js';
import type { Job, ObjectOperand, ObjectRef, Output } from '../../token/job.js';
import type { Mechanism } from '../../token/mechanism.js';
import type { ReplicationSuite } from '../../wire/suite.js';
import type { HsmCapabilities } from '../capability.js';
import { readBack, templateOf, type KeyShape } from '../key_shape.js';

/** What both sides know of one agreement. */
export interface AgreementInputs {
  /** The peer's point, 97 octets. */
  readonly peerPoint: Uint8Array;
  /** Salt of suites that extract with one. */
  readonly salt: Uint8Array;
}

/** How one suite gets from an agreement key and a peer's point to a key with FixedInfo in it. */
interface AgreementSteps {
  /** The shape of what is derived first (Z, or Kz) and destroyed again; null where one call does it all. */
  readonly base: Pick<KeyShape, 'keyType' | 'lengthOctets' | 'allowedMechanisms'> | null;
  /** Derivation from the agreement key, to the base or to the result. */
  readonly agree: (inputs: AgreementInputs, fixedInfo: Uint8Array) => Mechanism;
  /** Derivation from the base to the result. */
  readonly expand: (inputs: AgreementInputs, fixedInfo: Uint8Array, octets: number) => Mechanism;
}

function ecdh(kdf: number, peerPoint: Uint8Array, sharedData: Uint8Array | null): Mechanism {
  return { type: CKM_ECDH1_DERIVE, parameter: { kind: 'ecdh1', kdf, sharedData, publicData: peerPoint } };
}

function oneCall(kdf: number): AgreementSteps {
  const agree: AgreementSteps['agree'] = ({ peerPoint }, fixedInfo) => ecdh(kdf, peerPoint, fixedInfo);
  return { base: null, agree, expand: (inputs, fixedInfo) => agree(inputs, fixedInfo) };
}

const ZERO_IV = new Uint8Array(16);

/** Blocks that `CBCDERIVE` encrypts: as many octets of SHA-384(FixedInfo) as the key is long. */
export function cbcDeriveBlocks(fixedInfo: Uint8Array, octets: number): Uint8Array {
  return createHash('sha384').update(fixedInfo).digest().subarray(0, octets);
}

/**
 * The suites as data. The one-call suites compute Z afresh for each key.
 *
 * @source NIST SP 800-56C r2 section 4.1 (OSKDF); RFC 5869 (HKDF384); NIST SP 800-108 section 4.1 (SP800108); ANSI X9.63 section 5.6.3 (X963); docs/PROTOCOL.md, key establishment
 */
const agreementSteps: Readonly<Record<ReplicationSuite, AgreementSteps>> = {
  'OSKDF-A256KWP': oneCall(CKD_SHA384_KDF_SP800),
  'X963-A256KWP': oneCall(CKD_SHA384_KDF),
  'HKDF384-A256KWP': {
    base: { keyType: CKK_GENERIC_SECRET, lengthOctets: 48, allowedMechanisms: [CKM_HKDF_DERIVE] },
    agree: ({ peerPoint }) => ecdh(CKD_NULL, peerPoint, null),
    expand: ({ salt }, fixedInfo) => ({
      type: CKM_HKDF_DERIVE,
      parameter: { kind: 'hkdf', extract: true, expand: true, prf: CKM_SHA384, salt, info: fixedInfo },
    }),
  },
  'SP800108-A256KWP': {
    base: { keyType: CKK_GENERIC_SECRET, lengthOctets: 48, allowedMechanisms: [CKM_SP800_108_COUNTER_KDF] },
    agree: ({ peerPoint }) => ecdh(CKD_NULL, peerPoint, null),
    expand: (_inputs, fixedInfo) => ({
      type: CKM_SP800_108_COUNTER_KDF,
      parameter: { kind: 'sp800-108-counter', prf: CKM_SHA384_HMAC, fixedInput: fixedInfo },
    }),
  },
  'CBCDERIVE-A256KWP': {
    base: { keyType: CKK_AES, lengthOctets: 32, allowedMechanisms: [CKM_AES_CBC_ENCRYPT_DATA] },
    agree: ({ peerPoint }) => ecdh(CKD_NULL, peerPoint, null),
    expand: (_inputs, fixedInfo, octets) => ({
      type: CKM_AES_CBC_ENCRYPT_DATA,
      parameter: { kind: 'aes-cbc-encrypt-data', iv: ZERO_IV, data: cbcDeriveBlocks(fixedInfo, octets) },
    }),
  },
};

/** Label of every ephemeral object, so that one search counts them. */
export const EPHEMERAL_LABEL = 'keyferry:ephemeral';

/** One key that an agreement makes. */
export interface AgreedKey {
  readonly shape: KeyShape;
  readonly fixedInfo: Uint8Array;
}

/** What {@link deriveAgreedKeys} adds to its job, with the attributes to compare; keys that are not kept go with the job. */
export interface AgreedOutputs {
  readonly keys: readonly { readonly key: ObjectRef; readonly attributes: Output<'attributes'> }[];
  readonly base: { readonly attributes: Output<'attributes'>; readonly shape: KeyShape } | null;
}

/**
 * Adds the derivation of an agreement's keys to a job. Z or Kz is destroyed in the same job, and checked to be gone.
 *
 * @param key - the agreement key
 */
export function deriveAgreedKeys(
  job: Job,
  suite: ReplicationSuite,
  key: ObjectOperand,
  inputs: AgreementInputs,
  agreed: readonly AgreedKey[],
  capabilities: HsmCapabilities,
): AgreedOutputs {
  const steps = agreementSteps[suite];
  const finish = (base: ObjectOperand, mechanismOf: (agreedKey: AgreedKey) => Mechanism): AgreedOutputs['keys'] =>
    agreed.map((agreedKey) => {
      const derived = job.deriveKey(mechanismOf(agreedKey), base, templateOf(agreedKey.shape, 'derive', capabilities));
      const attributes = readBack(job, derived, agreedKey.shape, capabilities);
      return { key: derived, attributes };
    });
  if (steps.base === null) {
    return { keys: finish(key, ({ fixedInfo }) => steps.agree(inputs, fixedInfo)), base: null };
  }
  const shape: KeyShape = {
    ...steps.base,
    uses: ['derive'],
    label: EPHEMERAL_LABEL,
    id: agreed[0]?.shape.id ?? new Uint8Array(),
  };
  const base = job.deriveKey(steps.agree(inputs, new Uint8Array()), key, templateOf(shape, 'derive', capabilities));
  const attributes = readBack(job, base, shape, capabilities);
  const keys = finish(base, (agreedKey) =>
    steps.expand(inputs, agreedKey.fixedInfo, agreedKey.shape.lengthOctets ?? 0),
  );
  job.destroyObject(base);
  return { keys, base: { attributes, shape } };
}
