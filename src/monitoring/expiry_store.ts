/**
 * A stretch of time during which a key had imported material that expired at one date. Its samples follow from it, so that two weeks
 * of minutes take one row.
 */
export interface ExpiryInterval {
  readonly keyId: string;
  readonly fromMs: number;
  /** Null while it lasts. */
  readonly untilMs: number | null;
  /** When the earliest-expiring material ends. */
  readonly validToMs: number;
}

/** What the expiration metric is made from. Intervals of a key go with the key. */
export interface ExpiryStore {
  /** Intervals that last. */
  open(): readonly ExpiryInterval[];
  /** Intervals of a key, the oldest first. */
  of(keyId: string): readonly ExpiryInterval[];
  /** Keys with intervals that last, or ended at `sinceMs` or later. */
  keysSince(sinceMs: number): readonly string[];
  /** Ends intervals and begins others, all or none. */
  change(change: {
    readonly ended: readonly { readonly keyId: string; readonly untilMs: number }[];
    readonly begun: readonly { readonly keyId: string; readonly fromMs: number; readonly validToMs: number }[];
  }): void;
  /** Instants to which the clock was moved, from `fromMs` to before `toMs`. */
  moves(range: { readonly fromMs: number; readonly toMs: number }): readonly number[];
  putMove(atMs: number): void;
  /** Removes what ended before `beforeMs`, and takes back what lies beyond `nowMs` after the clock was set back. */
  prune(bounds: { readonly beforeMs: number; readonly nowMs: number }): void;
}
