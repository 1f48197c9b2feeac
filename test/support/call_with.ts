import type { Call } from '../../src/kms/region.js';
import { ACCOUNT, type SoftwareRegion } from './software_region.js';

export const USER_ARN = `arn:aws:iam::${ACCOUNT}:user`;
/** Statements of a principal that may do nothing by itself. */
export const NOTHING = 'nothing';

/** A statement of an identity policy that allows actions on every resource. */
export function allowing(...actions: readonly string[]): Readonly<Record<string, unknown>> {
  return { Effect: 'Allow', Action: actions.map((action) => `kms:${action}`), Resource: '*' };
}

/** A call by a principal with an identity policy of its own. */
export function callWith(
  fixture: SoftwareRegion,
  principal: string,
  statements: typeof NOTHING | readonly Readonly<Record<string, unknown>>[],
): Call {
  const call = fixture.callAs(principal);
  const Statement = statements === NOTHING ? [allowing('Nothing')] : statements;
  return {
    ...call,
    caller: { ...call.caller, identityPolicy: JSON.stringify({ Version: '2012-10-17', Statement }) },
  };
}

/** A key policy of statements that hold for the key that has it. */
export function keyPolicy(...statements: readonly Readonly<Record<string, unknown>>[]): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ Effect: 'Allow', Action: 'kms:*', Resource: '*', ...statement })),
  });
}
