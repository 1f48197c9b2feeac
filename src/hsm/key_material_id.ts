import { CKK_AES, CKM_AES_CBC } from '../token/cryptoki.js';
import type { Job, ObjectOperand, Output } from '../token/job.js';
import { keyMaterialIdChallenge } from '../wire/key_material_id.js';
import type { KeyShape } from './key_shape.js';
import type { MaterialBinding } from './material.js';

const ZERO_IV = new Uint8Array(16);

/** Label of backing keys while they are loaded. */
export const BACKING_KEY_LABEL = 'keyferry:backing-key';

/** The shape of material that is loaded only to compute its id: it encrypts and nothing else. */
export function identifiedKeyShape(): KeyShape {
  return {
    keyType: CKK_AES,
    lengthOctets: 32,
    uses: ['encrypt'],
    label: BACKING_KEY_LABEL,
    allowedMechanisms: [CKM_AES_CBC],
  };
}

/**
 * Has the token encrypt what the key material id is made of; give the octets to `keyMaterialIdOf`.
 *
 * A key that is no AES key of a permitted length fails here, whatever the token accepted when it unwrapped it.
 */
export function answerChallenge(job: Job, key: ObjectOperand, keyId: MaterialBinding['keyId']): Output<'bytes'> {
  return job.encrypt(
    { type: CKM_AES_CBC, parameter: { kind: 'octets', octets: ZERO_IV } },
    key,
    keyMaterialIdChallenge(keyId),
  );
}
