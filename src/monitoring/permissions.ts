import type { Clock } from '../clock.js';
import { conditionTexts, type ConditionContext, type ConditionValue } from '../kms/condition_context.js';
import type { KeyHome } from '../kms/key_id.js';
import { compilePolicy, evaluatePolicy } from '../kms/policy_evaluation.js';
import { identityOf } from '../kms/policy_principal.js';
import type { MonitoringPermissions } from './region.js';

/**
 * Lets principals of the region's account do what their policies allow. Those without a policy are administrators, and no policy binds
 * the root of the account.
 *
 * @source IAM User Guide, "Policy evaluation logic"
 */
export function policyPermissions(home: KeyHome, clock: Clock): MonitoringPermissions {
  return {
    allows: (caller, action, resource) => {
      const identity = identityOf(caller);
      if (identity.account !== home.account) return false;
      const text = caller.identityPolicy;
      if (text === undefined || text === null || identity.isRoot) return true;
      const values: Readonly<Record<string, ConditionValue | undefined>> = {
        'aws:principalarn': identity.principalArn,
        'aws:principalaccount': identity.account,
        'aws:username': identity.userName,
        'aws:requestedregion': home.region,
        'aws:resourceaccount': home.account,
        'aws:currenttime': new Date(clock.nowMs()),
        'aws:epochtime': Math.floor(clock.nowMs() / 1000),
      };
      const context: ConditionContext = {
        valuesOf: ({ name }) => {
          const value = Object.hasOwn(values, name) ? values[name] : undefined;
          return value === undefined ? undefined : conditionTexts(value);
        },
      };
      const question = { caller: identity, action: action.toLowerCase(), resource, context };
      return evaluatePolicy(compilePolicy(text, 'identity'), question) === 'allowed';
    },
  };
}
