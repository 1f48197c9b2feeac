import type { TokenProfile } from '../token/profile.js';
import type { TokenReference } from './token_reference.js';

/** What a process for one look at a token is told. */
export interface SurveyRequest {
  readonly reference: TokenReference;
  /** Look at what is there and what the token can do; or destroy what carries one of Keyferry's labels, and look then. */
  readonly action: 'survey' | 'sweep';
}

/** What it found. */
export interface TokenSurvey {
  /** Null after a sweep. */
  readonly profile: TokenProfile | null;
  /** Token objects that a login sees. */
  readonly objects: number;
  /** Those of them that carry a label of Keyferry's. */
  readonly own: number;
  /** Objects that were destroyed. */
  readonly removed: number;
}

/** The one answer of such a process. */
export type SurveyAnswer =
  | { readonly kind: 'surveyed'; readonly survey: TokenSurvey }
  | { readonly kind: 'failed'; readonly message: string; readonly remedy: string | null };
