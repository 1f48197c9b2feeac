import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { KmsError } from '../kms/errors.js';
import { compilePolicy } from '../kms/policy_evaluation.js';
import { LIMITS } from '../limits.js';

/** A policy of a principal: its JSON text, or what is wrong with it. */
export type IdentityPolicy = { readonly text: string } | { readonly problem: string };

/**
 * Reads the policy of a principal as the lab file gives it.
 *
 * @param written - the IAM policy document itself, its JSON text, or the path of a file that holds that
 * @param labFile - to whose directory the path is relative
 */
export function readIdentityPolicy(
  written: string | Readonly<Record<string, unknown>>,
  labFile: string,
): IdentityPolicy {
  let text: string;
  if (typeof written !== 'string') text = JSON.stringify(written);
  else if (written.trimStart().startsWith('{')) text = written;
  else {
    const path = resolve(labFile, '..', written);
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      return {
        problem: `the policy ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }
  if (Buffer.byteLength(text) > LIMITS.kmsPolicyBytesMax) {
    return { problem: `the policy is longer than ${LIMITS.kmsPolicyBytesMax} bytes` };
  }
  try {
    compilePolicy(text, 'identity');
  } catch (error) {
    if (!(error instanceof KmsError)) throw error;
    return { problem: error.message };
  }
  return { text };
}
