import type { Clock } from '../clock.js';
import type { KeyHome } from './key_id.js';
import type { KeyStore } from './key_store.js';
import type { KeyHsm, Replicator } from './ports.js';

/** One region's key manager: everything that its operations work on. */
export interface KmsRegion {
  readonly home: KeyHome;
  readonly store: KeyStore;
  readonly hsm: KeyHsm;
  readonly replicator: Replicator;
  readonly clock: Clock;
}

/** Who calls: the principal of the credential that signed the request. */
export interface Caller {
  /** ARN, for example `arn:aws:iam::111122223333:user/alice`. */
  readonly principal: string;
  /** 12 digits. */
  readonly account: string;
}

/** One call of an operation. */
export interface Call {
  readonly region: KmsRegion;
  readonly caller: Caller;
}

/** An operation of the AWS KMS API, after its request was decoded and before its answer is encoded. */
export type Operation<Request, Response> = (call: Call, request: Request) => Promise<Response>;
