import type { Job, ObjectRef } from '../../../token/job.js';
import { knownSecretTemplate, type SecretShape } from '../../key_template.js';

/** The value of the key that the checks of this group attack, 32 octets: if it comes out, it is recognised. It is no secret. */
export const VICTIM: Uint8Array = Uint8Array.from({ length: 32 }, (_, index) => 0x60 + index);

/** The key under attack: AES-256, sensitive, and extractable unless something else is said. */
export function victim(job: Job, shape: Partial<SecretShape> = {}): ObjectRef {
  return job.createObject(
    knownSecretTemplate({ keyType: 'aes', usage: ['encrypt'], extractable: true, ...shape }, VICTIM),
  );
}
