import { validationError } from './errors.js';

/** What a dry run of a decrypting operation may leave out. */
export const DRY_RUN_MODIFIERS = ['IGNORE_CIPHERTEXT'] as const;
export type DryRunModifier = (typeof DRY_RUN_MODIFIERS)[number];

/**
 * Whether a request is a dry run without a ciphertext.
 *
 * @throws {@link KmsError} `ValidationException` for modifiers outside a dry run
 */
export function ignoresCiphertext(request: {
  readonly DryRun?: boolean;
  readonly DryRunModifiers?: readonly DryRunModifier[];
}): boolean {
  const modifiers = request.DryRunModifiers ?? [];
  if (modifiers.length > 0 && request.DryRun !== true) {
    throw validationError('DryRunModifiers can only be used with DryRun.');
  }
  return modifiers.includes('IGNORE_CIPHERTEXT');
}

/**
 * A member that the model leaves optional and that this request needs.
 *
 * @param member - name as validation messages spell it, for example `ciphertextBlob`
 * @throws {@link KmsError} `ValidationException`
 */
export function requireMember<Value>(value: Value | undefined, member: string): Value {
  if (value !== undefined) return value;
  throw validationError(
    `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
  );
}
