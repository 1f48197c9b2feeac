import { LIMITS } from '../limits.js';
import { KmsError } from './errors.js';
import type { KeyHome } from './key_id.js';

interface PolicyStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly principals: readonly string[];
  readonly actions: readonly string[];
  readonly conditional: boolean;
}

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

/**
 * Checks a key policy before it is recorded.
 *
 * @param text - JSON text as the caller sent it
 * @param caller - who sends it, and whether the lockout safety check is bypassed
 * @throws {@link KmsError} `MalformedPolicyDocumentException` for what is no policy and for one that would lock its caller out;
 * `LimitExceededException` for one that is too long
 * @source AWS KMS API Reference, CreateKey, member Policy
 */
export function requireValidPolicy(
  text: string,
  caller: { readonly principal: string; readonly account: string; readonly bypassLockoutCheck: boolean },
): void {
  if (Buffer.byteLength(text) > LIMITS.kmsPolicyBytesMax) {
    throw new KmsError('LimitExceededException', `The key policy is longer than ${LIMITS.kmsPolicyBytesMax} bytes.`);
  }
  const statements = parsePolicy(text);
  if (caller.bypassLockoutCheck) return;
  const concerning = statements.filter(
    (statement) =>
      statement.principals.some((principal) => names(principal, caller)) &&
      statement.actions.some((action) => covers(action, 'kms:PutKeyPolicy')),
  );
  const allowed = concerning.some((statement) => statement.effect === 'Allow' && !statement.conditional);
  const denied = concerning.some((statement) => statement.effect === 'Deny' && !statement.conditional);
  if (!allowed || denied) {
    throw malformed('The new key policy will not allow you to update the key policy in the future.');
  }
}

function parsePolicy(text: string): readonly PolicyStatement[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw malformed('The key policy is not valid JSON.');
  }
  if (!isObject(document)) throw malformed('The key policy is not a JSON object.');
  const version = document['Version'];
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed('The key policy has an unknown Version.');
  }
  const statements = asList(document['Statement']);
  if (statements.length === 0) throw malformed('The key policy has no Statement.');
  return statements.map(parseStatement);
}

function parseStatement(statement: unknown): PolicyStatement {
  if (!isObject(statement)) throw malformed('A Statement of the key policy is not a JSON object.');
  const effect = statement['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('A Statement of the key policy has no valid Effect.');
  if (statement['Principal'] === undefined && statement['NotPrincipal'] === undefined) {
    throw malformed('A Statement of the key policy has no Principal.');
  }
  return {
    effect,
    principals: principalsOf(statement['Principal']),
    actions: asList(statement['Action']).map(requireText),
    conditional: statement['Condition'] !== undefined,
  };
}

function principalsOf(principal: unknown): readonly string[] {
  if (principal === undefined) return [];
  if (principal === '*') return ['*'];
  if (!isObject(principal)) throw malformed('A Principal of the key policy is not a JSON object.');
  return asList(principal['AWS']).map(requireText);
}

/** Whether a policy's principal names the caller: itself, its account, or everybody. */
function names(principal: string, caller: { readonly principal: string; readonly account: string }): boolean {
  return (
    principal === '*' ||
    principal === caller.principal ||
    principal === caller.account ||
    (principal.startsWith('arn:') && principal.endsWith(`:iam::${caller.account}:root`))
  );
}

/** Whether an action pattern (`*` and `?` as wildcards, case ignored) covers an action; without backtracking over more than one star. */
function covers(pattern: string, action: string): boolean {
  const wanted = pattern.toLowerCase();
  const text = action.toLowerCase();
  let at = 0;
  let star = -1;
  let resumeAt = 0;
  let index = 0;
  while (index < text.length) {
    if (wanted[at] === '*') {
      star = at;
      resumeAt = index;
      at += 1;
    } else if (wanted[at] === '?' || wanted[at] === text[index]) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      at = star + 1;
      resumeAt += 1;
      index = resumeAt;
    } else {
      return false;
    }
  }
  while (wanted[at] === '*') at += 1;
  return at === wanted.length;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asList(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function requireText(value: unknown): string {
  if (typeof value !== 'string') throw malformed('A Principal or Action of the key policy is not a text.');
  return value;
}

function malformed(message: string): KmsError {
  return new KmsError('MalformedPolicyDocumentException', message);
}
