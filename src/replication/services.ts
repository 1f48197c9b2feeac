import type { Clock } from '../clock.js';
import type { SignatureCheck } from '../wire/jws.js';
import type { Channel } from './channel.js';
import type { KeyHandovers } from './handover.js';
import type { Journal } from './journal.js';
import type { ReplicatedKeys, ReplicationAudit } from './ports.js';
import type { ReplicationHsm } from './replication_hsm.js';
import type { RosterBook } from './roster_book.js';
import type { Trace } from './trace.js';

/** Times of an agent, milliseconds by the local monotonic clock; defaults in limits.ts. */
export interface ReplicationTimes {
  readonly resendBaseMs: number;
  readonly resendCapMs: number;
  readonly offerLifetimeMs: number;
  readonly sweepIntervalMs: number;
  readonly handoverAnswerMs: number;
}

/** What both sides of the protocol work with. */
export interface Services {
  readonly region: string;
  readonly partition: string;
  /** Account whose keys this region holds; keys of another are refused where it is given. */
  readonly account: string | undefined;
  readonly journal: Journal;
  readonly keys: ReplicatedKeys;
  /** Absent where no key changes its primary Region. */
  readonly handovers: KeyHandovers | undefined;
  readonly book: RosterBook;
  readonly channel: Channel;
  readonly clock: Clock;
  readonly audit: ReplicationAudit;
  readonly trace: Trace;
  readonly times: ReplicationTimes;
  readonly verifySignature: SignatureCheck;
  /** The HSM with each step traced under a session id. */
  hsm(sid: string | null): ReplicationHsm;
  /** Ends all work: a token has answered wrongly. */
  stopForSelfTest(detail: string): void;
  /** Notes that a key is to be replicated; joins the caller's transaction. */
  begin(keyId: string, destination: string): void;
  /** Starts sessions that are wanted, soon. */
  wake(): void;
}
