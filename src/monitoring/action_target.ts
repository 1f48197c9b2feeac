import { isIP } from 'node:net';

/** Where alarms may send notifications, as the configuration says. */
export interface ActionRules {
  /** URL for each ARN of an SNS topic, as the operator wrote them; reached wherever they are. */
  readonly topics: Readonly<Record<string, string>>;
  /** Hosts that alarm actions may name besides the loopback addresses; lower case. */
  readonly hosts: readonly string[];
}

/** Nothing but the loopback addresses. */
export const LOOPBACK_ONLY: ActionRules = { topics: {}, hosts: [] };

/** What an action of an alarm comes to. */
export type ActionTarget =
  | { readonly kind: 'url'; readonly url: string }
  /** Nothing is delivered; the history says why. */
  | { readonly kind: 'none'; readonly why: string }
  /** No action at all. */
  | { readonly kind: 'malformed' };

const ARN = /^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:[^:\s]*:\S+$/;

/** Finds out where an action leads. */
export function actionTarget(action: string, rules: ActionRules): ActionTarget {
  if (/^https?:\/\//i.test(action)) return urlTarget(action, rules);
  if (!ARN.test(action)) return { kind: 'malformed' };
  const url = Object.hasOwn(rules.topics, action) ? rules.topics[action] : undefined;
  if (url !== undefined) return { kind: 'url', url };
  return { kind: 'none', why: `no URL is configured for ${action}` };
}

function urlTarget(action: string, rules: ActionRules): ActionTarget {
  if (!URL.canParse(action)) return { kind: 'malformed' };
  const { hostname, username, password, href } = new URL(action);
  if (username !== '' || password !== '') return { kind: 'malformed' };
  if (!isLoopback(hostname) && !rules.hosts.includes(hostname)) {
    return { kind: 'none', why: `${hostname} is not among the hosts that alarm actions may reach` };
  }
  return { kind: 'url', url: href };
}

/** Whether a host of a URL is this machine itself. Names other than `localhost` are not looked up. */
function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}
