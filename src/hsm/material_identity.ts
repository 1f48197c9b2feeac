import { createHash, type KeyObject } from 'node:crypto';
import { toHex, utf8 } from '../bytes.js';
import { CKM_AES_CBC, CKM_ECDSA, CKM_EDDSA, CKM_RSA_PKCS } from '../token/cryptoki.js';
import type { Job, JobResult, ObjectOperand } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import { digestInfo } from '../wire/digest_info.js';
import { keyMaterialIdChallenge, keyMaterialIdOf } from '../wire/key_material_id.js';
import { HsmError } from './errors.js';
import { answerChallenge, BACKING_KEY_LABEL, identifiedKeyShape } from './key_material_id.js';
import type { KeyShape } from './key_shape.js';
import { parsePublicHalf, specInToken, type PrivateKeySpec } from './key_spec.js';
import type { MaterialBinding } from './material.js';
import { isSignatureOf } from './signature.js';

const PAIRWISE_MESSAGE = utf8('keyferry pairwise consistency');

/** Material by what it is: the part of a binding that its identity depends on. */
export type IdentifiedBinding = Pick<MaterialBinding, 'keyId' | 'keySpec'>;

/** How material is identified in a token: loaded in a shape for one use, it is used once. */
export interface Identification {
  readonly shape: KeyShape;
  /**
   * Adds the use to a job. The first step that it adds fails for a key of another kind.
   *
   * @returns from the job's result: the key material id, or null for a private half that does not fit its public half
   */
  prove(job: Job, key: ObjectOperand): (result: JobResult) => Promise<string | null>;
}

/**
 * Key material id of an asymmetric key: SHA-256 of its public half in DER, 64 hex digits, the same wherever the key is.
 *
 * @source docs/CIPHERTEXT.md, key material id
 */
export function publicHalfId(publicKey: Uint8Array): string {
  return toHex(createHash('sha256').update(publicKey).digest());
}

/** What a key must be allowed to do to be identified. */
export function identifyingUse(
  keySpec: MaterialBinding['keySpec'],
): Required<Pick<KeyShape, 'uses' | 'allowedMechanisms'>> {
  const spec = specInToken(keySpec);
  if (spec.kind === 'aes') return { uses: ['encrypt'], allowedMechanisms: [CKM_AES_CBC] };
  return { uses: ['sign'], allowedMechanisms: [spec.kind === 'hmac' ? spec.mac : testSignature(spec).mechanism.type] };
}

/**
 * How to identify material of a key.
 *
 * @param publicKey - DER SubjectPublicKeyInfo of a key with two halves; null for a secret
 * @throws {@link HsmError} `ERR_HSM_TYPE` for a public half that is none of this spec
 */
export function identificationOf(binding: IdentifiedBinding, publicKey: Uint8Array | null): Identification {
  const spec = specInToken(binding.keySpec);
  switch (spec.kind) {
    case 'aes':
      return {
        shape: identifiedKeyShape(),
        prove: (job, key) => {
          const answer = answerChallenge(job, key, binding.keyId);
          return async (result) => keyMaterialIdOf(result.bytes(answer));
        },
      };
    case 'hmac':
      return {
        shape: signingShape(spec.keyType, spec.mac),
        prove: (job, key) => {
          const answer = job.sign(plain(spec.mac), key, keyMaterialIdChallenge(binding.keyId));
          return async (result) => keyMaterialIdOf(result.bytes(answer));
        },
      };
    case 'rsa':
    case 'curve': {
      const publicHalf = parsePublicHalf(binding.keySpec, publicKey);
      if (publicHalf === null || publicKey === null) {
        throw new HsmError('ERR_HSM_TYPE', `the public half is none of a ${binding.keySpec} key`);
      }
      return pairwise(spec, publicHalf, publicHalfId(publicKey));
    }
  }
}

/** A private half signs, whatever it is for, and its public half verifies: that decides both halves, also the sign of a point. */
function pairwise(spec: PrivateKeySpec, publicHalf: KeyObject, materialId: string): Identification {
  const { mechanism, scheme, data } = testSignature(spec);
  return {
    shape: signingShape(spec.keyType, mechanism.type),
    prove: (job, key) => {
      const output = job.sign(mechanism, key, data);
      return async (result) => {
        const signature = result.bytes(output);
        const isGood = await isSignatureOf(publicHalf, { scheme, hash: 'sha256' }, PAIRWISE_MESSAGE, signature);
        return isGood ? materialId : null;
      };
    },
  };
}

function testSignature(spec: PrivateKeySpec): {
  readonly mechanism: Mechanism;
  readonly scheme: 'pkcs1' | 'ecdsa' | 'ed25519';
  readonly data: Uint8Array;
} {
  const digest = createHash('sha256').update(PAIRWISE_MESSAGE).digest();
  if (spec.kind === 'rsa') {
    return { mechanism: plain(CKM_RSA_PKCS), scheme: 'pkcs1', data: digestInfo('sha256', digest) };
  }
  if (spec.curve.name === 'Ed25519') {
    return { mechanism: plain(CKM_EDDSA), scheme: 'ed25519', data: PAIRWISE_MESSAGE };
  }
  return { mechanism: plain(CKM_ECDSA), scheme: 'ecdsa', data: digest };
}

function signingShape(keyType: number, mechanism: number): KeyShape {
  return { keyType, uses: ['sign'], label: BACKING_KEY_LABEL, allowedMechanisms: [mechanism] };
}

function plain(type: number): Mechanism {
  return { type, parameter: { kind: 'none' } };
}
