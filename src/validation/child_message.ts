import type { TokenIdentity, TokenProfile } from '../token/profile.js';
import type { CheckOutcome, Observation } from './check.js';
import type { RunConditions } from './run_conditions.js';
import type { TokenReference } from './token_reference.js';

/** What a token says about itself besides its identity. */
export interface OpenedToken {
  /** As the module describes it. */
  readonly slot: string;
  /** `CKF_` names. */
  readonly flags: string[];
  /** Most sessions of one process; 0 is no limit, null is not told. */
  readonly sessionCountMax: number | null;
}

/** What the runner tells a process that runs checks. */
export type ToChild =
  | {
      readonly kind: 'open';
      readonly reference: TokenReference;
      /** URL of the module whose `checks` are run. */
      readonly catalogue: string;
      readonly seed: string;
      readonly isQuick: boolean;
      readonly conditions: RunConditions;
      readonly profile: TokenProfile | null;
    }
  | { readonly kind: 'probe' }
  | { readonly kind: 'run'; readonly checkId: string }
  | { readonly kind: 'clean' }
  | { readonly kind: 'end' };

/** What such a process answers: one of these to each message, and observations in between. */
export type FromChild =
  | { readonly kind: 'opened'; readonly identity: TokenIdentity; readonly token: OpenedToken }
  | { readonly kind: 'probed'; readonly profile: TokenProfile }
  | { readonly kind: 'observed'; readonly checkId: string; readonly observation: Observation }
  | { readonly kind: 'done'; readonly checkId: string; readonly outcome: CheckOutcome; readonly ms: number }
  | { readonly kind: 'cleaned'; readonly removed: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly remedy: string | null };
