import type { WrappedMaterial } from '../hsm/material.js';
import type { ReplicationSuite } from '../wire/suite.js';

/** Messages by name: M0 intent, M1 offer, M2 transfer, M3 confirm, M4 close, MX abort, MQ query, MS status. */
export type MessageName = 'intent' | 'offer' | 'transfer' | 'confirm' | 'close' | 'abort' | 'query' | 'status';

/** Position in the exchange and the role of who sends it; control messages may come from either side and carry no order of their own. */
export const MESSAGES: Readonly<
  Record<MessageName, { readonly label: string; readonly seq: number; readonly role: 'S' | 'D' | null }>
> = {
  intent: { label: 'M0', seq: 0, role: 'S' },
  offer: { label: 'M1', seq: 1, role: 'D' },
  transfer: { label: 'M2', seq: 2, role: 'S' },
  confirm: { label: 'M3', seq: 3, role: 'D' },
  close: { label: 'M4', seq: 4, role: 'S' },
  abort: { label: 'MX', seq: 5, role: null },
  query: { label: 'MQ', seq: 6, role: null },
  status: { label: 'MS', seq: 7, role: null },
};

/** State of a session as one side tells the other. */
export type ReportedState = 'UNKNOWN' | 'INTENT' | 'SENT' | 'DONE' | 'OFFERED' | 'UNWRAPPING' | 'INSTALLED' | 'ABORTED';
/** All of them. */
export const REPORTED_STATES: readonly ReportedState[] = [
  'UNKNOWN',
  'INTENT',
  'SENT',
  'DONE',
  'OFFERED',
  'UNWRAPPING',
  'INSTALLED',
  'ABORTED',
];

/** Members that every message has. Hashes and ids are base64url, as on the wire. */
export interface Envelope {
  readonly partition: string;
  /** Session id, 32 octets in base64url; null before the destination has drawn one. */
  readonly sid: string | null;
  readonly issuer: string;
  readonly destination: string;
  readonly role: 'S' | 'D';
  readonly epoch: bigint;
  readonly rosterHash: string;
  /** Identity of the message that this one answers. */
  readonly prev: string | null;
  /** Advisory: the issuer's wall clock, milliseconds since the Unix epoch. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** One key that a source announces. */
export interface IntentKey {
  readonly keyId: string;
  readonly birthCertificate: string;
  readonly handovers: readonly string[];
  readonly generation: bigint;
  /** Metadata hash, 48 octets in base64url. */
  readonly metadataHash: string;
  readonly materialIds: readonly string[];
  /** The destination is to make a replica: no confirmation of one that it has now has reached the source. */
  readonly create?: true;
  /** In a session that hands the key over: the region that is to be its primary, which is the destination. */
  readonly nextPrimary?: string;
}

/** Payloads by message. */
export interface Bodies {
  readonly intent: {
    readonly nonce: string;
    readonly keys: readonly IntentKey[];
    readonly suites: readonly ReplicationSuite[];
    readonly floor: ReplicationSuite;
  };
  readonly offer: {
    readonly keys: readonly {
      readonly keyId: string;
      readonly generation: bigint;
      /** Certificates of the intent that this region has signed again. */
      readonly certificates?: readonly string[];
    }[];
    readonly suites: readonly ReplicationSuite[];
    /** RAKB's point, not validated yet. */
    readonly point: Uint8Array;
    readonly fingerprint: string;
  };
  readonly transfer: {
    readonly suite: ReplicationSuite;
    /** RAKA's point, not validated yet. */
    readonly point: Uint8Array;
    readonly keys: readonly {
      readonly keyId: string;
      readonly generation: bigint;
      /** Metadata as opaque octets. */
      readonly context: Uint8Array;
      readonly wrapped: readonly WrappedMaterial[];
    }[];
    readonly confirmation: Uint8Array;
  };
  readonly confirm: {
    readonly keys: readonly {
      readonly keyId: string;
      readonly generation: bigint;
      readonly installed: readonly string[];
      readonly replicaState: 'Enabled';
    }[];
    readonly confirmation: Uint8Array;
  };
  readonly close: Record<never, never>;
  readonly abort: {
    /** Identity of M0 of the session that ends; null where the message is about no session. */
    readonly intent: string | null;
    readonly code: string;
    readonly state: ReportedState;
    /** Highest generation that the destination has seen, where the code is `GEN`. */
    readonly highWater: bigint | null;
    /** Rosters in order of epoch, for a peer that is behind. */
    readonly rosters: readonly string[];
  };
  readonly query: { readonly intent: string | null };
  readonly status: { readonly intent: string | null; readonly state: ReportedState };
}

/** A message by name. */
export type MessageOf<Name extends MessageName> = {
  readonly name: Name;
  readonly envelope: Envelope;
  readonly body: Bodies[Name];
};
/** Any message. */
export type Message = { [Name in MessageName]: MessageOf<Name> }[MessageName];

/** The type in the protected header: `mrkr1-offer+jws`. */
export function typOf(name: MessageName): string {
  return `mrkr1-${name}+jws`;
}

/** The message of a type, or undefined for a type of another flow. */
export function messageOfTyp(typ: string): MessageName | undefined {
  return (Object.keys(MESSAGES) as MessageName[]).find((name) => typOf(name) === typ);
}
