/** What the person who runs a validation says about the token, and what may be done to it; plain data. */
export interface RunConditions {
  /** How long ROB-19 leaves the token alone before it is used again, minutes; 0 leaves the check out. */
  readonly idleMinutes: number;
  /** Shell commands by which ROB-16 takes the token away and gives it back; null where it has to do without. */
  readonly interruption: { readonly interrupt: string; readonly resume: string } | null;
  /**
   * Whether ROB-14 may kill processes that write to the token, where the token is the user's: a software token may lose everything by that.
   * A scratch run makes a token for it.
   */
  readonly mayKill: boolean;
}

/** Nothing is said. */
export const noConditions: RunConditions = { idleMinutes: 0, interruption: null, mayKill: false };
