import { CKA_DECRYPT, CKA_DERIVE, CKA_SIGN, CKA_SIGN_RECOVER, CKA_UNWRAP } from '../token/cryptoki.js';
import type { Job, ObjectOperand } from '../token/job.js';
import { template } from '../token/template.js';
import type { KeyShape } from './key_shape.js';

/**
 * Takes uses away that an unwrapped private key has and should not have: softoken gives an RSA key all of them, whatever the template
 * says. A token that refuses is found out when the attributes are read back, which comes after this.
 */
export function narrowUses(job: Job, key: ObjectOperand, shape: KeyShape): void {
  job.attempt();
  job.setAttributes(
    key,
    template(
      [CKA_DECRYPT, shape.uses.includes('decrypt')],
      [CKA_SIGN, shape.uses.includes('sign')],
      [CKA_SIGN_RECOVER, false],
      [CKA_UNWRAP, shape.uses.includes('unwrap')],
      [CKA_DERIVE, shape.uses.includes('derive')],
    ),
  );
}
