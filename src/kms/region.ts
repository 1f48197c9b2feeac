import type { Clock } from '../clock.js';
import type { AliasStore } from './alias_store.js';
import type { GrantStore } from './grant_store.js';
import type { KeyHome } from './key_id.js';
import type { KeyStore } from './key_store.js';
import type { LastUsages } from './last_usage.js';
import type { MaterialStore } from './material_store.js';
import type { ImportHsm, ImportTokens, KeyHsm, Replicator, ServiceEvents } from './ports.js';
import type { PrimaryChanges } from './primary_change.js';
import type { RotationStore } from './rotation_store.js';
import type { SynchronizationStore } from './synchronization_store.js';

/** One region's key manager: everything that its operations work on. */
export interface KmsRegion {
  readonly home: KeyHome;
  readonly store: KeyStore;
  readonly materials: MaterialStore;
  readonly rotations: RotationStore;
  readonly synchronizations: SynchronizationStore;
  readonly primaryChanges: PrimaryChanges;
  readonly aliases: AliasStore;
  readonly grants: GrantStore;
  readonly lastUsages: LastUsages;
  readonly hsm: KeyHsm;
  readonly importHsm: ImportHsm;
  readonly importTokens: ImportTokens;
  readonly replicator: Replicator;
  readonly clock: Clock;
  readonly events: ServiceEvents;
  /** Told when what waits for time has changed. */
  readonly deadlines: { changed(): void };
}

/** Who calls: the principal of the credential that signed the request. */
export interface Caller {
  /** ARN, for example `arn:aws:iam::111122223333:user/alice`. */
  readonly principal: string;
  /** 12 digits. */
  readonly account: string;
  /** IAM policy of the principal, JSON text that was checked; absent or null for an administrator. */
  readonly identityPolicy?: string | null;
}

/** What an operation tells the audit trail of its call besides request and answer. */
export interface CallNote {
  /** ARN of a key that the call is about, whether it succeeds or not. */
  readonly keyArn?: string;
  /** ARN of an alias that the call is about, whether it exists or not. */
  readonly aliasArn?: string;
  /** The key material that was used or made. */
  readonly keyMaterialId?: string;
  /** The strategy by which the token did the work. */
  readonly strategy?: string;
  /** Whether key material was outside the token for a moment, as the configuration allowed. */
  readonly outsideToken?: boolean;
  /** A code that says more of a refusal than its caller is told. */
  readonly refusal?: string;
}

/** One call of an operation. */
export interface Call {
  readonly region: KmsRegion;
  readonly caller: Caller;
  /** Address that the request came from; absent where it came over no network. */
  readonly sourceAddress?: string | undefined;
  /** Whether the request came through an encrypted connection; absent where it came over no network. */
  readonly isEncrypted?: boolean;
  /** Tells the audit trail; may be called several times. Absent where nobody keeps one. */
  readonly note?: (note: CallNote) => void;
}

/** An operation of the AWS KMS API, after its request was decoded and before its answer is encoded. */
export type Operation<Request, Response> = (call: Call, request: Request) => Promise<Response>;
