import { KeyferryError } from '../errors.js';

/** What replication raises to its callers; refused messages of peers are values, not errors. */
export type ReplicationErrorCode =
  | 'ERR_REPL_ROSTER_CHANGE' // the partition authority cannot make this change
  | 'ERR_REPL_NO_ROSTER' // this region has no roster, or is not in it
  | 'ERR_REPL_NO_ACTIVE_RSK' // the roster lists no active RSK of this region
  | 'ERR_REPL_UNAVAILABLE'; // the agent is stopped or in its error state

/** A failure of the replication floor. */
export class ReplicationError extends KeyferryError<ReplicationErrorCode> {}
