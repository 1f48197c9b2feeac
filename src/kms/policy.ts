import { LIMITS } from '../limits.js';
import { questionOf } from './authorization.js';
import { KmsError, malformedPolicy } from './errors.js';
import { keyArn, type KeyHome } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import { compilePolicy, evaluatePolicy } from './policy_evaluation.js';
import type { RequestConditions } from './request_context.js';
import type { Call } from './region.js';

/** Name of the one policy that every key has. */
export const POLICY_NAME = 'default';

/** Stands for the id of a key that is still to be made, where a policy is asked about it. */
const UNKNOWN_KEY_ID = '00000000-0000-0000-0000-000000000000';

/** The policy of a key that was made without one: the account decides. */
export function defaultPolicy(home: Pick<KeyHome, 'partition' | 'account'>): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: `arn:${home.partition}:iam::${home.account}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  });
}

/** What a new policy is checked for. */
export interface PolicyCheck {
  readonly bypassLockoutCheck: boolean;
  /** The key that is to have it, where it exists already. */
  readonly record?: KeyRecord;
  /** The key's ARN; absent where it has none yet. */
  readonly arn?: string;
  /** What is known of a key that does not exist yet. */
  readonly conditions?: RequestConditions;
}

/**
 * Checks a key policy before it is recorded: that it is one, and that it lets its caller replace it again, by itself or through
 * the account.
 *
 * @param text - JSON text as the caller sent it
 * @throws {@link KmsError} `MalformedPolicyDocumentException` for what is no policy and for one that would lock its caller out;
 * `LimitExceededException` for one that is too long
 * @source AWS KMS API Reference, CreateKey and PutKeyPolicy, members Policy and BypassPolicyLockoutSafetyCheck
 */
export function requireValidPolicy(call: Call, text: string, check: PolicyCheck): void {
  if (Buffer.byteLength(text) > LIMITS.kmsPolicyBytesMax) {
    throw new KmsError('LimitExceededException', `The key policy is longer than ${LIMITS.kmsPolicyBytesMax} bytes.`);
  }
  const policy = compilePolicy(text, 'key');
  if (check.bypassLockoutCheck) return;
  const question = questionOf(call, 'PutKeyPolicy', {
    resource: check.arn ?? check.record?.arn ?? keyArn(call.region.home, UNKNOWN_KEY_ID),
    record: check.record,
    facts: { conditions: check.conditions },
  });
  const verdict = evaluatePolicy(policy, question);
  if (verdict === 'allowed' || verdict === 'delegated') return;
  throw malformedPolicy('The new key policy will not allow you to update the key policy in the future.');
}
