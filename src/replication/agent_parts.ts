import type { Clock } from '../clock.js';
import type { VerifySignature } from '../wire/jws.js';
import type { ReplicationProfile } from './agent_status.js';
import type { KeyHandovers } from './handover.js';
import type { Journal } from './journal.js';
import type { ReplicatedKeys, ReplicationAudit, Transport } from './ports.js';
import type { ReplicationHsm } from './replication_hsm.js';
import type { RosterBook } from './roster_book.js';
import type { ReplicationTimes } from './services.js';

/** What an agent is made of. */
export interface ReplicationAgentParts {
  readonly region: string;
  readonly partition: string;
  /** Account whose keys this region holds; 12 digits. */
  readonly account?: string;
  readonly hsm: ReplicationHsm;
  readonly journal: Journal;
  readonly keys: ReplicatedKeys;
  readonly handovers?: KeyHandovers;
  readonly roster: RosterBook;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly audit: ReplicationAudit;
  readonly profile?: ReplicationProfile;
  readonly times?: Partial<ReplicationTimes>;
  /** Time between two looks at the timers, milliseconds; 0 where the owner calls {@link ReplicationAgent.tick}. */
  readonly tickMs?: number;
  readonly verifySignature?: VerifySignature;
}
