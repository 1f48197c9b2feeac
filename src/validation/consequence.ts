import type { Flow } from './check.js';
import type { CheckResult } from './result.js';

/** What a region does in a flow. */
const deeds: Readonly<Record<Flow, string>> = {
  replication: 'replicate keys',
  signing: 'sign the messages of replication',
  import: 'import key material',
  operations: 'carry the operations of AWS KMS',
};

/**
 * What a finding means for a flow that depends on its check, in one sentence without a full stop.
 *
 * A check says so itself where it can; otherwise its severity does.
 */
export function meaningOf(check: CheckResult, flow: Flow): string {
  const said = check.means?.[flow];
  // A crash or a hang blocks what the check is about, whatever else it would have found.
  if (check.severity === 'blocks') return `a region cannot ${deeds[flow]} with this token: ${check.remedy}`;
  if (said !== undefined) return said;
  switch (check.severity) {
    case 'security':
      return (
        check.attack ?? `a region can ${deeds[flow]} only where nobody else can log in to the token: ${check.remedy}`
      );
    case 'strategy':
      return `a region can ${deeds[flow]} in another way, or not for everything: ${check.remedy}`;
    case 'information':
      return `a region can ${deeds[flow]}: ${check.remedy}`;
  }
}
