import { CKK_AES } from '../token/cryptoki.js';
import { Job, type JobResult, type ObjectRef } from '../token/job.js';
import { keyMaterialIdOf } from '../wire/key_material_id.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { ImportKeyParts } from './import_key.js';
import { wrappedLength, type ImportPayload } from './import_steps.js';
import { answerChallenge, BACKING_KEY_LABEL, identifiedKeyShape } from './key_material_id.js';
import { assertShape, readBack, templateOf, type KeyShape } from './key_shape.js';
import type { KeySpec, MaterialBinding, StoredMaterial } from './material.js';
import type { ObjectHandle } from '../token/object.js';
import type { TokenKey } from './token_keys.js';

type Binding = Omit<MaterialBinding, 'materialId'>;

/** What the job that unwraps has shown of the material. */
export interface UnwrappedMaterial {
  /**
   * Everything that the job can tell.
   *
   * @returns the exported key token
   * @throws {@link HsmError} `ERR_HSM_TYPE` for material of another kind
   */
  readonly check: (result: JobResult) => Uint8Array;
  /** What the material answered before it was wrapped; the wrapped one must answer the same. */
  readonly evidence: (result: JobResult) => Uint8Array;
}

/** What a key spec asks of imported material. */
export interface ImportTarget {
  readonly payload: ImportPayload;
  /** Why no material of this spec can be imported into this token; undefined where it can. */
  readonly refusal: string | undefined;
  /** Adds the steps that check the material and wrap it for storage. */
  readonly add: (
    job: Job,
    args: {
      readonly make: (shape: KeyShape) => ObjectRef;
      readonly domainKey: ObjectHandle;
      readonly binding: Binding;
    },
  ) => UnwrappedMaterial;
  /** Unwraps what was wrapped, has it do once what it is for, and binds it to its record. */
  readonly store: (
    parts: ImportKeyParts,
    args: {
      readonly binding: Binding;
      readonly domainKey: TokenKey;
      readonly exportedKeyToken: Uint8Array;
      readonly evidence: Uint8Array;
      readonly publicPoint: Uint8Array | null;
    },
  ) => Promise<StoredMaterial>;
}

const NO_ID = new Uint8Array(16);

/** What a key spec asks of imported material on a token. */
export function importTargetOf(keySpec: KeySpec, capabilities: HsmCapabilities): ImportTarget {
  if (keySpec === 'SYMMETRIC_DEFAULT') return symmetricTarget(capabilities);
  return { ...symmetricTarget(capabilities), refusal: `material of ${keySpec} cannot be imported into this token` };
}

/** AES-256: exactly 32 octets, which show in an encryption before anything is wrapped, because some tokens fill up what they wrap. */
function symmetricTarget(capabilities: HsmCapabilities): ImportTarget {
  const octets = 32;
  const keyWrapPad = { type: capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
  const trustedOnly = (binding: Binding): boolean => !binding.multiRegion && capabilities.enforcesWrapWithTrusted;
  return {
    payload: { minOctets: octets, maxOctets: octets, curve: null },
    refusal: undefined,
    add: (job, { make, domainKey, binding }) => {
      const identified = { ...identifiedKeyShape(NO_ID), wrapWithTrusted: trustedOnly(binding) };
      const stored: KeyShape = {
        keyType: CKK_AES,
        lengthOctets: octets,
        uses: [],
        label: BACKING_KEY_LABEL,
        id: NO_ID,
        extractable: true,
        wrapWithTrusted: trustedOnly(binding),
      };
      const forId = make(identified);
      const idAttributes = readBack(job, forId, identified, capabilities);
      const encryption = job.attempt();
      const answer = answerChallenge(job, forId, binding.keyId);
      job.destroyObject(forId);
      const key = make(stored);
      const attributes = readBack(job, key, stored, capabilities);
      const wrapped = job.wrapKey(keyWrapPad, domainKey, key);
      job.destroyObject(key);
      return {
        check: (result) => {
          if (result.rv(encryption) !== 0) throw notOfKind('no AES-256 key');
          assertShape(result.attributes(idAttributes), identified, capabilities);
          assertShape(result.attributes(attributes), stored, capabilities);
          const exportedKeyToken = result.bytes(wrapped);
          if (exportedKeyToken.length !== wrappedLength(octets)) throw notOfKind('no AES-256 key');
          return exportedKeyToken;
        },
        evidence: (result) => result.bytes(answer),
      };
    },
    store: async (parts, { binding, domainKey, exportedKeyToken, evidence }) => {
      const shape = { ...identifiedKeyShape(NO_ID), wrapWithTrusted: trustedOnly(binding) };
      const job = new Job('key material id', 'AES-CBC');
      const key = job.unwrapKey(
        keyWrapPad,
        domainKey.handle,
        exportedKeyToken,
        templateOf(shape, 'unwrap', capabilities),
      );
      const answer = answerChallenge(job, key, binding.keyId);
      job.destroyObject(key);
      const materialId = keyMaterialIdOf(evidence);
      if (keyMaterialIdOf((await parts.jobs.run(job)).bytes(answer)) !== materialId) {
        throw parts.jobs.health.stop('the token wrapped other material than it was given', { keyId: binding.keyId });
      }
      return parts.recordKey.bind({
        binding: { ...binding, materialId },
        domainKeyId: domainKey.idHex,
        exportedKeyToken,
        publicKey: null,
      });
    },
  };
}

function notOfKind(what: string): HsmError {
  return new HsmError('ERR_HSM_TYPE', `the unwrapped material is ${what}; it was destroyed`);
}
