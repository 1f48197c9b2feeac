import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import type { Services } from './services.js';

/** A change of a key's primary Region that this region has begun as the old primary. */
export interface Handover {
  readonly keyId: string;
  /** The region that is to be the primary. */
  readonly destination: string;
  /** Number of the hand-over that its certificate has. */
  readonly primaryGeneration: bigint;
  /** Compact JWS; null before it was signed. */
  readonly certificate: string | null;
  /** The certificate may be at the destination: the destination alone decides. */
  readonly isReleased: boolean;
}

/**
 * Changes of primary Regions as the replication floor sees them, in the key manager's database. Synchronous; calls join the
 * journal's transaction.
 */
export interface KeyHandovers {
  /** At the old primary: the hand-over of a key that is under way. */
  underWay(keyId: string): Handover | undefined;
  allUnderWay(): readonly Handover[];
  /** Replaces what is kept of one. */
  put(handover: Handover): void;
  /** The destination has taken over: this region's key is its replica. */
  done(handover: Handover): void;
  /** The destination has not taken over and never will by this hand-over: this region's key is the primary again. */
  undone(keyId: string, code: string): void;

  /** Keys that were handed over to this region, which is their primary, with the regions of their replicas. */
  received(): readonly { readonly keyId: string; readonly replicaRegions: readonly string[] }[];

  /** At the new primary: whether the replica here may become the primary key. */
  canReceive(keyId: string): boolean;
  /** The replica is `Updating` until it is the primary, or {@link KeyHandovers.notReceived}. */
  receive(keyId: string): void;
  notReceived(keyId: string): void;
}

/** The hand-over that a session to this destination is for. */
export function handoverTo(services: Services, keyId: string, destination: string): Handover | undefined {
  const handover = services.handovers?.underWay(keyId);
  return handover?.destination === destination ? handover : undefined;
}

/** The old primary knows that the new one has taken over; inside a transaction. */
export function finishHandover(services: Services, handover: Handover): void {
  const { journal, handovers } = services;
  const { keyId, destination, primaryGeneration } = handover;
  const path = [...(journal.primary(keyId)?.path ?? []), destination];
  if (BigInt(path.length) === primaryGeneration)
    journal.putPrimary(keyId, { region: destination, generation: primaryGeneration, frozen: false, path });
  // What other regions were to be told is the new primary's to say.
  for (const task of journal.openTasks())
    if (task.keyId === keyId) journal.putTask({ ...task, wanted: false, attempts: 0 });
  handovers?.done(handover);
}

/** How long a replica waits as `Updating` for the certificate, milliseconds by the local monotonic clock. */
export function offerLifetimeOf(services: Services, isHandover: boolean): number {
  const { offerLifetimeMs } = services.times;
  return isHandover ? Math.min(offerLifetimeMs, LIMITS.handoverOfferLifetimeMs) : offerLifetimeMs;
}
