import type { KeyHandovers } from './handover.js';
import type { Journal } from './journal.js';

/** `full`: the whole protocol. `seed`: a lab switch that runs the five steps alone, so that people see the attacks succeed. */
export type ReplicationProfile = 'full' | 'seed';

/** What `keyferry status` shows of an agent. */
export interface ReplicationStatus {
  readonly region: string;
  readonly partition: string;
  readonly profile: ReplicationProfile;
  readonly state: 'STOPPED' | 'RUNNING' | 'ERROR';
  /** Why it is in ERROR. */
  readonly error: string | null;
  readonly epoch: string | null;
  readonly rosterHash: string | null;
  readonly outgoing: readonly SessionStatus[];
  readonly incoming: readonly SessionStatus[];
  /** Keys of which nothing is replicated any more here, because two hand-overs have named different regions. */
  readonly frozen: readonly string[];
  /** Changes of the primary Region that this region has begun; in doubt where the destination alone can end them. */
  readonly handovers: readonly {
    readonly keyId: string;
    readonly destination: string;
    readonly state: 'ASKED' | 'IN_DOUBT';
  }[];
  /** Replications that wait for a session or have been tried before. */
  readonly waiting: readonly { readonly keyId: string; readonly destination: string; readonly attempts: number }[];
}

/** One session that is not finished. */
export interface SessionStatus {
  readonly sid: string | null;
  readonly intent: string;
  readonly peer: string;
  readonly state: string;
  readonly keyIds: readonly string[];
  readonly createdMs: number;
}

/** Sessions and waiting replications as the journal has them. */
export function sessionsOf(
  journal: Journal,
  handovers: KeyHandovers | undefined,
): Pick<ReplicationStatus, 'outgoing' | 'incoming' | 'waiting' | 'frozen' | 'handovers'> {
  const show = (
    session: {
      readonly sid: string | null;
      readonly intent: string;
      readonly state: string;
      readonly createdMs: number;
      readonly keys: readonly { readonly keyId: string }[];
    },
    peer: string,
  ): SessionStatus => ({
    sid: session.sid,
    intent: session.intent,
    peer,
    state: session.state,
    keyIds: session.keys.map((key) => key.keyId),
    createdMs: session.createdMs,
  });
  return {
    outgoing: journal.openSourceSessions().map((session) => show(session, session.destination)),
    incoming: journal
      .openDestinationSessions()
      .filter((session) => session.state !== 'INSTALLED')
      .map((session) => show(session, session.source)),
    frozen: journal.frozenKeys(),
    handovers: (handovers?.allUnderWay() ?? []).map(({ keyId, destination, isReleased }) => ({
      keyId,
      destination,
      state: isReleased ? 'IN_DOUBT' : 'ASKED',
    })),
    waiting: journal
      .openTasks()
      .filter((task) => task.intent === null)
      .map(({ keyId, destination, attempts }) => ({ keyId, destination, attempts })),
  };
}
