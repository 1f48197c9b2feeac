/**
 * What must survive a crash. Every row is committed before the message that it belongs to is released, and the octets of that
 * message are part of the row: a repetition is always the same octets.
 */

/** A key of a session. */
export interface SessionKeyEntry {
  readonly keyId: string;
  readonly generation: bigint;
  readonly materialIds: readonly string[];
}

/** Session at the source. `SENT` is in doubt until the destination has answered: only it may end that state. */
export interface SourceSession {
  /** Identity of M0, base64url. */
  readonly intent: string;
  readonly state: 'INTENT' | 'SENT' | 'DONE' | 'ABORTED';
  readonly destination: string;
  readonly epoch: bigint;
  /** Keys with their metadata as it is sent. */
  readonly keys: readonly (SessionKeyEntry & { readonly context: Uint8Array })[];
  readonly sid: string | null;
  /** Identity of the M1 that was acted on. */
  readonly offer: string | null;
  /** Identity of M2. */
  readonly transfer: string | null;
  /** SHA-384 of the key confirmation that the destination must send, base64url. */
  readonly confirmationHash: string | null;
  /** What is sent again in this state: M0, M2, M4 or MX; compact JWS. */
  readonly message: string | null;
  /** Why it ended in `ABORTED`. */
  readonly code: string | null;
  /** Wall clock, milliseconds. */
  readonly createdMs: number;
}

/** Session at the destination, which is the commit point. */
export interface DestinationSession {
  /** 32 octets in base64url. */
  readonly sid: string;
  readonly state: 'OFFERED' | 'UNWRAPPING' | 'INSTALLED' | 'ABORTED';
  readonly source: string;
  /** Identity of the M0 that it answers. */
  readonly intent: string;
  readonly epoch: bigint;
  readonly keys: readonly SessionKeyEntry[];
  /** Identity of M1; null in a tombstone for a session that was never offered. */
  readonly offer: string | null;
  /** Identity of the M2 that is or was acted on. */
  readonly transfer: string | null;
  /** What is sent again in this state: M1, M3 or MX. */
  readonly message: string | null;
  readonly code: string | null;
  /** The source has acknowledged M3. */
  readonly closed: boolean;
  readonly createdMs: number;
}

/** What a source wants done for one key and destination. */
export interface ReplicationTask {
  readonly keyId: string;
  readonly destination: string;
  /** Last generation that was used. */
  readonly generation: bigint;
  /** A new session is to be started (once the present one has ended). */
  readonly wanted: boolean;
  /** M0 of the present session. */
  readonly intent: string | null;
  /** Sessions that ended without result since `begin`. */
  readonly attempts: number;
  /** Why it failed for good. */
  readonly failure: string | null;
}

/** What a region knows of who may send a key. */
export interface KnownPrimary {
  readonly region: string;
  /** Hand-overs since the key's birth. */
  readonly generation: bigint;
  /** Two hand-overs of one generation name different regions: nothing of the key is replicated any more. */
  readonly frozen: boolean;
  /** Regions that the hand-overs have named, in order. */
  readonly path: readonly string[];
}

/** The journal of one region, over the same database as its keys. Synchronous; durable when a transaction returns. */
export interface Journal {
  /**
   * Runs `work` in one transaction; a call inside another joins it.
   *
   * @param durability - `durable` where it is left out. `ordered` is for steps after which nothing leaves the region and which a power cut may
   * undo, because the state before them is recovered from in the same way; they become durable with the next durable one
   */
  transaction<Result>(work: () => Result, durability?: 'durable' | 'ordered'): Result;

  sourceSession(intent: string): SourceSession | undefined;
  sourceSessionBySid(sid: string): SourceSession | undefined;
  putSourceSession(session: SourceSession): void;
  /** `INTENT` and `SENT`, oldest first. */
  openSourceSessions(): readonly SourceSession[];

  destinationSession(sid: string): DestinationSession | undefined;
  destinationSessionByIntent(intent: string): DestinationSession | undefined;
  putDestinationSession(session: DestinationSession): void;
  /** `OFFERED`, `UNWRAPPING`, and `INSTALLED` that is not closed; oldest first. */
  openDestinationSessions(): readonly DestinationSession[];

  task(keyId: string, destination: string): ReplicationTask | undefined;
  putTask(task: ReplicationTask): void;
  /** Tasks with work: wanted, or with a session. */
  openTasks(): readonly ReplicationTask[];

  /** Highest generation offered for a key from a source; -1 for none. */
  highWater(keyId: string, source: string): bigint;
  raiseHighWater(keyId: string, source: string, generation: bigint): void;

  /** Newest known holder of the primary key. */
  primary(keyId: string): KnownPrimary | undefined;
  putPrimary(keyId: string, primary: KnownPrimary): void;
  /** Keys that are here and frozen, in ascending order. */
  frozenKeys(): readonly string[];

  /**
   * Notes a nonce, session id or ephemeral point; false where it was there already, which only a broken generator brings about.
   *
   * @param atMs - wall clock: {@link Journal.prune} forgets by it
   */
  noteOnce(value: string, atMs: number): boolean;

  /** Compact rosters in order of epoch. */
  rosters(): readonly string[];
  putRoster(epoch: bigint, compact: string): void;

  /**
   * Forgets a key that is deleted: its sessions, whatever their state, and its tasks. What refuses messages of its former life (the
   * high-water marks and the newest holder of the primary) stays under a name that does not tell the key id.
   */
  forgetKey(keyId: string): void;

  /** Forgets finished sessions that were made, and values that were noted, before `beforeMs`. */
  prune(beforeMs: number): void;
}
