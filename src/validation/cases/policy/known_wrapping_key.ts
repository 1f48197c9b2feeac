import { CKM_AES_KEY_WRAP } from '../../../token/cryptoki.js';
import type { Job, ObjectRef } from '../../../token/job.js';
import { aesKeyWrap, knownKey } from '../../../token/probe/known_key.js';
import type { CheckContext } from '../../check_context.js';
import { knownSecretTemplate, type SecretShape } from '../../key_template.js';
import { wrapPadded } from '../../software_wrap.js';
import { VICTIM } from './known_victim.js';

/** What the checks of this group have in common. */
export const policyCheck = { group: 'POL', timeLimitMs: 20_000, severity: 'security' } as const;

/** A wrapping key with a value that the attacker knows, or could. */
export function wrappingKey(job: Job, shape: Partial<SecretShape> = {}, value: Uint8Array = knownKey): ObjectRef {
  return job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['wrap'], ...shape }, value));
}

/** RFC 5649 or, where the token has only that, RFC 3394; ends the check where there is neither. */
export function wrapMechanism(context: CheckContext): number {
  context.need('createSecretKey');
  const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  if (pad !== null) return pad;
  return context.works('aesKeyWrap') ? CKM_AES_KEY_WRAP : context.skip('the token wraps under no AES mechanism');
}

/** The victim, or other octets, under the known key, by what {@link wrapMechanism} has found. */
export function wrappedByKnownKey(mechanism: number, octets: Uint8Array = VICTIM): Uint8Array {
  return mechanism === CKM_AES_KEY_WRAP ? aesKeyWrap(knownKey, octets) : wrapPadded(knownKey, octets);
}
